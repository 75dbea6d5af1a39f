import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.errors import RequestError
from genrecall.index.order import ITEM_ORDERS, Ordered, fold_variants, group_numbers, order_items

numbers = st.integers(-3, 3).map(lambda n: n / 2)
behind = st.lists(st.tuples(numbers, numbers, numbers), max_size=12)


def columns(items):
    values = np.array(items, dtype=np.float64).reshape(-1, 3)
    return values[:, 0], np.abs(values[:, 1]), values[:, 2]


@given(behind, st.permutations(range(12)))
def test_orders_equal_a_sort_by_their_keys(items, permuted):
    logprob, score, similarity = columns(items)
    rows = np.array(permuted[: len(items)], dtype=np.int32)
    keys = {
        "score": lambda i: (-score[i], -logprob[i], rows[i]),
        "beam": lambda i: (-logprob[i], -score[i], rows[i]),
        "dense": lambda i: (-(similarity[i] + 0.5 * logprob[i]), -logprob[i], rows[i]),
        "learned": lambda i: (-similarity[i], -logprob[i], rows[i]),
    }
    for order in ITEM_ORDERS:
        found = order_items(
            order, rows, logprob=logprob, score=score, similarity=similarity, beam_weight=0.5
        )
        expected = sorted(range(len(items)), key=keys[order])
        assert found.rows.tolist() == rows[expected].tolist()
        assert (np.diff(found.scores) <= 0).all()
        assert found.rows.dtype == np.int32
        assert found.scores.dtype == np.float32


def test_unknown_efficiency_counts_as_none():
    rows = np.array([0, 1, 2], dtype=np.int32)
    score = np.array([np.nan, 0.5, 0.0])
    found = order_items("score", rows, logprob=np.zeros(3), score=score)
    assert found.rows.tolist() == [1, 0, 2]
    assert found.scores.tolist() == [0.5, 0.0, 0.0]


@pytest.mark.parametrize("order", ["dense", "learned"])
def test_orders_by_similarity_need_it(order):
    rows = np.array([0], dtype=np.int32)
    with pytest.raises(RequestError, match=f"'{order}' needs the similarity"):
        order_items(order, rows, logprob=np.zeros(1), score=np.zeros(1))


def test_unknown_order_is_refused():
    rows = np.array([0], dtype=np.int32)
    with pytest.raises(RequestError, match=r"unknown item order 'bean'.*Did you mean 'beam'"):
        order_items("bean", rows, logprob=np.zeros(1), score=np.zeros(1))


@given(st.lists(st.none() | st.sampled_from("abc"), min_size=1), st.randoms())
def test_the_best_variant_of_each_group_is_kept(group_ids, random):
    rows = list(range(len(group_ids)))
    random.shuffle(rows)
    rows = rows[: random.randint(0, len(rows))]
    scores = np.arange(len(rows), 0, -1, dtype=np.float32)
    groups = group_numbers(pl.Series("group_id", group_ids, dtype=pl.String))
    folded = fold_variants(Ordered(np.array(rows, dtype=np.int32), scores), groups)

    seen, expected = set(), []
    for row in rows:
        if group_ids[row] is None or group_ids[row] not in seen:
            expected.append(row)
        seen.add(group_ids[row])
    assert folded.rows.tolist() == expected
    assert folded.scores.tolist() == [scores[rows.index(row)] for row in expected]


@pytest.mark.parametrize("same", [np.inf, -np.inf, np.nan])
def test_ties_of_what_is_no_usual_number_are_broken_too(same):
    rows, logprob = np.array([9, 3, 7, 1], dtype=np.int32), np.array([0.0, 1.0, 2.0, 2.0])
    similarity = np.array([same, same, 5.0, same])
    order = order_items("learned", rows, logprob=logprob, score=logprob, similarity=similarity)
    tied = [row for row in order.rows.tolist() if row != 7]
    assert tied == [1, 3, 9]
