"""What intervals are over, and which searches are frequent: by the words that models read."""

import polars as pl
import pytest

from genrecall.data.shop_data import ShopData
from genrecall.data.tables import ITEMS, SEARCHES, Catalog, Searches
from genrecall.evaluate.bootstrap import Units
from genrecall.offline.slices import bootstrap_units, query_slices
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
