"""What became of SIDs, rewards and experts, by hand and against a plain dict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import searches_of

from genrecall.align.rewards import Outcome, draw_experts, ladder, outcomes_of
from genrecall.generator.align_config import RewardConfig

SID_OF_ITEM = np.array([0, 0, 1, 2, 3, 3, 4])
INVALID, VALID, EXPOSED, CLICKED, BOUGHT = Outcome


def page(shown=(), clicked=(), bought=()):
    return {
        "impressions": list(shown),
        "positives": [*clicked, *bought],
        "bought": [False] * len(clicked) + [True] * len(bought),
    }


def outcomes(*pages, sid_of_item=SID_OF_ITEM):
    return outcomes_of(searches_of(list(pages)).frame, sid_of_item)


PAGES = (
    page(shown=[0, 2, 3, 4], clicked=[3]),  # SIDs 0, 1, 2, 3; clicked 2
    page(),
    page(shown=[1, 4, 5], clicked=[4], bought=[5]),  # 0, 3, 3; 3 is bought
    page(shown=[6, 6, 1, 0]),
    page(clicked=[2], bought=[6]),  # nothing told of what was shown
)


def test_the_best_that_became_of_a_sid_counts():
    found = outcomes(*PAGES)
    assert len(found) == 5
    assert found.n_sids == 5
    assert found.offsets.tolist() == [0, 4, 4, 6, 8, 10]
    assert found.leaves.tolist() == [0, 1, 2, 3, 0, 3, 0, 4, 1, 4]
    assert found.outcome.tolist() == [2, 2, 3, 2, 2, 4, 2, 2, 3, 4]
    assert (found.leaves.dtype, found.outcome.dtype) == (np.int64, np.int8)


def test_what_is_asked_for_is_looked_up_in_its_search():
    found = outcomes(*PAGES).of(
        np.array([2, 0, 1, 4, 2]),
        np.array([[3, 0, 1, -1], [2, 0, 4, 5], [0, 3, -1, 99], [1, 4, 0, 2], [0, -5, 3, 3]]),
    )
    assert found.dtype == np.int8
    assert found.tolist() == [
        [BOUGHT, EXPOSED, VALID, INVALID],
        [CLICKED, EXPOSED, VALID, INVALID],
        [VALID, VALID, INVALID, INVALID],
        [CLICKED, BOUGHT, VALID, VALID],
        [EXPOSED, INVALID, BOUGHT, BOUGHT],
    ]


def test_no_sid_of_a_neighbour_is_found():
    # -1 of a search and `S` of the one before have the keys of SIDs that are there.
    found = outcomes(page(shown=[6]), page(shown=[0]))
    assert found.of(np.array([1, 0]), np.array([[-1, 0], [5, 4]])).tolist() == [
        [INVALID, EXPOSED],
        [INVALID, EXPOSED],
    ]


@pytest.mark.parametrize("pages", [(), (page(), page())])
def test_a_log_without_anything_shown_has_valid_sids_only(pages):
    found = outcomes(*pages)
    assert len(found) == len(pages)
    searches = np.arange(len(pages))
    asked = np.tile([0, 4, -1, 5], (len(pages), 1))
    assert found.of(searches, asked).tolist() == [[VALID, VALID, INVALID, INVALID]] * len(pages)
    experts = draw_experts(found, searches, 2, np.random.default_rng(0))
    assert experts.tolist() == [[-1, -1]] * len(pages)


rows = st.lists(st.integers(0, 11), max_size=6)
pages = st.builds(page, rows, rows, rows)
logs = st.lists(pages, min_size=1, max_size=5)
sid_tables = st.lists(st.integers(0, 6), min_size=12, max_size=12)


def plain(one, sid_of_item):
    """The best of each SID, in plain Python."""
    found = {}
    kinds = [CLICKED + was_bought for was_bought in one["bought"]]
    told = [*((row, EXPOSED) for row in one["impressions"])]
    for row, kind in [*told, *zip(one["positives"], kinds, strict=True)]:
        sid = sid_of_item[row]
        found[sid] = max(found.get(sid, VALID), kind)
    return found


@given(logs, sid_tables, st.data())
def test_outcomes_equal_a_plain_dict(log, sid_of_item, data):
    found = outcomes(*log, sid_of_item=np.array(sid_of_item))
    n_sids = max(sid_of_item) + 1
    one = st.lists(st.integers(-2, n_sids + 1), min_size=3, max_size=3)
    searches = data.draw(st.lists(st.integers(0, len(log) - 1), min_size=1, max_size=4))
    leaves = [data.draw(one) for _ in searches]
    expected = [
        [
            plain(log[search], sid_of_item).get(leaf, VALID) if 0 <= leaf < n_sids else INVALID
            for leaf in row
        ]
        for search, row in zip(searches, leaves, strict=True)
    ]
    assert found.of(np.array(searches), np.array(leaves)).tolist() == expected


def test_each_outcome_has_its_step_of_the_ladder():
    every = np.array([[0, 1, 2], [3, 4, 1]], dtype=np.int8)
    found = ladder(every, RewardConfig())
    np.testing.assert_array_equal(found, np.float32([[0.0, 0.1, 0.5], [1.0, 1.0, 0.1]]))
    assert found.dtype == np.float32
    steps = {"invalid": -1.0, "valid": 0.2, "exposed": 0.3, "clicked": 0.4, "bought": 2.0}
    own = ladder(np.arange(5, dtype=np.int8), RewardConfig(**steps))
    np.testing.assert_array_equal(own, np.float32(list(steps.values())))


def test_a_purchase_is_worth_its_price_in_mean_prices_of_purchases():
    prices = np.array([10.0, 30.0, 99.0, np.nan, 50.0, 20.0, 99.0])
    pages = [page([0, 1, 2], [2], [0, 1]), page([3, 6], bought=[3]), page(bought=[4, 5])]
    frame = searches_of(pages).frame
    found = outcomes_of(frame, SID_OF_ITEM, prices)
    asked = np.arange(3), np.array([[0, 1, 2], [2, 4, -1], [3, 0, 9]])
    # 10, 30, 50 and 20 were paid, 27.5 on average; of two items of a SID the dearer counts.
    worth = found.worth_of(*asked)
    np.testing.assert_allclose(worth, [[30 / 27.5, 1, 1], [1, 1, 1], [50 / 27.5, 1, 1]], rtol=1e-6)
    plain = outcomes_of(frame, SID_OF_ITEM)
    assert plain.worth_of(*asked).tolist() == [[1.0] * 3] * 3
    assert plain.of(*asked).tolist() == found.of(*asked).tolist()
    half = ladder(found.of(*asked), RewardConfig(bought=2.0, gmv=0.5), worth)
    expected = [1.0 + 30 / 27.5, 1.0, 0.1], [2.0, 0.5, 0.0], [1.0 + 50 / 27.5, 0.1, 0.0]
    np.testing.assert_allclose(half, expected, rtol=1e-6)


EVERY_SID = np.arange(12)


def draw(one, count, seed=0, **options):
    found = outcomes(page(), one, page(shown=[9]), sid_of_item=EVERY_SID)
    rng = np.random.default_rng(seed)
    experts = draw_experts(found, np.array([1]), count, rng, **options)
    assert experts.shape == (1, count)
    assert experts.dtype == np.int64
    return experts[0].tolist()


MIXED = page(shown=[0, 1, 2, 3, 4, 5, 6], clicked=[3, 4], bought=[6])


@pytest.mark.parametrize("seed", range(5))
def test_what_was_bought_comes_before_what_was_clicked_and_what_was_shown(seed):
    experts = draw(MIXED, 9, seed)
    assert experts[0] == 6
    assert set(experts[1:3]) == {3, 4}
    assert set(experts[3:7]) == {0, 1, 2, 5}
    assert experts[7:] == [-1, -1]


def test_chance_decides_among_those_of_a_kind():
    assert {draw(MIXED, 2, seed)[1] for seed in range(30)} == {3, 4}
    assert {draw(page(shown=[2, 5, 8]), 1, seed)[0] for seed in range(40)} == {2, 5, 8}


@pytest.mark.parametrize(
    ("least", "expected"),
    [(VALID, {6, 3, 4, 0, 1, 2, 5}), (EXPOSED, {6, 3, 4, 0, 1, 2, 5}), (CLICKED, {6, 3, 4})],
)
def test_experts_are_at_least_what_they_must_be(least, expected):
    experts = draw(MIXED, 8, least=least)
    assert set(experts) - {-1} == expected
    assert experts == sorted(experts, key=lambda leaf: leaf < 0)  # -1 stands last
    assert draw(MIXED, 2, least=BOUGHT) == [6, -1]
    assert draw(page(shown=[1]), 2, least=CLICKED) == [-1, -1]


def test_no_expert_is_asked_for():
    assert draw(MIXED, 0) == []


def test_two_items_of_a_sid_are_one_expert():
    found = outcomes(page(shown=[0, 1, 4, 5], bought=[5]))
    experts = draw_experts(found, np.array([0]), 4, np.random.default_rng(0))
    assert experts.tolist() == [[3, 0, -1, -1]]


@given(logs, sid_tables, st.integers(0, 5), st.sampled_from(list(Outcome)), st.integers(0, 9))
def test_experts_are_the_best_of_each_search(log, sid_of_item, count, least, seed):
    found = outcomes(*log, sid_of_item=np.array(sid_of_item))
    searches = np.array([*range(len(log)), 0, 0])  # one may be asked for several times
    rng = np.random.default_rng(seed)
    experts = draw_experts(found, searches, count, rng, least=least)
    for search, row in zip(searches.tolist(), experts.tolist(), strict=True):
        known = plain(log[search], sid_of_item)
        kinds = sorted((kind for kind in known.values() if kind >= least), reverse=True)
        drawn = [leaf for leaf in row if leaf >= 0]
        assert row == drawn + [-1] * (count - len(drawn))
        assert len(set(drawn)) == len(drawn)
        assert [known[leaf] for leaf in drawn] == kinds[:count]
