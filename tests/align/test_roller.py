"""What a step learns from: whose rewards are refused, skipped or drawn again, what is forgotten."""

from dataclasses import replace

import numpy as np
import pytest
from table_policy import PAGES, pages_of, plain_config, random_policy, rare_policy

from genrecall.align.roller import Roller, split
from genrecall.foundation.errors import DataError
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.prompts import Prompt


@pytest.mark.parametrize("name", ["validation", "test", None])
def test_a_reward_that_knows_more_than_the_training_searches_is_refused(name):
    seen = {"impressions": [0], "positives": [0], "bought": [False]}
    planted = pages_of(seen, seen | {"split": name})
    told = rf"^leak: search 1 of those .* is of the split {name!r}; a reward may know training"
    with pytest.raises(DataError, match=told):
        Roller(random_policy(), planted, plain_config())


@pytest.mark.parametrize("distinct", [False, True])
def test_groups_of_a_search_with_filters_hold_what_passes(distinct):
    """So no cluster is held against words whose search's filters kept it from the page."""
    seen = {"impressions": [0, 3], "positives": [3], "bought": [False]}
    bounds = {"filters": '{"price": {"gte": 2, "lt": 5}}'}
    nothing = {"filters": '{"price": {"gt": 99}}'}
    pages = pages_of(seen, seen | bounds, seen | nothing)
    config = plain_config(experts=2, group_size="enlarged", distinct=distinct, searches=300)
    rollout = Roller(random_policy(3), pages, config).roll(np.random.default_rng(0))
    generated = np.where(rollout.groups.generated, rollout.groups.leaves, -1)
    of = np.array([int(prompt.text) for prompt in rollout.prompts])
    drawn = [set(generated[of == search].ravel().tolist()) - {-1} for search in range(3)]
    assert drawn == [set(range(7)), {2, 3, 4}, set()]
    experts = rollout.groups.leaves[rollout.groups.expert]
    assert set(experts.tolist()) == {0, 3}, "what was shown is injected whatever it costs today"


class OddScorer:
    """Rewards SIDs by their number, and answers to searches of the first prompt only."""

    failures = 0

    def __init__(self, *, broken=False):
        self._broken = broken

    def __call__(self, queries, leaves, _):
        rewards = np.where(leaves >= 0, leaves, 0).astype(np.float32)
        silent = np.array([self._broken or query != "0" for query in queries], dtype=bool)
        rewards[silent] = np.nan
        self.failures += int(silent.sum())
        return rewards


@pytest.mark.parametrize("redraw_flat", [False, True])
def test_a_search_without_a_reward_is_left_out_with_its_group(redraw_flat):
    scorer = OddScorer()
    config = plain_config(experts=1, redraw_flat=redraw_flat, group_size="enlarged")
    roller = Roller(random_policy(), PAGES, config, scorer)
    rollout = roller.roll(np.random.default_rng(4))
    groups = rollout.groups
    assert 8 < len(rollout.prompts) == len(groups.leaves) < 24
    assert {prompt.text for prompt in rollout.prompts} == {"0"}
    assert scorer.failures >= 32 - len(rollout.prompts)
    np.testing.assert_array_equal(groups.rewards, np.where(groups.there, groups.leaves, 0))
    of = np.zeros(len(groups.leaves), dtype=np.int64)
    assert groups.outcome.tolist() == PAGES.outcomes.of(of, groups.leaves).tolist()


def test_a_step_without_any_reward_learns_nothing():
    config = plain_config(anchor=0.0)
    roller = Roller(random_policy(), PAGES, config, OddScorer(broken=True))
    rollout = roller.roll(np.random.default_rng(4))
    assert rollout.is_empty
    assert rollout.groups.leaves.shape == (0, 4)
    anchored = plain_config(anchor=0.5, anchor_searches=3)
    rollout = Roller(random_policy(), PAGES, anchored, OddScorer(broken=True)).roll(
        np.random.default_rng(4)
    )
    assert not rollout.is_empty
    assert [len(part.anchors) for part, _, _ in split(rollout, 2)] == [2, 1]


def test_flat_groups_are_drawn_again():
    policy = random_policy()
    settings = {"group": 2, "searches": 64}
    share = {}
    for redraw in (False, True):
        config = AlignConfig(experts=0, redraw_flat=redraw, **settings)
        rollout = Roller(policy, PAGES, config).roll(np.random.default_rng(3))
        leaves = rollout.groups.leaves
        assert leaves.shape == (64, 2)
        of = np.array([int(prompt.text) for prompt in rollout.prompts])
        assert rollout.groups.outcome.tolist() == PAGES.outcomes.of(of, leaves).tolist()
        share[redraw] = (np.ptp(rollout.groups.rewards, axis=1) == 0).mean()
    assert share[False] > 0.2
    assert share[True] < 0.6 * share[False]


def test_a_high_temperature_generates_what_is_rare():
    pages = pages_of({"impressions": [], "positives": [6], "bought": [False]})
    share = {}
    for temperature in (1.0, 1000.0):
        config = plain_config(temperature=temperature)
        rollout = Roller(rare_policy(), pages, config).roll(np.random.default_rng(1))
        share[temperature] = (rollout.groups.leaves == 6).mean()
    assert share[1.0] < 0.05
    assert 0.2 < share[1000.0] < 0.5  # one of three first codes


KNOWN = Prompt("0", profile={"gender": "female"}, history=tuple(range(40)))


def forgetful(**settings):
    """Prompts of the groups and of the anchor, of a search whose shopper is known."""
    pages = pages_of({"impressions": [], "positives": [6], "bought": [False]})
    settings = {"searches": 100, "anchor": 1.0, "anchor_searches": 100} | settings
    config = AlignConfig(group=2, experts=0, **settings)
    roller = Roller(random_policy(), replace(pages, prompts=[KNOWN]), config)
    rollout = roller.roll(np.random.default_rng(2))
    return [*rollout.prompts, *rollout.anchors]


def test_some_prompts_are_anonymous():
    prompts = forgetful(shopper_dropout=0.3, history_dropout=0.0)
    anonymous = [prompt == Prompt("0") for prompt in prompts]
    assert all(
        prompt == KNOWN for prompt, nobody in zip(prompts, anonymous, strict=True) if not nobody
    )
    for part in (anonymous[:100], anonymous[100:]):  # groups and anchor
        assert 0.15 < np.mean(part) < 0.45


def test_some_of_a_history_is_left_out_in_its_order():
    assert all(prompt == KNOWN for prompt in forgetful(shopper_dropout=0.0, history_dropout=0.0))
    prompts = forgetful(shopper_dropout=0.0, history_dropout=0.3)
    assert all(prompt.profile == KNOWN.profile for prompt in prompts)
    assert all(list(prompt.history) == sorted(set(prompt.history)) for prompt in prompts)
    left_out = np.array([1.0 - len(prompt.history) / 40 for prompt in prompts])
    assert 0.25 < left_out.mean() < 0.35
    assert left_out.min() < 0.1 and left_out.max() > 0.5  # of one less, of another more
