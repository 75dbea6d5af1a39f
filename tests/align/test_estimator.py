"""Gradients of steps against closed forms, and whether steps learn: a policy that is a table."""

import numpy as np
import pytest
import torch
from tables import searches_of
from torch import nn

from genrecall.align.pages import Pages
from genrecall.align.rewards import ladder
from genrecall.align.roller import Roller, split
from genrecall.align.step import step_loss
from genrecall.foundation.errors import DataError
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Reading
from genrecall.generator.prompts import Prompt

SPACE = SidSpace((3, 2, 3))
SIDS = [(0, 0, 0), (0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 2), (2, 0, 1)]
TRIE = Trie(SPACE, SidTable(SPACE, np.array(SIDS, dtype=np.int32)).packed)
EMPTY = -60.0  # logit of a code that continues no SID, as in the family `compact`


class TablePolicy(nn.Module):
    """Logits of each prompt and prefix, of which only those of existing SIDs count."""

    def __init__(self, tables, trie=TRIE):
        super().__init__()
        self.tables = nn.ParameterList([torch.tensor(table) for table in tables])
        self.there = []
        for level in range(3):
            there = torch.zeros(trie.space.sizes[: level + 1], dtype=torch.bool)
            there[tuple(torch.from_numpy(trie.sids[:, : level + 1].astype(np.int64)).T)] = True
            self.there.append(there)

    def begin(self, prompts):
        state = torch.tensor([int(prompt.text) for prompt in prompts], dtype=torch.long)[:, None]
        return state, self._logprobs(state)

    def append(self, state, rows, codes):
        grown = torch.cat([state[rows], codes[:, None]], dim=1)
        return grown, self._logprobs(grown)

    @torch.no_grad()
    def read(self, prompts):
        state, step = self.begin(prompts)
        return Reading(prompts, np.zeros((len(prompts), 1), np.float32), state, step)

    @torch.no_grad()
    def advance(self, state, rows, codes):
        return self.append(state, rows, codes)

    def _logprobs(self, state):
        level = state.shape[1] - 1
        logits = self.tables[level][tuple(state.T)]
        there = self.there[level][tuple(state.T[1:])]
        return torch.where(there, logits, EMPTY).log_softmax(dim=-1)

    def every(self, prompt):
        """Log-probabilities of all SIDs, with gradient: `[S]`."""
        state, first = self.begin([Prompt(str(prompt))] * len(SIDS))
        codes = torch.tensor(SIDS)
        state, second = self.append(state, torch.arange(len(SIDS)), codes[:, 0])
        _, third = self.append(state, torch.arange(len(SIDS)), codes[:, 1])
        of_level = zip((first, second, third), codes.T, strict=True)
        return sum(step.gather(1, code[:, None])[:, 0] for step, code in of_level)


def random_policy(prompts=2, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(prompts, *SPACE.sizes[: level + 1]) for level in range(3)]
    return TablePolicy([rng.normal(0, 0.7, shape).astype(np.float32) for shape in shapes])


def pages_of(*searches):
    """Pages of catalogs with one item a SID; the prompt is the number of the search."""
    prompts = [Prompt(str(number)) for number in range(len(searches))]
    rows = [{"split": "train"} | search for search in searches]
    return Pages(prompts, searches_of(rows), np.arange(len(SIDS)))


PAGES = pages_of(
    {"impressions": [0, 3, 5], "positives": [3], "bought": [False]},
    {"impressions": [1, 6], "positives": [6, 2], "bought": [True, False]},
)


def rewards_of(prompt, config):
    every = np.arange(len(SIDS))[None]
    outcome = PAGES.outcomes.of(np.array([prompt]), every)
    return torch.from_numpy(ladder(outcome, config.rewards)[0])


def closed_form(policy, config):
    """Gradient of the expected reward by the logits, prefix by prefix.

    Of the logit of code `c` after a prefix `p` it is `π(p) π(c | p) (V(p c) − V(p))`, where `V` is
    the expected reward after a prefix.
    """
    found = [torch.zeros_like(table) for table in policy.tables]
    for prompt in range(2):
        chance = policy.every(prompt).exp().detach()
        reward = rewards_of(prompt, config)
        for level in range(3):
            for prefix in {sid[:level] for sid in SIDS}:
                below = torch.tensor([sid[:level] == prefix for sid in SIDS])
                mean = (chance * reward)[below].sum() / chance[below].sum()
                for code in {sid[level] for sid in SIDS if sid[:level] == prefix}:
                    on = torch.tensor([sid[: level + 1] == (*prefix, code) for sid in SIDS])
                    gain = (chance * (reward - mean))[on].sum()
                    found[level][(prompt, *prefix, code)] = gain / 2  # of two searches
    return found


def plain_config(**settings):
    plain = {"experts": 0, "scale": "none", "kl_weight": 0.0, "temperature": 1.0, "anchor": 0.0}
    return AlignConfig(searches=32, group=4, **(plain | settings))


def steps(policy, reference, config, count):
    """Losses of rollouts, all by the weights as they are."""
    roller = Roller(policy, TRIE, PAGES, config)
    for number in range(count):
        rollout = roller.roll(np.random.default_rng([5, number]))
        yield rollout, step_loss(policy, reference, TRIE, rollout, config)


def flat(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def mean_gradient(policy, config, count=160):
    """Of what steps minimize, and its standard error."""
    every = torch.stack(
        [
            flat(torch.autograd.grad(found.loss, list(policy.tables)))
            for _, found in steps(policy, policy, config, count)
        ]
    )
    return every.mean(dim=0), every.std(dim=0) / count**0.5


def assert_within(mean, error, expected, by=4.0):
    apart = (mean - expected).abs()
    assert (apart <= by * error + 1e-7).all(), (apart / error).max()


def test_the_closed_form_is_the_gradient_of_the_expected_reward():
    policy, config = random_policy(), plain_config()
    expected = sum(
        (policy.every(prompt).exp() * rewards_of(prompt, config)).sum() for prompt in range(2)
    )
    exact = torch.autograd.grad(expected / 2, list(policy.tables))
    torch.testing.assert_close(flat(exact), flat(closed_form(policy, config)))
    assert policy.every(0).exp().sum().item() == pytest.approx(1.0)


# A group's own mean holds each member, which takes 1/G of the gradient away.
@pytest.mark.parametrize(("baseline", "share"), [("leave_one_out", 1.0), ("group", 3 / 4)])
def test_the_mean_over_many_groups_is_the_exact_gradient(baseline, share):
    policy = random_policy()
    config = plain_config(baseline=baseline)
    mean, error = mean_gradient(policy, config)
    exact = share * flat(closed_form(policy, config))
    assert_within(-mean, error, exact)
    assert (error.max() < 0.1 * exact.abs().max()).item()  # fine enough to tell
    with pytest.raises(AssertionError):
        assert_within(-mean, error, 0.7 * exact)


@pytest.mark.parametrize("kl", ["exact", "k3"])
def test_the_mean_divergence_is_that_over_all_sids(kl):
    policy, reference = random_policy(), random_policy(seed=1)
    config = plain_config(kl=kl, kl_weight=1.0)
    found = [of.figures["kl"] for _, of in steps(policy, reference, config, 200)]
    own = [policy.every(prompt).detach() for prompt in range(2)]
    other = [reference.every(prompt).detach() for prompt in range(2)]
    exact = np.mean([(a.exp() * (a - b)).sum() for a, b in zip(own, other, strict=True)])
    assert abs(np.mean(found) - exact) < 4 * np.std(found) / 200**0.5
    assert np.std(found) / 200**0.5 < 0.05 * exact


def test_the_divergence_from_itself_is_zero():
    policy = random_policy()
    for _, found in steps(policy, policy, plain_config(kl_weight=1.0), 3):
        assert found.figures["kl"] == 0.0


def test_entropies_are_of_the_visited_prefixes():
    policy = random_policy()
    (_, found), *_ = steps(policy, policy, plain_config(), 1)
    state = policy.begin(PAGES.prompts)[1].exp()
    of_first = -(state * state.log()).nan_to_num().sum(dim=1)
    assert of_first.min() <= found.figures["entropy_1"] <= of_first.max()


def test_generated_members_without_experts_have_no_ratio_in_the_first_step():
    policy = random_policy()
    for rollout, found in steps(policy, policy, plain_config(), 3):
        groups = rollout.groups
        rewards = torch.from_numpy(groups.rewards)
        advantage = rewards - rewards.mean(dim=1, keepdim=True)
        assert found.loss.item() == pytest.approx(0.0, abs=1e-6)  # of ratios of 1
        log_gradient = -(advantage * _logprob(policy, rollout)).mean()
        torch.testing.assert_close(
            torch.autograd.grad(found.loss, list(policy.tables)),
            torch.autograd.grad(log_gradient, list(policy.tables)),
        )


def _logprob(policy, rollout):
    every = [policy.every(int(prompt.text)) for prompt in rollout.prompts]
    leaves = torch.from_numpy(rollout.groups.leaves)
    return torch.stack([of[row] for of, row in zip(every, leaves, strict=True)])


def test_ratios_of_a_second_step_are_against_the_weights_that_rolled_out():
    policy = random_policy()
    config = plain_config()
    rollout = Roller(policy, TRIE, PAGES, config).roll(np.random.default_rng(2))
    first = step_loss(policy, policy, TRIE, rollout, config)
    assert first.figures["clipped_generated"] == 0.0
    with torch.no_grad():
        for table, gradient in zip(
            policy.tables, torch.autograd.grad(first.loss, list(policy.tables)), strict=True
        ):
            table -= 30.0 * gradient
    again = step_loss(policy, policy, TRIE, rollout, config)
    assert again.figures["clipped_generated"] == 0.0
    second = step_loss(policy, policy, TRIE, rollout, config, first.logprob)
    assert 0.2 < second.figures["clipped_generated"] < 1.0


def test_only_experts_teach_the_control_that_learns_from_them():
    policy = random_policy()
    config = plain_config(experts=1, learn_from="experts")
    for rollout, found in steps(policy, policy, config, 2):
        groups = rollout.groups
        rewards, there = torch.from_numpy(groups.rewards), torch.from_numpy(groups.there)
        count = there.sum(dim=1, keepdim=True)
        advantage = rewards - (rewards * there).sum(dim=1, keepdim=True) / count
        advantage = advantage * torch.from_numpy(groups.expert)
        gain = ((advantage * _logprob(policy, rollout)).sum(dim=1) / count[:, 0]).mean()
        torch.testing.assert_close(
            torch.autograd.grad(found.loss, list(policy.tables)),
            torch.autograd.grad(-gain, list(policy.tables)),
        )


def test_the_cross_entropy_is_that_of_what_was_chosen():
    policy = random_policy()
    chosen = [torch.tensor([3]), torch.tensor([2, 6])]
    (rollout, of_clicks), *_ = steps(policy, policy, plain_config(learn_from="clicks"), 1)
    every = [
        -policy.every(int(prompt.text))[chosen[int(prompt.text)]] for prompt in rollout.anchors
    ]
    torch.testing.assert_close(of_clicks.loss, torch.cat(every).mean())
    (_, without), *_ = steps(policy, policy, plain_config(), 1)
    (_, anchored), *_ = steps(policy, policy, plain_config(anchor=0.5), 1)
    cross_entropy = anchored.figures["cross_entropy"]
    assert anchored.loss.item() == pytest.approx(without.loss.item() + 0.5 * cross_entropy)


@pytest.mark.parametrize("settings", [{}, {"kl": "k3"}, {"learn_from": "clicks"}], ids=str)
@pytest.mark.parametrize("at_once", [5, 32, 1000])
def test_losses_and_figures_of_parts_add_up_to_those_of_the_whole(settings, at_once):
    policy, reference = random_policy(), random_policy(seed=1)
    config = plain_config(experts=1, kl_weight=0.3, anchor=0.5, anchor_searches=21, **settings)
    rollout = Roller(policy, TRIE, PAGES, config).roll(np.random.default_rng(8))
    old = torch.randn(rollout.groups.leaves.shape) - 3.0
    whole = step_loss(policy, reference, TRIE, rollout, config, old)
    figures, loss, logprob = {}, 0.0, []
    for part, rows, share in split(rollout, at_once):
        assert max(len(part.prompts), len(part.anchors)) <= at_once
        found = step_loss(policy, reference, TRIE, part, config, old[rows], share)
        loss = loss + found.loss
        logprob.append(found.logprob)
        for name, value in found.figures.items():
            figures[name] = figures.get(name, 0.0) + value
    assert figures == pytest.approx(whole.figures, rel=1e-4)
    assert ("kl" in figures) == (config.learn_from == "groups")
    torch.testing.assert_close(torch.cat(logprob), whole.logprob)
    torch.testing.assert_close(
        torch.autograd.grad(loss, list(policy.tables)),
        torch.autograd.grad(whole.loss, list(policy.tables)),
    )


@pytest.mark.parametrize("name", ["validation", "test", None])
def test_a_reward_that_knows_more_than_the_training_searches_is_refused(name):
    seen = {"impressions": [0], "positives": [0], "bought": [False]}
    planted = pages_of(seen, seen | {"split": name})
    told = rf"^leak: search 1 of those .* is of the split {name!r}; a reward may know training"
    with pytest.raises(DataError, match=told):
        Roller(random_policy(), TRIE, planted, plain_config())


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
    roller = Roller(random_policy(), TRIE, PAGES, config, scorer)
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
    roller = Roller(random_policy(), TRIE, PAGES, config, OddScorer(broken=True))
    rollout = roller.roll(np.random.default_rng(4))
    assert rollout.is_empty
    assert rollout.groups.leaves.shape == (0, 4)
    anchored = plain_config(anchor=0.5, anchor_searches=3)
    rollout = Roller(random_policy(), TRIE, PAGES, anchored, OddScorer(broken=True)).roll(
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
        rollout = Roller(policy, TRIE, PAGES, config).roll(np.random.default_rng(3))
        leaves = rollout.groups.leaves
        assert leaves.shape == (64, 2)
        of = np.array([int(prompt.text) for prompt in rollout.prompts])
        assert rollout.groups.outcome.tolist() == PAGES.outcomes.of(of, leaves).tolist()
        share[redraw] = (np.ptp(rollout.groups.rewards, axis=1) == 0).mean()
    assert share[False] > 0.2
    assert share[True] < 0.6 * share[False]


RARE = 1e-3


def rare_policy():
    """One search, whose click has a probability of one in a thousand."""
    tables = [np.zeros((1, *SPACE.sizes[: level + 1]), np.float32) for level in range(3)]
    tables[0][0] = np.log([(1.0 - RARE) / 2, (1.0 - RARE) / 2, RARE])
    return TablePolicy(tables)


def learn(steps=25, **settings):
    """Probability of the SID that is clicked, after plain gradient descent."""
    policy = rare_policy()
    pages = pages_of({"impressions": [], "positives": [6], "bought": [False]})
    config = AlignConfig(searches=1, group=8, kl_weight=0.0, anchor=0.0, **settings)
    roller = Roller(policy, TRIE, pages, config)
    optimizer = torch.optim.SGD(policy.parameters(), lr=2.0)
    for step in range(steps):
        rollout = roller.roll(np.random.default_rng([10, step]))
        optimizer.zero_grad()
        step_loss(policy, policy, TRIE, rollout, config).loss.backward()
        optimizer.step()
    return policy.every(0)[6].exp().item()


def test_a_click_that_is_never_generated_is_learned_from_an_expert_only():
    assert rare_policy().every(0)[6].exp().item() == pytest.approx(RARE, rel=1e-4)
    assert learn(experts=0) == pytest.approx(RARE, rel=1e-4)
    assert learn(experts=2) > 0.5
    assert learn(experts=2, inject="when_no_hit") > 0.5
    assert learn(experts=2, expert_ratio="one") > 0.5
    assert learn(experts=2, baseline="on_policy") > 0.2
    # As if the expert had been certain, it counts for a hundredth.
    assert learn(experts=2, expert_ratio="behaviour_one", baseline="on_policy") < 2 * RARE
