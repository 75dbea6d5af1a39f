"""Texts of items beside their titles: read, found by, and counted as training searches say."""

import numpy as np
import polars as pl
import pytest

from genrecall.channels.config import LexicalConfig
from genrecall.channels.lexical import LexicalChannel
from genrecall.data.tables import ITEMS, SEARCHES, Catalog, Searches
from genrecall.data.texts import TEXT_FIELDS, field_texts
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.index.live import LiveItems
from genrecall.queries.field_words import FieldWords
from genrecall.queries.spelling import Speller
from genrecall.queries.training.field_weights import USUAL, _Finder, fit_field_weights
from genrecall.queries.vocabulary import Vocabulary

ROWS = [
    {"title": "Cordless drill", "brand": "Acme", "description": "Drives screws into wood"},
    {"title": "Hammer", "brand": "Bolt", "description": "For nails"},
    {"title": "Screw box", "attributes": [{"key": "color", "value": ["red", "blue"]}]},
    {"title": "Wood glue", "brand": "Acme"},
]


@pytest.fixture(scope="module")
def frame():
    rows = [{"item_id": str(n)} | row for n, row in enumerate(ROWS)]
    return pl.DataFrame([dict.fromkeys(ITEMS) | row for row in rows], schema=ITEMS)


def test_texts_of_fields(frame):
    assert field_texts(frame, "attributes") == ["", "", "red blue", ""]
    assert field_texts(frame, "brand") == ["Acme", "Bolt", "", "Acme"]
    assert [field_texts(frame, name)[0] for name in TEXT_FIELDS] == [
        "Cordless drill",
        "Acme",
        "",
        "Drives screws into wood",
    ]


def lexical(frame, weights):
    table = SidTable(SidSpace((1, 1, 1)), np.zeros((len(frame), 3), dtype=np.int32))
    items = LiveItems(Catalog(frame), table, np.zeros((len(frame), 2), dtype=np.float32))
    return LexicalChannel(items, LexicalConfig(), weights=weights)


def found(frame, query, weights=None):
    return [hit.item_id for hit in lexical(frame, weights).recall(query, k=4)]


def test_bm25_finds_by_the_fields_that_count(frame):
    assert found(frame, "acme") == []
    assert found(frame, "acme", {"title": 1.0, "brand": 0.5}) == ["0", "3"]
    assert found(frame, "red acme", {"title": 1.0, "attributes": 0.1}) == ["2"]
    # Wood stands in a title and in a description.
    assert found(frame, "wood", {"title": 1.0, "description": 0.2}) == ["3", "0"]
    assert found(frame, "wood", {"title": 1.0, "description": 5.0}) == ["0", "3"]


def test_scores_of_fields_add_up(frame):
    scores = []
    for weights in ({"title": 1.0}, {"description": 1.0}, {"title": 1.0, "description": 0.3}):
        hits = lexical(frame, weights).recall("wood screw", k=4)
        scores.append({hit.item_id: hit.score for hit in hits})
    title, description, both = scores
    for item, score in both.items():
        expected = title.get(item, 0) + 0.3 * description.get(item, 0)
        assert score == pytest.approx(expected, rel=1e-5)


def words_of(texts):
    every = [text for of in texts.values() for text in of]
    vocabulary = Vocabulary.learn(texts["title"], [], every, stemmer="plural")
    return {name: FieldWords.of(of, vocabulary) for name, of in texts.items()}


def searches(asked):
    rows = [
        dict.fromkeys(SEARCHES)
        | {"query": query, "positives": [row], "gains": [1.0], "impressions": [], "split": "train"}
        for query, row in asked
    ]
    return Searches(pl.DataFrame(rows, schema=SEARCHES))


KINDS = [f"kind{n}" for n in range(40)]
BRANDS = [f"brand{n % 7}" for n in range(40)]


def test_a_field_counts_as_much_as_it_tells():
    """Queries name the brand, which no title has; the description holds words of other items."""
    random = np.random.default_rng(0)
    titles = [f"tool {kind}" for kind in KINDS]
    misleading = [f"{KINDS[n]} {KINDS[m]}" for n, m in random.integers(40, size=(40, 2))]
    fields = words_of({"title": titles, "brand": BRANDS, "description": misleading})
    asked = [(f"{BRANDS[row]} tool", row) for row in random.integers(40, size=150)]
    asked += [(KINDS[row], row) for row in random.integers(40, size=150)]
    weights = fit_field_weights(fields, searches(asked))
    assert sum(weights.values()) == pytest.approx(USUAL["title"] + USUAL["brand"] + 0.1, abs=0.05)
    assert weights["brand"] > 0.4 * weights["title"]
    assert weights["description"] == 0.05  # what no title has is found all the same
    assert next(iter(weights)) == "title"


def test_usual_weights_where_nothing_is_known():
    fields = words_of({"title": ["saw", "drill"], "brand": ["acme", ""]})
    assert fit_field_weights(fields, searches([])) == {"title": 1.0, "brand": USUAL["brand"]}
    assert fit_field_weights(fields, searches([("nothing", 1)])) == {
        "title": 1.0,
        "brand": USUAL["brand"],
    }
    alone = words_of({"title": ["saw", "drill"]})
    assert fit_field_weights(alone, searches([("saw", 0)])) == {"title": 1.0}


def test_a_word_of_texts_alone_stays_unless_a_slip_is_likelier():
    """Descriptions have slips, too, and the same ones in every variant."""
    for titles, texts, read in (
        (["Soda bottle"] * 20, ["a sofa cover", "on a sofa", "sofa bed"], "sofa"),
        (["Soda bottle"] * 2000, ["a sofa cover"], "soda"),
        (["Soda bottle"] * 20, [], "soda"),
    ):
        vocabulary = Vocabulary.learn(titles, [], texts, stemmer="plural")
        assert Speller(vocabulary).correct("sofa")[0] == read
    grown = Vocabulary.learn(["Soda bottle"] * 20, [], [], stemmer="plural")
    grown = grown.with_items([], ["sofa bed", "sofa", "a sofa"])
    assert Speller(grown).correct("sofa")[0] == "sofa"
    assert grown.pair("sofa", "bed") == 0


def test_the_best_items_compete_where_many_say_as_much():
    titles = ["Acme saw"] * 300 + ["Other drill"] * 300 + ["Acme drill"] * 5
    finder = _Finder(words_of({"title": titles})["title"])
    assert set(range(600, 605)) <= set(finder.first("acme drill").tolist())
    assert len(finder.first("acme drill")) == 200


def test_a_title_that_tells_nothing_blows_no_weight_up():
    titles = [f"misleading {KINDS[(n + 7) % 40]}" for n in range(40)]
    fields = words_of({"title": titles, "brand": KINDS})
    asked = [(KINDS[row], row) for row in range(40)] * 3
    weights = fit_field_weights(fields, searches(asked))
    assert weights["brand"] > weights["title"] >= 0.05
    assert sum(weights.values()) == pytest.approx(1.3, abs=0.06)
