"""Gradients of steps against closed forms, and whether steps learn: a policy that is a table."""

import numpy as np
import pytest
import torch
from table_policy import (
    PAGES,
    RARE,
    SIDS,
    pages_of,
    plain_config,
    random_policy,
    rare_policy,
)

from genrecall.align.objective import Members, advantages, mean_over_groups, surrogate
from genrecall.align.rewards import ladder
from genrecall.align.roller import Roller, split
from genrecall.align.step import step_loss
from genrecall.generator.align_config import AlignConfig


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


def steps(policy, reference, config, count):
    """Losses of rollouts, all by the weights as they are."""
    roller = Roller(policy, PAGES, config)
    for number in range(count):
        rollout = roller.roll(np.random.default_rng([5, number]))
        yield rollout, step_loss(policy, reference, rollout, config)


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
    rollout = Roller(policy, PAGES, config).roll(np.random.default_rng(2))
    first = step_loss(policy, policy, rollout, config)
    assert first.figures["clipped_generated"] == 0.0
    with torch.no_grad():
        for table, gradient in zip(
            policy.tables, torch.autograd.grad(first.loss, list(policy.tables)), strict=True
        ):
            table -= 30.0 * gradient
    again = step_loss(policy, policy, rollout, config)
    assert again.figures["clipped_generated"] == 0.0
    second = step_loss(policy, policy, rollout, config, first.logprob)
    assert 0.2 < second.figures["clipped_generated"] < 1.0


@pytest.mark.parametrize(
    ("settings", "of_advantages", "of_surrogate"),
    [
        ({"scale": "std"}, {"scale": True}, {}),
        ({"baseline": "on_policy"}, {"baseline": "on_policy"}, {}),
        ({"baseline": "leave_one_out"}, {"baseline": "leave_one_out"}, {}),
        (
            {"expert_negative": "zero", "rewards": {"exposed": -1.0}},
            {"keep_negative_experts": False},
            {},
        ),
        ({"clip_low": 0.05, "clip_high": 2.0}, {}, {"clip": (0.05, 2.0)}),
        *(
            ({"expert_ratio": name}, {}, {"expert_ratio": name})
            for name in ("one", "behaviour_one", "gbpo")
        ),
    ],
    ids=lambda value: " ".join(map(str, value.values())),
)
def test_each_setting_of_the_objective_reaches_the_loss(settings, of_advantages, of_surrogate):
    policy = random_policy()
    config = plain_config(experts=2, group_size="enlarged", **settings)
    rollout = Roller(policy, PAGES, config).roll(np.random.default_rng(6))
    groups = rollout.groups
    torch.manual_seed(0)
    logprob = _logprob(policy, rollout).detach()
    old = logprob - 0.5 * torch.randn_like(logprob)
    members = Members(torch.from_numpy(groups.there), torch.from_numpy(groups.expert))

    def expected(of_advantages, of_surrogate):
        rewards = torch.from_numpy(groups.rewards)
        advantage = advantages(rewards, members, **({"scale": False} | of_advantages))
        clip = {"clip": (0.2, 0.28)}
        value = surrogate(logprob, old, advantage, members.expert, **(clip | of_surrogate)).value
        return -mean_over_groups(value, members.there).item()

    found = step_loss(policy, policy, rollout, config, old).loss.item()
    assert found == pytest.approx(expected(of_advantages, of_surrogate), rel=1e-4)
    assert found != pytest.approx(expected({}, {}), rel=1e-2), "it changes something"


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
    rollout = Roller(policy, PAGES, config).roll(np.random.default_rng(8))
    old = torch.randn(rollout.groups.leaves.shape) - 3.0
    whole = step_loss(policy, reference, rollout, config, old)
    figures, loss, logprob = {}, 0.0, []
    for part, rows, share in split(rollout, at_once):
        assert max(len(part.prompts), len(part.anchors)) <= at_once
        found = step_loss(policy, reference, part, config, old[rows], share)
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


def learn(steps=25, **settings):
    """Probability of the SID that is clicked, after plain gradient descent."""
    policy = rare_policy()
    pages = pages_of({"impressions": [], "positives": [6], "bought": [False]})
    config = AlignConfig(searches=1, group=8, kl_weight=0.0, anchor=0.0, **settings)
    roller = Roller(policy, pages, config)
    optimizer = torch.optim.SGD(policy.parameters(), lr=2.0)
    for step in range(steps):
        rollout = roller.roll(np.random.default_rng([10, step]))
        optimizer.zero_grad()
        step_loss(policy, policy, rollout, config).loss.backward()
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
