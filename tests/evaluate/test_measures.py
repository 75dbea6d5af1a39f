import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import R, Success

from genrecall.evaluate.measures import (
    ABSENT,
    candidates,
    hit,
    only_here,
    recall,
    target_ranks,
)

rows = st.lists(st.integers(0, 20), unique=True, max_size=15)
searches = st.lists(st.tuples(rows, rows.filter(len)), min_size=1, max_size=8)


def as_arrays(lists):
    return [np.array(values, dtype=np.int32) for values in lists]


@given(searches)
def test_recall_and_hit_equal_ir_measures(searches):
    lists, targets = zip(*searches, strict=True)
    ranks = target_ranks(as_arrays(lists), as_arrays(targets))
    run = [
        ir_measures.ScoredDoc(str(search), str(row), -place)
        for search, listed in enumerate(lists)
        for place, row in enumerate(listed)
    ]
    qrels = [
        ir_measures.Qrel(str(search), str(row), 1)
        for search, relevant in enumerate(targets)
        for row in relevant
    ]
    expected = {
        (str(measure), int(metric.query_id)): metric.value
        for measure in (R @ 1, R @ 5, Success @ 5)
        for metric in ir_measures.iter_calc([measure], qrels, run)
    }
    for search in range(len(lists)):
        assert recall(ranks, 1)[search] == pytest.approx(expected["R@1", search])
        assert recall(ranks, 5)[search] == pytest.approx(expected["R@5", search])
        assert hit(ranks, 5)[search] == expected["Success@5", search]


@given(searches, st.integers(1, 20))
def test_ranks_and_recall_equal_plain_python(searches, k):
    lists, targets = zip(*searches, strict=True)
    ranks = target_ranks(as_arrays(lists), as_arrays(targets))
    expected = [
        listed.index(row) if row in listed else ABSENT
        for listed, relevant in searches
        for row in relevant
    ]
    assert ranks.rank.tolist() == expected
    shares = [len(set(listed[:k]) & set(relevant)) / len(relevant) for listed, relevant in searches]
    np.testing.assert_allclose(recall(ranks, k), shares)


def test_search_with_empty_list_scores_zero():
    ranks = target_ranks(as_arrays([[], [4]]), as_arrays([[4], [4]]))
    assert recall(ranks, 10).tolist() == [0.0, 1.0]
    assert hit(ranks, 10).tolist() == [0.0, 1.0]


def test_all_lists_empty():
    ranks = target_ranks(as_arrays([[], []]), as_arrays([[4], [0]]))
    assert recall(ranks, 10).tolist() == [0.0, 0.0]


def test_no_search_at_all():
    assert recall(target_ranks([], []), 10).tolist() == []


def test_many_targets_are_compared_in_parts():
    targets = [np.arange(7000), np.arange(3000)]
    ranks = target_ranks([np.arange(6999, -1, -1), np.array([5])], targets)
    assert ranks.rank[:7000].tolist() == list(range(6999, -1, -1))
    assert ranks.found(1).tolist() == [1, 1]


def test_beams_with_padding_count_two_items_of_one_sid_twice():
    beams = np.array([[3, 8, -1], [2, -1, -1]])
    target_sids = [np.array([3, 3, 5]), np.array([2])]
    ranks = target_ranks(list(beams), target_sids)
    np.testing.assert_allclose(recall(ranks, 3), [2 / 3, 1.0])
    assert ranks.found(3).tolist() == [2, 1]  # micro: 3 of 4 target items


def test_search_without_target_is_refused():
    with pytest.raises(ValueError, match=r"search 1 has no target.*Searches\.of"):
        target_ranks(as_arrays([[1], [2]]), as_arrays([[1], []]))


def test_other_number_of_lists_is_refused():
    with pytest.raises(ValueError, match="1 lists for 2 searches"):
        target_ranks(as_arrays([[1]]), as_arrays([[1], [2]]))


def test_only_here_ignores_what_others_have_beyond_k():
    targets = as_arrays([[1, 2, 3, 4]])
    mine = target_ranks(as_arrays([[1, 2, 3]]), targets)
    other = target_ranks(as_arrays([[1, 9, 2]]), targets)
    assert only_here(mine, [other], 3).tolist() == [0.25]  # 3
    assert only_here(mine, [other], 2).tolist() == [0.25]  # 2, which the other has third
    assert only_here(mine, [], 3).tolist() == [0.75]


def test_only_here_needs_the_same_targets():
    mine = target_ranks(as_arrays([[1]]), as_arrays([[1]]))
    other = target_ranks(as_arrays([[1]]), as_arrays([[1, 2]]))
    with pytest.raises(ValueError, match="different targets"):
        only_here(mine, [other], 3)


@given(
    st.lists(st.lists(st.integers(-1, 5), min_size=4, max_size=4), min_size=1), st.integers(1, 4)
)
def test_candidates_equal_a_set_of_items(beams, width):
    items_of = [set(range(10 * sid, 10 * sid + sid + 1)) for sid in range(6)]
    sizes = np.array([len(items) for items in items_of])
    expected = [
        len(set().union(*(items_of[sid] for sid in row[:width] if sid >= 0))) for row in beams
    ]
    assert candidates(np.array(beams), sizes, width).tolist() == expected
