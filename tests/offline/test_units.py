"""What intervals are over, and which searches are frequent: by the words that models read."""

import numpy as np
import polars as pl
import pytest

from genrecall.channels.base import Ranking
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import ITEMS, SEARCHES, Catalog, Searches
from genrecall.evaluate.bootstrap import Units
from genrecall.offline.slices import bootstrap_units, hard_slices, query_slices
from genrecall.queries.reader import QueryReader
from genrecall.queries.synonyms import Synonyms
from genrecall.text.normalize import query_keys


def shop(rows, **changes):
    """Searches `(query, user, split)` of a shop without items."""
    blank = dict.fromkeys(SEARCHES) | {"positives": [0], "gains": [1.0], "impressions": []}
    searches = [blank | dict(zip(("query", "user_id", "split"), row, strict=True)) for row in rows]
    frame = pl.DataFrame(searches, schema=SEARCHES)
    return ShopData(Catalog(pl.DataFrame(schema=ITEMS)), Searches(frame), **changes)


LOG = [
    ("Drill bits", "ann", "train"),
    ("drill bit", "ben", "train"),
    ("saw", "cy", "train"),
    ("drill-bit", "ann", "validation"),
    ("DRILL BITS", "cy", "validation"),
    ("saws", "ann", "validation"),
]


@pytest.mark.parametrize("extra", [[], [("never seen", "ann", "validation")]])
def test_units_are_queries_whatever_training_knows(extra):
    """One unseen query once turned the units from shoppers to queries."""
    data = shop([*LOG, *extra])
    units = bootstrap_units(data, data.searches.of("validation"))
    assert units.what == "queries"
    assert units.of[:3] == ["drill bit", "drill bit", "saw"]


def test_category_path_queries_are_drawn_by_shopper():
    data = shop(LOG, category_paths=True)
    units = bootstrap_units(data, data.searches.of("validation"))
    assert units == Units("shoppers", ["ann", "cy", "ann"])


def test_a_twin_of_a_training_query_is_not_unseen():
    data = shop(LOG)
    measured = data.searches.of("validation")
    slices = query_slices(query_keys(measured.queries), data.searches)
    assert slices["head"].tolist() == [True, True, False]
    assert not slices["unseen"].any()


def answers(*rows):
    scores = np.ones(2, dtype=np.float32)
    return [Ranking(np.array(found, dtype=np.int32), scores[: len(found)]) for found in rows]


def test_hard_searches_are_those_read_otherwise_and_those_bm25_misses():
    measured = shop(LOG).searches.of("validation")
    reader = QueryReader(synonyms=Synonyms.read(["saw, jigsaw"], name="mine", stemmer="plural"))
    found = hard_slices(measured, reader, answers([1, 0], [], [3, 4]))
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "corrected": [False, False, True],
        "missed_by_bm25": [False, True, True],
    }


def test_a_slice_of_all_or_no_searches_is_none():
    measured = shop(LOG).searches.of("validation")
    assert not hard_slices(measured, QueryReader(), answers([0], [0], [0, 2]))
    assert not hard_slices(measured, QueryReader(), answers([1], [], [4]))
