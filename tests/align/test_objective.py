"""Advantages, surrogates and divergences by hand, and gradients against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Categorical, kl_divergence

from genrecall.align.objective import (
    EPSILON,
    Members,
    advantages,
    entropy,
    flat,
    kl_exact,
    kl_k3,
    mean_over_groups,
    surrogate,
)

CLIP = (0.2, 0.28)
RATIOS = ("old_policy", "one", "behaviour_one", "gbpo")


def group(rewards, experts=0, empty=0):
    """One group: the last members are injected, and the last places empty."""
    n = len(rewards)
    places = torch.arange(n + empty)[None]
    members = Members(places < n, (places >= n - experts) & (places < n))
    return torch.tensor([[*rewards, *[7.0] * empty]]), members


def ahead(rewards, experts=0, empty=0, **options):
    found = advantages(*group(rewards, experts, empty), **options)
    assert found.shape == (1, len(rewards) + empty)
    return found[0].tolist()


def close(*values, tolerance=1e-5):
    return pytest.approx(list(values), abs=tolerance)


# Six merely valid SIDs, of which none is worse than another, and two experts.
EXAMPLE = {"rewards": [0.1] * 6 + [1.0] * 2, "experts": 2}


def test_the_groups_mean_pushes_down_samples_that_are_all_alike():
    found = ahead(**EXAMPLE)
    mean, std = 0.325, math.sqrt((6 * 0.225**2 + 2 * 0.675**2) / 7)
    assert std == pytest.approx(0.417, abs=1e-3)
    assert found == close(*[-0.225 / (std + EPSILON)] * 6, *[0.675 / (std + EPSILON)] * 2)
    assert found == close(*[-0.54] * 6, *[1.62] * 2, tolerance=0.005)
    assert ahead(**EXAMPLE, scale=False) == close(*[0.1 - mean] * 6, *[1.0 - mean] * 2)


def test_the_mean_of_the_generated_leaves_them_where_they_are():
    assert ahead(**EXAMPLE, baseline="on_policy", scale=False) == close(*[0.0] * 6, 0.9, 0.9)


def test_generated_members_that_are_all_alike_have_no_spread_to_divide_by():
    assert ahead(**EXAMPLE, baseline="on_policy") == close(*[0.0] * 6, 0.9, 0.9)
    # One generated member has none either.
    assert ahead([0.1, 1.0], experts=1, baseline="on_policy") == close(0.0, 0.9)


def test_without_a_generated_member_nothing_is_taken_off():
    found = ahead([0.5, 1.0], experts=2, baseline="on_policy")
    assert found == close(0.5, 1.0)


def test_each_is_compared_with_all_others():
    found = ahead([0.1, 0.5, 1.0], baseline="leave_one_out", scale=False)
    assert found == close(0.1 - 0.75, 0.5 - 0.55, 1.0 - 0.3)
    std = math.sqrt(((0.1 - 1.6 / 3) ** 2 + (0.5 - 1.6 / 3) ** 2 + (1.0 - 1.6 / 3) ** 2) / 2)
    scaled = ahead([0.1, 0.5, 1.0], baseline="leave_one_out")
    assert scaled == close(*[value / (std + EPSILON) for value in (-0.65, -0.05, 0.7)])


def test_standard_deviations_are_of_those_that_make_the_baseline():
    # Generated 0.1, 0.5 and an expert 1.0: mean 0.3 and Bessel's deviation 0.4 / √2.
    found = ahead([0.1, 0.5, 1.0], experts=1, baseline="on_policy")
    s = 0.4 / math.sqrt(2) + EPSILON
    assert found == close(-0.2 / s, 0.2 / s, 0.7 / s)


def test_an_expert_that_is_worse_than_its_group_can_be_spared():
    rewards = [1.0, 1.0, 1.0, 0.5]
    kept = ahead(rewards, experts=1, scale=False)
    spared = ahead(rewards, experts=1, scale=False, keep_negative_experts=False)
    assert kept == close(0.125, 0.125, 0.125, -0.375)
    assert spared == close(0.125, 0.125, 0.125, 0.0)
    # A generated one that is worse is not, and a better expert stays.
    worse = ahead([0.1, 1.0, 1.0], experts=1, scale=False, keep_negative_experts=False)
    assert worse == close(-0.6, 0.3, 0.3)


BASELINES = ("group", "on_policy", "leave_one_out")


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("baseline", BASELINES)
def test_flat_groups_and_single_members_teach_nothing(baseline, scale):
    options = {"baseline": baseline, "scale": scale}
    assert ahead([0.1] * 7, **options) == [0.0] * 7
    assert ahead([0.1] * 3, experts=1, empty=2, **options) == [0.0] * 5
    assert ahead([0.7], empty=3, **options) == [0.0] * 4
    assert ahead([], empty=3, **options) == [0.0] * 3


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("baseline", BASELINES)
def test_empty_places_change_nothing(baseline, scale):
    rewards = [0.1, 0.5, 0.1, 1.0]
    alone = ahead(rewards, experts=1, baseline=baseline, scale=scale)
    found = ahead(rewards, experts=1, empty=3, baseline=baseline, scale=scale)
    assert found == close(*alone, 0.0, 0.0, 0.0)


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=2, max_size=9),
    st.integers(0, 8),
    st.sampled_from(BASELINES),
)
def test_advantages_equal_plain_python(rewards, experts, baseline):
    experts = min(experts, len(rewards) - 1)
    found = ahead(rewards, experts, baseline=baseline, scale=False)
    generated = rewards[: len(rewards) - experts]
    for place, (value, reward) in enumerate(zip(found, rewards, strict=True)):
        others = rewards[:place] + rewards[place + 1 :]
        of = {"group": rewards, "on_policy": generated, "leave_one_out": others}[baseline]
        expected = 0.0 if len(set(rewards)) == 1 else reward - sum(of) / len(of)
        assert value == pytest.approx(expected, abs=1e-5)


def test_groups_do_not_touch_each_other():
    rewards = torch.tensor([[0.1, 1.0, 0.5], [1.0, 0.1, 9.0]])
    there = torch.tensor([[True, True, True], [True, True, False]])
    members = Members(there, torch.zeros_like(there))
    found = advantages(rewards, members, scale=False)
    assert found.tolist()[0] == close(0.1 - 1.6 / 3, 1.0 - 1.6 / 3, 0.5 - 1.6 / 3)
    assert found.tolist()[1] == close(0.45, -0.45, 0.0)


def test_flat_looks_at_what_is_there():
    rewards = torch.tensor([[1.0, 1.0, 5.0], [1.0, 0.5, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    there = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]], dtype=torch.bool)
    assert flat(rewards, there).tolist() == [True, False, True, True]


def one(logprob, old, advantage, *, expert=False, ratio="old_policy"):
    """Value, gradient by `log π` and whether it was clipped, of one member."""
    logprob = torch.tensor([[logprob]], dtype=torch.float64, requires_grad=True)
    old = torch.tensor([[old]], dtype=torch.float64)
    found = surrogate(
        logprob,
        old,
        torch.tensor([[advantage]], dtype=torch.float64),
        torch.tensor([[expert]]),
        clip=CLIP,
        expert_ratio=ratio,
    )
    found.value.sum().backward()
    return found.value.item(), logprob.grad.item(), found.clipped.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "clipped"),
    [
        (1.0, 2.0, 2.0, False),
        (1.2, 2.0, 2.4, False),
        (1.5, 2.0, 2.56, True),  # cut at 1.28
        (0.5, 2.0, 1.0, False),  # has become rarer though it is good: brought back
        (1.0, -2.0, -2.0, False),
        (0.9, -2.0, -1.8, False),
        (0.5, -2.0, -1.6, True),  # cut at 0.8
        (1.5, -2.0, -3.0, False),  # has become more frequent though it is bad
        (1.5, 0.0, 0.0, False),
    ],
)
@pytest.mark.parametrize("expert", [False, True])
def test_ratios_are_clipped_on_the_side_of_the_advantage(ratio, advantage, value, clipped, expert):
    found = one(-3.0 + math.log(ratio), -3.0, advantage, expert=expert)
    gradient = 0.0 if clipped else ratio * advantage
    assert found == (pytest.approx(value), pytest.approx(gradient), clipped)


@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.parametrize("advantage", [1.5, -1.5])
def test_generated_members_do_not_care_for_the_ratio_of_experts(name, advantage):
    assert one(-1.0, -2.0, advantage, ratio=name) == one(-1.0, -2.0, advantage)


CHANCES = [(0.3, 0.3), (0.3, 0.25), (0.001, 0.001), (0.9, 0.2), (0.2, 0.9), (0.999, 0.999)]


@pytest.mark.parametrize(("now", "old"), CHANCES)
@pytest.mark.parametrize("advantage", [1.5, -1.5])
def test_expert_ratios_equal_their_closed_forms(now, old, advantage):
    def found(name):
        value, gradient, clipped = one(
            math.log(now), math.log(old), advantage, expert=True, ratio=name
        )
        if name != "old_policy":
            assert not clipped
        return value, gradient

    # By log π: the gradient of π is π, that of f(π) = π / (π + 0.1) is 0.1 π / (π + 0.1)².
    close_to = pytest.approx
    assert found("one") == (close_to(advantage * math.log(now)), close_to(advantage))
    shaped, slope = now / (now + 0.1), 0.1 * now / (now + 0.1) ** 2
    assert found("behaviour_one") == (close_to(advantage * shaped), close_to(advantage * slope))
    bound = max(old, now if advantage >= 0 else 1.0 - now)
    expected = close_to(advantage * now / bound)
    assert found("gbpo") == (expected, expected)


def test_a_rare_expert_gets_almost_nothing_when_its_behaviour_is_one():
    _, gradient, _ = one(math.log(1e-3), math.log(1e-3), 1.0, expert=True, ratio="behaviour_one")
    assert gradient == pytest.approx(0.01, abs=3e-4)


@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.parametrize("advantage", [1.5, -1.5, 0.0])
@pytest.mark.parametrize("logprob", [-400.0, -200.0, -1e-9, 0.0])
def test_the_rarest_and_the_surest_expert_have_a_finite_gradient(name, advantage, logprob):
    value, gradient, _ = one(logprob, logprob, advantage, expert=True, ratio=name)
    assert math.isfinite(value)
    assert math.isfinite(gradient)


@pytest.mark.parametrize("name", RATIOS)
def test_an_expert_whose_probability_underflows_spoils_no_gradient(name):
    logprob = torch.tensor([[-150.0, -1.0]], requires_grad=True)  # 0 in float32
    found = surrogate(
        logprob,
        logprob.detach(),
        torch.tensor([[1.0, -1.0]]),
        torch.tensor([[True, False]]),
        clip=CLIP,
        expert_ratio=name,
    )
    found.value.sum().backward()
    assert torch.isfinite(logprob.grad).all()
    if name in ("old_policy", "one", "gbpo"):
        assert logprob.grad.tolist() == [[1.0, -1.0]]


def policy_gradient(name, advantage, logits, old_logits=None):
    """Gradient of an expert's surrogate by the logits of a softmax whose action it is."""
    logits = torch.tensor(logits, requires_grad=True)
    old = logits.detach() if old_logits is None else torch.tensor(old_logits)
    found = surrogate(
        logits.log_softmax(0)[:1][None],
        old.log_softmax(0)[:1][None],
        torch.tensor([[advantage]]),
        torch.tensor([[True]]),
        clip=CLIP,
        expert_ratio=name,
    )
    found.value.sum().backward()
    return logits.grad


def test_in_the_first_step_all_ratios_but_that_of_a_certain_behaviour_agree():
    logits = [0.3, 1.0, -0.5, 0.2]
    probs = torch.tensor(logits).softmax(0)
    for advantage in (1.5, -1.5):
        expected = advantage * (torch.eye(4)[0] - probs)  # A ∇ log π
        for name in ("old_policy", "one", *(["gbpo"] if advantage > 0 else [])):
            torch.testing.assert_close(policy_gradient(name, advantage, logits), expected)
        shaped = policy_gradient("behaviour_one", advantage, logits)
        assert not torch.allclose(shaped, expected, atol=1e-2)
    # An unlikely expert that is bad is pushed down less by `gbpo`: by π / (1 − π).
    found = policy_gradient("gbpo", -1.5, logits)
    weight = probs[0] / (1.0 - probs[0])
    torch.testing.assert_close(found, -1.5 * weight * (torch.eye(4)[0] - probs))


@pytest.mark.parametrize(("advantage", "moved"), [(1.0, 1.0), (-1.0, -1.0)])
def test_a_second_step_on_the_same_group_clips_what_has_moved_enough(advantage, moved):
    old = [0.0, 0.0, 0.0, 0.0]
    little, far = [0.1 * moved, 0.0, 0.0, 0.0], [moved, 0.0, 0.0, 0.0]
    back = [-moved, 0.0, 0.0, 0.0]
    assert policy_gradient("old_policy", advantage, little, old).abs().max() > 0.1
    assert policy_gradient("old_policy", advantage, far, old).tolist() == [0.0] * 4
    assert policy_gradient("old_policy", advantage, back, old).abs().max() > 0.05
    assert policy_gradient("one", advantage, far, old).abs().max() > 0.1


def test_groups_count_alike_whatever_their_size():
    values = torch.tensor([[1.0, 2.0, 6.0], [5.0, 100.0, 100.0], [9.0, 9.0, 9.0]])
    there = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]], dtype=torch.bool)
    assert mean_over_groups(values, there).item() == pytest.approx((3.0 + 5.0 + 0.0) / 3)


def logprobs(rows, codes, seed):
    torch.manual_seed(seed)
    return torch.randn(rows, codes, dtype=torch.float64).mul(2.0).log_softmax(dim=-1)


def test_the_exact_divergence_and_the_entropy_are_those_of_torch():
    """Of prefixes with children in any number, one prefix after another."""
    sizes = [7, 1, 3]
    policy, reference = ([logprobs(1, size, seed=seed)[0] for size in sizes] for seed in (0, 1))
    own, other = ([Categorical(logits=of) for of in each] for each in (policy, reference))
    flat, apart, lengths = torch.cat(policy), torch.cat(reference), torch.tensor(sizes)
    expected = torch.stack([kl_divergence(*pair) for pair in zip(own, other, strict=True)])
    torch.testing.assert_close(kl_exact(flat, apart, lengths), expected)
    torch.testing.assert_close(entropy(flat, lengths), torch.stack([of.entropy() for of in own]))
    assert kl_exact(flat, flat, lengths).tolist() == [0.0] * 3


def test_what_children_leave_over_counts_as_one_more():
    """A language model gives some probability to codes without a SID."""
    policy, reference = logprobs(1, 5, seed=2)[0], logprobs(1, 5, seed=3)[0]
    lengths = torch.tensor([4])
    expected = kl_divergence(Categorical(logits=policy), Categorical(logits=reference))
    found = kl_exact(policy[:4], reference[:4], lengths)
    torch.testing.assert_close(found[0], expected)


def test_k3_is_never_negative_and_right_on_average():
    policy, reference = logprobs(6, 9, seed=2), logprobs(6, 9, seed=3)
    each = kl_k3(policy, reference, policy)
    assert (each >= 0).all()
    exact = kl_exact(policy.view(-1), reference.view(-1), torch.full((6,), 9))
    torch.testing.assert_close((policy.exp() * each).sum(dim=1), exact)
    assert kl_k3(policy, policy, policy).abs().max() == 0
    # By hand: log π_ref − log π_θ = log 2.
    now, old = torch.tensor([[math.log(0.2)]]), torch.tensor([[math.log(0.1)]])
    found = kl_k3(now, torch.tensor([[math.log(0.4)]]), old)
    assert found.item() == pytest.approx(2.0 * (2.0 - math.log(2.0) - 1.0))
