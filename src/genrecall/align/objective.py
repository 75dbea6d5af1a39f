"""The objective of EG-GRPO (arXiv 2605.14434, eq. 8–10, Algorithm 2) and its variants.

A SID is one action of a search `x`: `log π(o | x) = Σ_l log π(c_l | x, c_<l)`. For the members `i`
of a group with rewards `r_i`

    A_i = (r_i − b) / s
    L = −mean_i min(ρ_i A_i, clip(ρ_i, 1 − ε_low, 1 + ε_high) A_i),  ρ_i = π_θ(o_i) / π_old(o_i)

averaged over the groups; a divergence from the reference model and an anchor may be added. There is
one ratio for a SID: all have three codes, so ratios and normalization by token or by length (GSPO,
DAPO) differ from it by constants only.

Pure functions of tensors. Shapes: `Q` groups, `M` places of a group, `R` prefixes, `C` children of
all of them, one prefix after another. Where `there` is False a place is empty.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

import torch
from torch import Tensor

from genrecall.foundation.runs import sum_runs

Baseline = Literal["group", "on_policy", "leave_one_out"]
ExpertRatio = Literal["old_policy", "one", "behaviour_one", "gbpo"]

EPSILON = 1e-4
"""Added to a standard deviation, as TRL does."""

_NOTHING = 1e-6  # what rounding may leave over
_SHAPING = 0.1  # γ of LUFFY's f(ρ) = ρ / (ρ + γ)


class Members(NamedTuple):
    """Groups of generated SIDs and injected experts.

    Attributes:
        there: places that are taken, bool `[Q, M]`.
        expert: members that were injected, bool `[Q, M]`.
    """

    there: Tensor
    expert: Tensor


def advantages(
    rewards: Tensor,
    members: Members,
    *,
    baseline: Baseline = "group",
    scale: bool = True,
    keep_negative_experts: bool = True,
) -> Tensor:
    """How much better each member is than its group: `A_i = (r_i − b) / s`, `[Q, M]`.

    Args:
        rewards: `[Q, M]`.
        members: who they belong to.
        baseline: `b` is the mean of all members (`group`; eq. 9), of the generated ones
            (`on_policy`; what the code of LUFFY, arXiv 2504.14945, does), or of all but the member
            itself (`leave_one_out`; RLOO, arXiv 2402.14740).
        scale: whether `s` is the standard deviation of those that make the baseline, of all
            members for `leave_one_out`, with Bessel's correction as in TRL; else 1 (Dr. GRPO,
            arXiv 2503.20783).
        keep_negative_experts: otherwise an expert's negative advantage is 0.

    Returns:
        0 at empty places, and in groups whose rewards are all equal.
    """
    there, expert = members
    compared = there & ~expert if baseline == "on_policy" else there
    mean, std = _moments(rewards, compared)
    if baseline == "leave_one_out":
        count = there.sum(dim=1, keepdim=True)
        others = (mean * count - rewards) / (count - 1).clamp(min=1)
        ahead = torch.where(count > 1, rewards - others, 0.0)
    else:
        ahead = rewards - mean
    if scale:
        # Generated members that are all alike have no spread: LUFFY divides by 1, too.
        ahead = ahead / torch.where(flat(rewards, compared)[:, None], 1.0, std + EPSILON)
    if not keep_negative_experts:
        ahead = torch.where(expert, ahead.clamp(min=0.0), ahead)
    # Members that are all alike are no better than each other, whatever the rounding.
    return torch.where(there & ~flat(rewards, there)[:, None], ahead, 0.0)


def flat(rewards: Tensor, there: Tensor) -> Tensor:
    """Groups whose members all have the same reward, and so teach nothing: bool `[Q]`."""
    highest = torch.where(there, rewards, -torch.inf).amax(dim=1)
    lowest = torch.where(there, rewards, torch.inf).amin(dim=1)
    return highest <= lowest


def _moments(values: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each row where `there`: `[Q, 1]` both."""
    count = there.sum(dim=1, keepdim=True)
    mean = torch.where(there, values, 0.0).sum(dim=1, keepdim=True) / count.clamp(min=1)
    squares = torch.where(there, (values - mean).square(), 0.0).sum(dim=1, keepdim=True)
    return mean, (squares / (count - 1).clamp(min=1)).sqrt()


class Surrogate(NamedTuple):
    """What is maximized, per member.

    Attributes:
        value: `min(ρ A, clip(ρ) A)` or what stands for it, with gradient, `[Q, M]`.
        clipped: members whose ratio was cut, so that they have no gradient, bool `[Q, M]`.
    """

    value: Tensor
    clipped: Tensor


def surrogate(
    logprob: Tensor,
    old: Tensor,
    advantage: Tensor,
    expert: Tensor,
    *,
    clip: tuple[float, float],
    expert_ratio: ExpertRatio = "old_policy",
) -> Surrogate:
    """The clipped surrogate of every member, and that of experts by their own ratio.

    The paper does not state the ratio of an injected SID. The choices:

    - `old_policy`: as if it had been generated, `ρ = π_θ / π_old`, clipped like the rest. In the
      first step on a group `ρ = 1`, and the gradient is `A ∇ log π`.
    - `one`: no ratio and no clipping, `A log π`, the gradient of `old_policy`'s first step in all
      steps (`add_gt` of MiniOneRec, arXiv 2510.24431).
    - `behaviour_one`: `f(ρ) A` with `ρ = π_θ` and `f(ρ) = ρ / (ρ + 0.1)`, as if an expert had been
      certain (LUFFY, arXiv 2504.14945). A rare expert gets almost nothing.
    - `gbpo`: `π_θ / max(π_old, sg π_θ)` where `A ≥ 0`, else `π_θ / max(π_old, 1 − sg π_θ)`, whose
      gradient is bounded (OneRec-V2, arXiv 2508.20900).

    Args:
        logprob: `log π_θ`, `[Q, M]`.
        old: `log π_old`, without gradient, `[Q, M]`.
        advantage: `[Q, M]`.
        expert: injected members, bool `[Q, M]`.
        clip: `(ε_low, ε_high)`.
        expert_ratio: see above.
    """
    low, high = 1.0 - clip[0], 1.0 + clip[1]
    ratio = torch.exp(logprob - old)
    cut = ratio.clamp(low, high) * advantage
    value = torch.minimum(ratio * advantage, cut)
    clipped = (cut < ratio * advantage).detach()
    if expert_ratio == "old_policy":
        return Surrogate(value, clipped)
    probability = logprob.exp()
    if expert_ratio == "one":
        own = advantage * logprob
    elif expert_ratio == "behaviour_one":
        own = advantage * probability / (probability + _SHAPING)
    elif expert_ratio == "gbpo":
        now = logprob.detach()  # in logarithms, since the probability of an expert may underflow
        bound = torch.maximum(old, torch.where(advantage >= 0, now, torch.log1p(-now.exp())))
        own = advantage * torch.exp(logprob - bound)
    else:
        assert_never(expert_ratio)
    return Surrogate(torch.where(expert, own, value), clipped & ~expert)


def mean_over_groups(values: Tensor, there: Tensor) -> Tensor:
    """Mean of the members of each group, averaged over the groups: `[Q, M]` to a scalar."""
    count = there.sum(dim=1).clamp(min=1)
    return (torch.where(there, values, 0.0).sum(dim=1) / count).mean()


def kl_exact(logprobs: Tensor, reference: Tensor, lengths: Tensor) -> Tensor:
    """`KL(π_θ ‖ π_ref)` over the children of each prefix: `[C]` both, and `[R]` lengths, to `[R]`.

    Summed over the levels of SIDs that `π_θ` has generated it is an unbiased estimate of the
    divergence over SIDs, by the chain rule, and has less variance than one from the SIDs alone. Its
    gradient leaves out how the visited prefixes change. Where SIDs are drawn at another temperature
    or without replacement it weighs rare prefixes more.

    A policy that gives probability to codes without a SID has less than 1 to share among children:
    what both leave over counts as one more of them.
    """
    told = sum_runs(logprobs.exp() * (logprobs - reference), lengths)
    ours, theirs = _left(logprobs, lengths), _left(reference, lengths)
    return told + ours * (ours / theirs).log()


def _left(logprobs: Tensor, lengths: Tensor) -> Tensor:
    """What the children of a prefix leave of its probability, `[R]`; above 0 for the logarithm."""
    return (1.0 - sum_runs(logprobs.exp(), lengths)).clamp(min=_NOTHING)


def kl_k3(logprob: Tensor, reference: Tensor, old: Tensor) -> Tensor:
    """Schulman's estimate of `KL(π_θ ‖ π_ref)` from each member alone: `[Q, M]`.

    `ρ (exp(d) − d − 1)` with `d = log π_ref − log π_θ`. The ratio `ρ = π_θ / π_old` is 1 at first;
    it gives the estimate the gradient of the divergence, which it has not without (DeepSeek-V3.2,
    arXiv 2512.02556).

    Args:
        logprob: `log π_θ`, `[Q, M]`.
        reference: `log π_ref`, `[Q, M]`.
        old: `log π_old`, without gradient, `[Q, M]`.
    """
    apart = reference - logprob
    return (logprob - old).exp() * (apart.exp() - apart - 1.0)


def entropy(logprobs: Tensor, lengths: Tensor) -> Tensor:
    """Entropy in nats over the children of each prefix: `[C]` and `[R]` lengths, to `[R]`."""
    return -sum_runs(logprobs.exp() * logprobs, lengths)
