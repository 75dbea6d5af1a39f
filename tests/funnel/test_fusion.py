import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.channels.base import Ranking
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.fusion import fuse

RRF, SCORES = FusionConfig(method="rrf"), FusionConfig(method="scores")


def ranking(scores_by_row):
    ordered = sorted(scores_by_row.items(), key=lambda pair: (-pair[1], pair[0]))
    return Ranking(
        rows=np.array([row for row, _ in ordered], dtype=np.int32),
        scores=np.array([score for _, score in ordered], dtype=np.float32),
    )


def fused_by_hand(lists, weights, k, config):
    total = {}
    for weight, listed in zip(weights, lists, strict=True):
        rows, scores = listed.rows[:k].tolist(), listed.scores[:k].tolist()
        for place, (row, score) in enumerate(zip(rows, scores, strict=True)):
            if config.method == "rrf":
                said = 1 / (config.rrf_k + place + 1)
            elif scores[0] == scores[-1]:
                said = 1.0
            else:
                said = (score - scores[-1]) / (scores[0] - scores[-1])
            total[row] = total.get(row, 0.0) + weight * said
    return total


def behind(lists, weights, k):
    """Items that only channels of weight 0 have among their first `k`."""
    first = [set(listed.rows[:k].tolist()) for listed in lists]
    weighing = set().union(*(rows for rows, weight in zip(first, weights, strict=True) if weight))
    return set().union(*first) - weighing


rankings = st.dictionaries(st.integers(0, 15), st.integers(-4, 4), max_size=10).map(ranking)
searches = st.lists(st.tuples(rankings, rankings, rankings), min_size=1, max_size=5)
some_weights = st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 2.0])] * 3).filter(any)


@settings(max_examples=60)
@given(searches, some_weights, st.integers(1, 12), st.sampled_from([RRF, SCORES]))
def test_fusion_equals_a_sum_per_item(searches, weights, k, config):
    names = ("a", "b", "c")
    given_rankings = dict(zip(names, zip(*searches, strict=True), strict=True))
    given_weights = dict(zip(names, weights, strict=True))
    fused = fuse(given_rankings, k, config=config, weights=given_weights)
    assert len(fused) == len(searches)
    for lists, result in zip(searches, fused, strict=True):
        expected = fused_by_hand(lists, weights, k, config)
        assert len(result.rows) == min(k, len(expected))
        assert result.rows.dtype == np.int32
        assert (np.diff(result.scores) <= 0).all()
        best = sorted(expected.values(), reverse=True)[:k]
        np.testing.assert_allclose(result.scores, best, rtol=1e-5, atol=1e-6)
        filling = [row in behind(lists, weights, k) for row in result.rows.tolist()]
        assert filling == sorted(filling)
        own = [expected[row] for row in result.rows.tolist()]
        np.testing.assert_allclose(result.scores, own, rtol=1e-5, atol=1e-6)


def test_batch_fuses_as_single_searches_do():
    random = np.random.default_rng(0)
    lists = {
        name: [
            ranking({int(r): float(random.normal()) for r in random.choice(80, 20)})
            for _ in range(300)
        ]
        for name in ("a", "b")
    }
    together = fuse(lists, 10, config=SCORES)
    for i, result in enumerate(together):
        (alone,) = fuse({name: [lists[name][i]] for name in lists}, 10, config=SCORES)
        assert result.rows.tolist() == alone.rows.tolist()
        assert result.scores.tolist() == alone.scores.tolist()


def test_ties_stand_in_catalog_order():
    lists = {"a": [ranking({9: 2.0, 4: 1.0})], "b": [ranking({4: 2.0, 9: 1.0})]}
    assert fuse(lists, 2, config=RRF)[0].rows.tolist() == [4, 9]


def test_a_channel_of_weight_zero_only_fills_what_the_others_leave_short():
    """The last item of a list has a scaled score of 0, too, and stands before all that fill."""
    lists = {
        "a": [ranking({8: 2.0, 1: 1.0})],
        "b": [ranking({2: 5.0, 1: 4.0, 7: 3.0})],
        "c": [ranking({7: 9.0, 3: 1.0})],
    }
    weights = {"a": 1.0, "b": 0.0, "c": 0.0}
    (result,) = fuse(lists, 10, config=SCORES, weights=weights)
    # By hand: 2 and 7 are said 1 + 0 and 0 + 1, 3 nothing.
    assert result.rows.tolist() == [8, 1, 2, 7, 3]
    assert result.scores.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    (short,) = fuse(lists, 2, config=SCORES, weights=weights)
    assert short.rows.tolist() == [8, 1]


def test_channels_have_an_equal_number_of_candidates():
    lists = {"a": [ranking({row: -float(row) for row in range(20)})], "b": [ranking({})]}
    (result,) = fuse(lists, 3, config=SCORES)
    assert result.rows.tolist() == [0, 1, 2]
    assert result.scores.tolist() == [1.0, 0.5, 0.0]


def test_no_search_no_fusion():
    assert fuse({"a": [], "b": []}, 10, config=RRF) == []


@pytest.mark.parametrize(
    "weights", [{"a": 1.0}, {"a": 1.0, "b": -0.5}, {"a": 0.0, "b": 0.0}, {"a": 1.0, "c": 1.0}]
)
def test_weights_that_do_not_fit_are_refused(weights):
    lists = {"a": [ranking({1: 1.0})], "b": [ranking({2: 5.0})]}
    with pytest.raises(ValueError, match="do not fit the channels a, b; give each"):
        fuse(lists, 10, config=RRF, weights=weights)


def test_other_searches_are_refused():
    with pytest.raises(ValueError, match=r"same searches, not \{'a': 1, 'b': 0\}"):
        fuse({"a": [ranking({1: 1.0})], "b": []}, 10, config=RRF)
