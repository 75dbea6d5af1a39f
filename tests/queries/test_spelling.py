"""Words that a shop does not know, read as those that were meant; known ones never change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.errors import ConfigError
from genrecall.queries import dictionary
from genrecall.queries.changes import Change
from genrecall.queries.config import QueriesConfig
from genrecall.queries.dictionary import language_words, read_dictionary
from genrecall.queries.edits import distance
from genrecall.queries.near_words import NearWords
from genrecall.queries.reader import QueryReader
from genrecall.queries.spelling import Speller
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.vocabulary import Vocabulary
from genrecall.text.normalize import read_words

TITLES = [
    *["Dewalt cordless drill 18 V"] * 9,
    *["Skil circular saw blade"] * 9,
    *["Door knob, satin nickel"] * 9,
    *["Round toilet seat"] * 9,
    *["Microwave oven"] * 9,
    *["Ceiling fans with light"] * 9,
    "Sill plate",
    "Skill game",
    "Kleinteil DX-4120",
]
QUERIES = ["toilet seat", "wifi doorbell", *(f"smartplug {word}" for word in "abcdef")]


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.learn(TITLES, QUERIES, stemmer="plural")


@pytest.fixture(scope="module")
def speller(vocabulary):
    return Speller(vocabulary)


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("toliet seat", "toilet seat"),
        ("Cordles DRIL", "cordless drill"),
        ("celing fan", "ceiling fan"),
        ("doorknob", "door knob"),
        ("micr owave oven", "microwave oven"),
        ("DeWalt 18V drlil", "DeWalt 18V drill"),
        ("ceiling lihgts!", "ceiling light!"),
        ('Dewalt "Cordles"  DRIL, 18-Volt', 'Dewalt "cordless"  drill, 18-Volt'),
        ("Ceilïng FAN célings", "ceiling fan ceiling"),  # not found as it stands
        ("sawsblades", "saw blade"),
    ],
)
def test_what_was_meant_is_read(speller, query, read):
    assert speller.correct(query)[0] == read


def test_changes_are_told_in_order(speller):
    read, changes = speller.correct("Toliet seta for dewlat")
    assert read == "toilet seat for dewalt"
    assert changes == [
        Change("toliet", "toilet"),
        Change("seta", "seat"),
        Change("dewlat", "dewalt"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "Skill SAW",  # another word of some title is nearer to more titles
        "Toilet  Seats!",
        "DX-4120",
        "dx4121",  # a model number that nobody has
        "3/8 x 7",
        "saww9",
        "fn",  # short words are near to everything
        "wifi doorbell cam",
        "日本語のドリル",
        "مثقاب",
        "smartplug",  # not in titles, but in six queries
        "",
        "☂",
        "zzyzxqwv",  # near to nothing
    ],
)
def test_what_is_known_or_no_slip_stays_to_the_letter(speller, query):
    assert speller.correct(query) == (query, [])


def test_a_word_of_a_few_queries_stays_where_it_is_likely_enough(speller):
    """The encoder has learned it from what was chosen there."""
    assert speller.correct("wifi") == ("wifi", [])
    titles = [*TITLES, *["Wife gift"] * 2000]
    assert Speller(Vocabulary.learn(titles, QUERIES, stemmer="plural")).correct("wifi")[1]


def test_a_word_of_few_queries_may_be_a_slip(speller):
    assert not speller.knows("wifi")
    assert speller.knows("smartplug")


words = st.sampled_from(
    ["dewalt", "cordless", "drill", "saw", "blade", "door", "knob", "seat", "fan"]
)


@given(st.lists(words, max_size=6).map(" ".join))
def test_a_query_of_known_words_is_never_changed(query):
    speller = Speller(Vocabulary.learn(TITLES, QUERIES, stemmer="plural"))
    assert speller.correct(query) == (query, [])


@given(st.text(max_size=40))
def test_any_text_is_read_and_what_was_read_stays(text):
    speller = Speller(Vocabulary.learn(TITLES, QUERIES, stemmer="plural"))
    read, changes = speller.correct(text)
    assert bool(changes) == (read != text)
    for change in changes:
        assert all(speller.knows(speller._vocabulary.stem(word)) for word in change.read.split())


def test_a_shop_of_no_words_changes_nothing():
    speller = Speller(Vocabulary.learn([], [], stemmer="plural"))
    assert speller.correct("red saw") == ("red saw", [])


def test_words_of_later_items_are_known(speller, vocabulary):
    assert speller.correct("dewall")[0] == "dewalt"
    later = Speller(vocabulary.with_items(["Dewall screws"]))
    assert later.correct("dewall") == ("dewall", [])
    assert speller.correct("dewall")[0] == "dewalt"


def test_what_is_saved_reads_equally(vocabulary, speller, tmp_path):
    with writing(tmp_path / "queries", kind="queries") as folder:
        vocabulary.save(folder)
    read = Vocabulary.load(open_artifact(tmp_path / "queries", kind="queries"), stemmer="plural")
    assert read.words == vocabulary.words
    assert read.total == vocabulary.total
    assert read.pair("door", "knob") == vocabulary.pair("door", "knob") == 9
    for query in ("toliet seta", "doorknob", "Skil saw"):
        assert Speller(read).correct(query) == speller.correct(query)


ALPHABET = st.text("abcdeklmst", max_size=6)


@given(ALPHABET, ALPHABET)
def test_slips_are_counted_the_same_both_ways(one, other):
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert (distance(one, other) == 0) == (one == other)


@given(ALPHABET, ALPHABET)
def test_slips_are_edits_of_half_a_letter_to_one_and_a_half(one, other):
    from rapidfuzz.distance import OSA

    edits = OSA.distance(one, other)
    assert distance(one, other) <= edits + 0.5 * (edits > 0) + 1e-9
    if edits <= 1:
        assert distance(one, other) >= 0.5 * edits


def test_likely_slips_cost_less():
    likely = [("fann", "fan"), ("sow", "saw"), ("dopr", "door"), ("toliet", "toilet")]
    costs = [distance(*pair) for pair in likely]
    assert max(costs) < 1.0 < distance("zrill", "drill")
    assert np.argmin(costs) == 0


def rules(text):
    return Synonyms.read(text.splitlines(), name="mine.txt", stemmer="plural")


def test_synonyms_are_read_beside_or_instead():
    synonyms = rules("couch, sofa, settee\n# a comment\ntelly => television\n")
    assert synonyms.apply("Couches red") == (
        "couches sofa settee red",
        [("couches", "couches sofa settee")],
    )
    assert synonyms.apply("telly")[0] == "television"
    assert synonyms.apply("Red lamp!") == ("Red lamp!", [])


def test_what_the_query_says_itself_is_not_read_twice():
    synonyms = rules("couch, sofa, settee")
    assert synonyms.apply("sofa couch")[0] == "sofa settee couch settee"
    assert synonyms.apply("settee couch sofa") == ("settee couch sofa", [])


def test_a_line_is_read_as_solr_reads_it():
    synonyms = rules("  # bolt, nut\nbolt, fastener #8\na\\,b, letters\n")
    assert synonyms.apply("bolt")[0] == "bolt fastener 8"
    assert synonyms.apply("a b")[0] == "a b letters"


def test_lines_about_one_name_add_up_unless_they_contradict():
    synonyms = rules("couch, sofa\ncouch, settee\ntelly => tv\ntelly => television, tv")
    assert synonyms.apply("couch")[0] == "couch sofa settee"
    assert synonyms.apply("telly")[0] == "tv television"
    with pytest.raises(ConfigError, match="line 2: 'couch' is both replaced and read beside"):
        rules("couch, sofa\ncouch => settee")


def test_words_of_synonyms_are_no_slips(vocabulary):
    titles = [*TITLES, *["Soda jelly television"] * 20]
    vocabulary = Vocabulary.learn(titles, QUERIES, stemmer="plural")
    assert Speller(vocabulary).correct("telly sofa")[1]
    synonyms = rules("telly => television\ncouch, sofa")
    reader = QueryReader(Speller(vocabulary, synonyms.words), synonyms)
    assert reader.read("telly").text == "television"
    assert reader.read("sofas").text == "sofas couch"
    assert reader.over(vocabulary.with_items(["Lamp"])).read("telly").text == "television"


def test_a_shop_whose_titles_have_no_word():
    speller = Speller(Vocabulary.learn(["???"], ["light bulb", "light bulb red"], stemmer="plural"))
    assert speller.correct("lightbulb")[0] in ("lightbulb", "light bulb")


def test_a_long_text_of_unknown_words_is_left_from_some_word_on(speller):
    read, changes = speller.correct(" ".join(["toliet"] * 30))
    assert len(changes) == 8
    assert read.split() == ["toilet"] * 8 + ["toliet"] * 22


def test_the_longest_name_counts():
    synonyms = rules("ac => air conditioner\nac adapter => power supply")
    assert synonyms.apply("ac adapters 9v")[0] == "power supply 9v"
    assert synonyms.apply("ac")[0] == "air conditioner"


def test_a_word_of_the_language_is_changed_only_where_a_slip_is_likely(vocabulary, tmp_path):
    titles = [*TITLES, *["Soda bottle"] * 9, *["Recliner chair"] * 90, *["Wood clamp"] * 9]
    vocabulary = Vocabulary.learn(titles, QUERIES, stemmer="plural")
    file = tmp_path / "en.dic"
    file.write_text("3\nsofas/MS\nrecline/D\nçlamped\n", "utf-8")
    language = read_dictionary(file, "plural")
    assert {"sofa", "recline", "clamped"} <= language
    speller = Speller(vocabulary, language=language)
    assert Speller(vocabulary).correct("sofas")[0] == "soda"
    assert speller.correct("sofas bed") == ("sofas bed", [])
    assert speller.correct("bottel")[0] == "bottle"
    later = speller.over(vocabulary.with_items(["Lamp"]))
    assert later.correct("sofas") == ("sofas", [])
    assert speller.correct("recline chair")[0] == "recliner chair"  # 90 times


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\xff\xfe\x00", "is not UTF-8 .*iconv"),
        (b"12\n/x\n", "holds no word. Give a list of words"),
    ],
)
def test_a_wrong_dictionary_is_refused(tmp_path, content, error):
    file = tmp_path / "en.dic"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=error):
        read_dictionary(file, "plural")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_dictionary(tmp_path / "none.dic", "plural")


def test_what_only_many_slips_make_of_a_word_is_not_read():
    """Somebody may want what the shop does not have."""
    titles = ["Radiator cover", "Radiator valve", *["Mower deck"] * 4000]
    speller = Speller(Vocabulary.learn(titles, [], stemmer="plural"))
    assert speller.correct("mowr")[0] == "mower"
    assert speller.correct("radiatr")[0] == "radiator"
    assert speller.correct("redeatr") == ("redeatr", [])


def test_titles_say_how_a_word_is_written():
    queries = [f"lights {word}" for word in "abcdefg"]
    vocabulary = Vocabulary.learn(["Light bulb", "Light strip"], queries, stemmer="plural")
    assert vocabulary.words["light"].form == "light"
    assert Vocabulary.learn([], queries, stemmer="plural").words["light"].form == "lights"


NEAR = st.text("abcdeklmst\u0430\u0431", max_size=7)


@given(st.lists(NEAR, unique=True, max_size=30), NEAR, st.integers(0, 3))
def test_near_words_are_those_that_comparing_with_all_finds(known, word, edits):
    from rapidfuzz.distance import OSA

    compared = {other: OSA.distance(word, other) for other in known}
    within = {other: cost for other, cost in compared.items() if cost <= edits}
    assert dict(NearWords(known).within(word, edits)) == within


@pytest.mark.parametrize("line", ["couch", "couch, ", "=> sofa", "couch =>", "couch => , "])
def test_a_wrong_rule_is_named(line):
    with pytest.raises(ConfigError, match=r"mine\.txt, line 2: .* is no rule\. Write names"):
        rules(f"a, b\n{line}")


def test_synonyms_come_after_spelling(speller, vocabulary):
    reader = QueryReader(speller, rules("toilet => wc"))
    read = reader.read("toliet")
    assert read.text == "wc"
    assert read.changes == (Change("toliet", "toilet"), Change("toilet", "wc"))
    assert reader.over(vocabulary.with_items(["Toliet"])).read("toliet").text == "toliet"
    assert QueryReader().read("toliet").text == "toliet"


def test_a_word_may_be_the_end_of_the_one_before_it():
    titles = ["Wired doorbell"] * 30 + ["Oak door"] * 30 + ["Leather belt"] * 30
    speller = Speller(Vocabulary.learn(titles, (), stemmer="plural"))
    assert speller.correct("wired door bell") == ("wired doorbell", [("door bell", "doorbell")])
    assert speller.correct("leather bellt")[0] == "leather belt"
    # What was read otherwise is no longer what was typed beside it.
    assert speller.correct("leathr bell")[0] == "leather belt"


def test_it_is_told_whether_any_word_is_known(speller):
    reader = QueryReader(speller, rules("telly => television"))
    assert reader.read("toliet xyz").known
    assert reader.read("kleinteil").known
    assert not reader.read("qwzxv plorf").known
    assert QueryReader().read("qwzxv plorf").known  # nobody has looked


@pytest.mark.parametrize(
    ("query", "read"),
    [("floor lamp", "floor lamp"), ("winter", "winter"), ("lammb", "lamb"), ("watre", "water")],
)
def test_words_of_the_language_are_no_slips(query, read):
    """A small shop does not know them, and has others that are a letter or two away."""
    titles = ["Lamb and rice dog food"] * 30 + ["Floor mat"] * 30 + ["Water bottle"] * 60
    words = Vocabulary.learn(titles, (), stemmer="plural")
    speller = Speller(words, (), language_words("en", "plural"))
    assert speller.correct(query)[0] == read
    assert Speller(words).correct("floor lamp")[0] == "floor lamb"


def test_a_language_counts_by_its_words(monkeypatch):
    english, german = (QueriesConfig(language=code).content() for code in ("en", "de"))
    assert english != german
    assert {"haus", "hauser"} <= language_words("de", "none")
    monkeypatch.setattr(dictionary, "_PACKAGE", "no_such_package")
    assert QueriesConfig(language=None).content()
    with pytest.raises(ConfigError, match=r"words of 'en' are not there.*pip install pyspell"):
        QueriesConfig().content()


@pytest.mark.parametrize(("language", "stemmer"), [("en", "plural"), ("de", "none")])
def test_words_of_a_language_are_read_as_those_of_titles(language, stemmer):
    words = language_words(language, stemmer)
    some = sorted(words)[::997]
    assert [read_words(word, "none") for word in some] == [[word] for word in some]
