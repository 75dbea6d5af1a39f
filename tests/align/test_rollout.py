"""Groups of generated SIDs and experts, by hand and by what must hold of all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import searches_of

from genrecall.align.rewards import Outcome, outcomes_of
from genrecall.align.rollout import form_groups
from genrecall.generator.align_config import AlignConfig

N = 12  # items, each of its own SID
PAGES = [
    {"impressions": [1, 2, 3, 4], "positives": [3], "bought": [False]},
    {"impressions": [], "positives": [], "bought": []},
    {"impressions": [5, 6], "positives": [], "bought": []},
    {"impressions": [1, 7], "positives": [7, 8], "bought": [True, False]},
]
OUTCOMES = outcomes_of(searches_of(PAGES).frame, np.arange(N))


def form(generated, search=0, seed=0, **settings):
    """A group of one search."""
    config = AlignConfig(**{"group": len(generated), "experts": 2} | settings)
    rng = np.random.default_rng(seed)
    return form_groups(np.array([generated]), np.array([search]), OUTCOMES, config, rng)


def split(groups, row=0):
    """Generated members and experts, without empty places."""
    leaves, expert, there = groups.leaves[row], groups.expert[row], groups.there[row]
    return leaves[there & ~expert].tolist(), leaves[expert].tolist()


def test_experts_take_the_places_of_what_was_generated_last():
    groups = form([9, 10, 11, 9], search=3)
    assert split(groups) == ([9, 10], [7, 8])
    assert groups.rewards[groups.there].tolist() == pytest.approx([0.1, 0.1, 1.0, 1.0])
    assert groups.outcome[groups.there].tolist() == [1, 1, Outcome.BOUGHT, Outcome.CLICKED]
    assert (groups.leaves[~groups.there] == -1).all()


def test_in_an_enlarged_group_they_stand_beside_it():
    groups = form([9, 10, 11, 9], search=3, group_size="enlarged")
    assert split(groups) == ([9, 10, 11, 9], [7, 8])


def test_a_generated_sid_may_stand_there_twice():
    assert split(form([9, 9, 9, 9], search=3)) == ([9, 9], [7, 8])


@pytest.mark.parametrize(
    ("generated", "kept", "experts"),
    [
        ([7, 9, 10, 11], [7, 9, 10], [8]),  # 7 stays, so only 8 takes a place
        ([7, 8, 10, 11], [7, 8, 10, 11], []),
        ([9, 10, 7, 11], [9, 10], [7, 8]),  # 7 had to go, and comes back as an expert
        ([7, 9, 8, 10], [7, 9, 8], []),  # 8 keeps its place, the last has given its own
        ([9, 10, 11, 7], [9, 10], [7, 8]),
    ],
)
def test_an_expert_that_was_generated_is_not_injected_as_well(generated, kept, experts):
    groups = form(generated, search=3)
    assert split(groups) == (kept, experts)
    beside = form(generated, search=3, group_size="enlarged")
    assert split(beside) == (generated, [leaf for leaf in (7, 8) if leaf not in generated])


def test_without_experts_groups_are_as_generated():
    groups = form([3, 9, 9, 2], experts=0)
    assert groups.leaves.tolist() == [[3, 9, 9, 2]]
    assert not groups.expert.any()
    assert groups.rewards.tolist() == [pytest.approx([1.0, 0.1, 0.1, 0.5])]


def test_a_search_of_which_nothing_is_known_has_no_expert():
    groups = form([3, 9, 10, 2], search=1)
    assert split(groups) == ([3, 9, 10, 2], [])
    assert groups.rewards[groups.there].tolist() == pytest.approx([0.1] * 4)
    assert groups.hit.tolist() == [False]


def test_fewer_experts_than_asked_for_take_fewer_places():
    groups = form([9, 10, 11, 9, 10, 11], search=2, experts=5)
    generated, experts = split(groups)
    assert generated == [9, 10, 11, 9]
    assert sorted(experts) == [5, 6]


@pytest.mark.parametrize(
    ("search", "generated", "hit"),
    [
        (0, [1, 9, 9, 9], False),  # only shown, though another was clicked
        (0, [9, 3, 9, 9], True),
        (2, [9, 9, 9, 5], True),  # nothing was chosen: shown is enough
        (2, [9, 9, 9, 1], False),
        (3, [8, 9, 9, 9], True),  # clicked, though another was bought
        (1, [5, 6, 9, 9], False),
    ],
)
def test_a_hit_is_what_was_chosen_or_else_shown(search, generated, hit):
    assert form(generated, search).hit.tolist() == [hit]
    gated = form(generated, search, inject="when_no_hit")
    assert gated.hit.tolist() == [hit]
    if hit:
        assert split(gated) == (generated, [])
    else:
        same = form(generated, search)
        assert gated.leaves.tolist() == same.leaves.tolist()


def test_fewer_generated_than_places_leave_room_for_experts():
    # Drawn without replacement from few SIDs: nobody has to go.
    assert split(form([9, 10, -1, -1], search=3)) == ([9, 10], [7, 8])
    assert split(form([9, 10, 11, -1], search=3)) == ([9, 10], [7, 8])
    assert split(form([7, -1, -1, -1], search=3)) == ([7], [8])


def test_no_generated_sid_at_all():
    groups = form_groups(
        np.empty((2, 0), np.int64),
        np.array([0, 3]),
        OUTCOMES,
        AlignConfig(group=4, experts=2, group_size="enlarged"),
        np.random.default_rng(0),
    )
    assert split(groups, 1) == ([], [7, 8])
    assert not groups.hit.any()


generated = st.lists(st.integers(-1, N - 1), min_size=4, max_size=4).map(
    lambda leaves: sorted(leaves, key=lambda leaf: leaf < 0)
)


@given(
    st.lists(st.tuples(st.integers(0, 3), generated), min_size=1, max_size=5),
    st.integers(0, 3),
    st.sampled_from(["fixed", "enlarged"]),
    st.sampled_from(["always", "when_no_hit"]),
    st.integers(0, 9),
)
def test_what_holds_of_all_groups(batch, count, group_size, inject, seed):
    searches = np.array([search for search, _ in batch])
    leaves = np.array([row for _, row in batch])
    config = AlignConfig(group=4, experts=count, group_size=group_size, inject=inject)
    before = leaves.copy()
    rng = np.random.default_rng(seed)
    groups = form_groups(leaves, searches, OUTCOMES, config, rng)
    assert leaves.tolist() == before.tolist()
    assert groups.leaves.shape == groups.expert.shape == groups.rewards.shape
    outcome = OUTCOMES.of(searches, groups.leaves)
    assert groups.outcome.tolist() == outcome.tolist()
    for row, (_, drawn) in enumerate(batch):
        drawn = [leaf for leaf in drawn if leaf >= 0]
        kept, experts = split(groups, row)
        assert kept == drawn[: len(kept)]
        assert not set(kept) & set(experts)
        assert len(set(experts)) == len(experts) <= count
        assert (outcome[row][groups.expert[row]] >= Outcome.EXPOSED).all()
        if group_size == "enlarged":
            assert kept == drawn
        else:
            assert len(kept) + len(experts) <= max(4, len(drawn))
        if inject == "when_no_hit" and groups.hit[row]:
            assert (kept, experts) == (drawn, [])


def test_a_group_needs_a_generated_sid():
    with pytest.raises(ValueError, match="experts 4 leave no place for a generated SID"):
        AlignConfig(group=4, experts=4)
    assert AlignConfig(group=4, experts=4, group_size="enlarged").batch == 128 * 4
