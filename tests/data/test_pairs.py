import tracemalloc

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def pairs_one_by_one(searches):
    """The oracle: dictionaries that remember what came first, gains added one after another."""
    position, gains, counts = {}, {}, {}
    for query, rows, row_gains in zip(
        searches.queries, searches.positives, searches.gains, strict=True
    ):
        number = position.setdefault(query, len(position))
        counts[number] = counts.get(number, 0) + 1
        for row, gain in zip(rows.tolist(), row_gains.tolist(), strict=True):
            gains[number, row] = gains.get((number, row), 0.0) + gain
    weights = [gain / np.sqrt(float(counts[query])) for (query, _), gain in gains.items()]
    return list(position), list(gains), weights


good = st.tuples(st.integers(0, 5), st.floats(0, 1e6, width=32))
rows = st.lists(
    st.tuples(st.sampled_from(["drill", "saw", "Säge", ""]), st.lists(good, max_size=4)),
    max_size=30,
)


@given(rows, st.sampled_from([1, 5, 1 << 18]))
def test_pairs_equal_those_collected_one_by_one(rows, at_once):
    asked = searches(
        *((query, [row for row, _ in good], [gain for _, gain in good]) for query, good in rows)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrecall.data.pairs._AT_ONCE", at_once)
        queries, pairs = logged_pairs(asked)
    expected_queries, expected_pairs, expected_weights = pairs_one_by_one(asked)
    assert queries == expected_queries
    assert list(zip(pairs.query.tolist(), pairs.item.tolist(), strict=True)) == expected_pairs
    assert pairs.weight.tolist() == expected_weights  # to the last bit
    assert [part.dtype for part in pairs] == [np.int64, np.int64, np.float64]


def test_many_searches_of_one_query_add_up_in_their_order():
    random = np.random.default_rng(0)
    many = searches(
        *(("drill", [0, 1], random.random(2, dtype=np.float32).tolist()) for _ in range(5000))
    )
    assert logged_pairs(many)[1].weight.tolist() == pairs_one_by_one(many)[2]


def test_beside_the_pairs_there_is_room_for_few_numbers_of_each(monkeypatch):
    monkeypatch.setattr("genrecall.data.pairs._AT_ONCE", 1000)
    random, per_search = np.random.default_rng(0), 20
    items = random.integers(0, 500, size=(10_000, per_search)).tolist()
    gains = random.random((10_000, per_search), dtype=np.float32).tolist()
    queries = [f"query {number}" for number in random.integers(0, 5000, 10_000).tolist()]
    many = searches(*zip(queries, items, gains, strict=True))
    logged_pairs(many)  # what is imported late counts no more
    tracemalloc.start()
    _, pairs = logged_pairs(many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    of_pairs = sum(part.nbytes for part in pairs)
    assert of_pairs > 4e6
    assert peak < 2.5 * of_pairs
