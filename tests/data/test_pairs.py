import polars as pl
import pytest

from genrecall.data.pairs import logged_pairs
from genrecall.data.tables import SEARCHES, Searches


def searches(*rows):
    """Searches from `(query, positives, gains)`."""
    frame = pl.DataFrame(
        [
            dict.fromkeys(SEARCHES)
            | {"search_id": str(i), "query": query, "positives": positives, "gains": gains}
            for i, (query, positives, gains) in enumerate(rows)
        ],
        schema=SEARCHES,
    )
    return Searches(frame)


def test_a_pair_weighs_its_gains_over_the_root_of_the_searches():
    queries, pairs = logged_pairs(
        searches(
            ("drill", [5, 7], [1.0, 2.0]),
            ("saw", [7], [1.0]),
            ("drill", [7], [3.0]),
        )
    )
    assert queries == ["drill", "saw"]
    found = dict(
        zip(zip(pairs.query.tolist(), pairs.item.tolist(), strict=True), pairs.weight, strict=True)
    )
    assert found == pytest.approx({(0, 5): 1 / 2**0.5, (0, 7): 5 / 2**0.5, (1, 7): 1.0})


def test_a_shop_without_searches_has_no_pair():
    queries, pairs = logged_pairs(searches())
    assert queries == []
    assert [len(part) for part in pairs] == [0, 0, 0]
