import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.text.normalize import _respell, normalize, stem, strip_plural

SAME = [
    # lengths, marks and fractions
    ['3/4" elbow', "3/4 in. elbow", "3/4-inch elbow", "¾ Inch Elbow", "3⁄4'' elbow", "3/4in elbow"],
    ['1-1/2" pipe', "1½ in pipe", "1 1/2 inch pipe", "1 ½″ pipe", "1-1/2-inch pipe"],
    ["6'2\" pole", "6 ft. 2 in. pole", "6′ 2″ pole", "6-foot 2-inch pole", "6’2” pole"],
    ["2x4x8 stud", "2 X 4 X 8 stud", "2×4×8 stud", "2 by 4 by 8 stud", "2*4*8 stud"],
    ["15'x15' tarp", "15 ft. x 15 ft. tarp", "15ft x 15ft tarp", "15-ft × 15-ft tarp"],
    ["2inx4in tile", "2 in. x 4 in. tile", '2"x4" tile', "2-inch × 4-inch tile"],
    ["panel 30x.75", "panel 30 x 0.75"],
    # other units and numbers
    ["18V drill", "18-Volt drill", "18 volts drill", "18 v. drill"],
    ["1,000 ft cable", "1000ft cable", "1000 feet cable"],
    [".5 oz tube", "0.5 ounce tube", "0.5-oz. tube"],
    ["5-gal. bucket", "5gal bucket", "5 Gallon Bucket"],
    ["3-pack", "3 pk", "3 Packs"],
    # models, possessives, signs
    ["DX-4120", "dx4120", "Dx-4120"],
    ["Levi's jeans", "LEVI’S jeans", "levi jeans"],
    ["kids' bike", "kids bike"],
    ["Black &amp; Decker", "black & decker", "Black and Decker"],
    ["Scotch™ tape", "SCOTCH® tape", "scotch tape"],
    # letters
    ["Crème brûlée", "CREME BRULEE", "Cre\u0300me bru\u0302le\u0301e"],
    ["Straße", "STRASSE"],
    ["ﬁlter ㎝", "filter cm"],
    ["ガラス", "ｶﾞﾗｽ", "カ\u3099ラス"],
    ["한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165"],
    ["أحمد", "احمد"],
    # what nobody sees
    ["Akkuschrauber", "Akku\u00adschrauber", "Akku&shy;schrauber", "Akku\u200bschrauber"],
    ["Akkuschrauber", "\ufeffAkku\u2060schrauber\u200e", "Akku\u200cschrauber"],
    ["می‌خواهم", "می خواهم"],
    ["क्ष", "क्\u200dष", "क्\u200cष"],
    ["ผ้า ฝ้าย", "ผ้า\u200bฝ้าย"],
    ["מקדחה", "\u200fמקדחה\u200f"],
]


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0])
def test_spellings_of_one_thing_become_one(spellings):
    assert len({normalize(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("--- ... ''", ""),
        ("Acme 20V MAX Drill/Driver (2-Tool)", "acme 20 v max drill driver 2 tool"),
        ("1-1/4 in. x 10 ft.", "1 1/4 in x 10 ft"),
        ("3-in-1 printer, 50% off", "3 in 1 printer 50% off"),
        ("12V/18V charger 24/7", "12 v 18 v charger 24/7"),
        ("10-32 x 1/2 screw #8", "10 32 x 1/2 screw 8"),
        ("T-shirt L'Oréal", "t shirt l oreal"),
        ("&lt;b&gt;5&quot; pipe&lt;/b&gt;", "5 in pipe"),
        ("Akku<wbr>schrauber<br>18&nbsp;V", "akkuschrauber 18 v"),
        ("drill <5 mm", "drill 5 mm"),
        ("a_b.c, v1.2.", "a b c v1.2"),
        ("日本語 テスト 5g 中文", "日本語 テスト 5 g 中文"),
        ("ガラスのコップ", "ガラスのコップ"),
        ("हिन्दी साड़ी", "हिन्दी साड़ी"),
        ("ผ้าฝ้ายสีชมพู", "ผ้าฝ้ายสีชมพู"),
        ("Юбка Ёлка", "юбка елка"),
        ("m² 5m² cm³", "m2 5m2 cm3"),
        ("No.5 №5", "no 5 no5"),
    ],
)
def test_spelling(text, expected):
    assert normalize(text) == expected


def test_different_things_stay_different():
    texts = ["1 1/2 in", "11/2 in", "1/2 in", "0.5 in", "5 in", "5 ft", "5", "dx 4120", "dx4120"]
    texts += ["か", "が", "은", "는", "15 x 15", "1515"]
    assert len({normalize(text) for text in texts}) == len(texts)


signs = [*"abdgstx0123456789 .,/-'\"&%_()*½²×’″′éİß™日ガ한ั\u0301\u3099"]
parts = [*signs, " in", " ft", "-inch", "lb", " by ", " x ", "volt", "''", "&amp;"]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(parts), max_size=12).map("".join))
def test_what_is_normalized_stays(text):
    spelled = normalize(text)
    assert normalize(spelled) == spelled


@settings(max_examples=300)
@given(st.text(max_size=30))
def test_any_text_has_a_spelling_of_words_in_one_line(text):
    spelled = normalize(text)
    assert spelled == " ".join(spelled.split())
    assert spelled == spelled.casefold()
    assert normalize(spelled) == spelled
    assert normalize(f"  {text}\n") == spelled


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "Nd", "Zs"]), max_size=30))
def test_letters_and_digits_are_never_lost(text):
    # Only a unit after a number changes; without numbers a text keeps its words.
    words = "".join(char for char in text if not char.isdigit()).split()
    assert normalize(" ".join(words)).split() == [word.lower() for word in words]


@pytest.mark.parametrize(
    ("plural", "single"),
    [
        ("drills", "drill"),
        ("batteries", "battery"),
        ("brushes", "brush"),
        ("glasses", "glass"),
        ("boxes", "box"),
        ("glass", "glass"),
        ("gas", "gas"),
        ("bus", "bus"),
        ("s", "s"),
        ("ties", "tie"),
        ("hoses", "hose"),
        ("", ""),
        ("日本", "日本"),
    ],
)
def test_plural_endings(plural, single):
    assert strip_plural(plural) == single


def test_without_a_stemmer_words_stay():
    assert stem("drills", "none") == "drills"
    assert stem("drills", "plural") == "drill"


@given(st.text(alphabet="abXYZinftes  ", max_size=30))
def test_letters_alone_need_no_rule(text):
    assert normalize(text) == _respell(text)
