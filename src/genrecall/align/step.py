"""The loss of one step of alignment, and what the step measures.

Shapes: `Q` searches with a group, `M` places of a group, `A` searches of the anchor, `T` chosen
SIDs of each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from genrecall.align import objective
from genrecall.align.objective import Members
from genrecall.align.rewards import Outcome
from genrecall.align.roller import Rollout, Share, flat_groups
from genrecall.align.rollout import Groups
from genrecall.align.scoring import Scored, score
from genrecall.foundation.sid import LEVELS
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Policy

Figures = dict[str, float]
"""What a step measured, by name."""


class StepLoss(NamedTuple):
    """What a step minimizes, and what it measured.

    Attributes:
        loss: with gradient.
        logprob: of the members, without gradient, `[Q, M]`.
        figures: by name.
    """

    loss: Tensor
    logprob: Tensor
    figures: Figures


def step_loss(
    policy: Policy[Any],
    reference: Policy[Any],
    rollout: Rollout,
    config: AlignConfig,
    old: Tensor | None = None,
    share: Share | None = None,
) -> StepLoss:
    """The loss of a rollout under the weights as they are.

    Losses and figures of the parts of a rollout add up to those of the whole.

    Args:
        policy: what is trained.
        reference: stage 3.
        rollout: what to learn from.
        config: of the objective.
        old: log-probabilities of the members when they were rolled out, `[Q, M]`; None where the
            weights are still the same.
        share: of a part of a rollout; None for a whole one.
    """
    share = share or Share()
    loss, figures, now = torch.zeros(()), {}, torch.zeros(rollout.groups.leaves.shape)
    if rollout.anchors:
        cross_entropy = share.chosen * _cross_entropy(policy, rollout)
        loss = (config.anchor if config.learn_from != "clicks" else 1.0) * cross_entropy
        figures["cross_entropy"] = cross_entropy.item()
    if rollout.prompts:
        groups = rollout.groups
        scored = score(policy, rollout.prompts, groups.leaves)
        with torch.no_grad():
            apart = score(reference, rollout.prompts, groups.leaves)
        now = scored.logprob.detach()
        old = now if old is None else old
        gain, clipped = _gain(scored.logprob, old, groups, config)
        divergence = _divergence(scored, apart, old, groups, config, share)
        loss = loss + config.kl_weight * divergence - share.groups * gain
        of_generated = {**_entropies(scored, groups), "clipped_generated": clipped.generated}
        figures |= {name: share.generated * value for name, value in of_generated.items()}
        figures |= {"kl": divergence.item(), "clipped_experts": share.experts * clipped.experts}
    return StepLoss(loss, now, {"loss": loss.item(), **figures})


def _cross_entropy(policy: Policy[Any], rollout: Rollout) -> Tensor:
    """Of what was chosen, in nats a SID: what serves, heads and look-ahead together, is trained."""
    scored = score(policy, rollout.anchors, rollout.chosen)
    return -scored.logprob[torch.from_numpy(rollout.chosen >= 0)].mean()


class _Clipped(NamedTuple):
    """Shares of the members that were."""

    generated: float
    experts: float


def _gain(
    logprob: Tensor, old: Tensor, groups: Groups, config: AlignConfig
) -> tuple[Tensor, _Clipped]:
    """The surrogate of all groups, and which members were clipped."""
    members = Members(torch.from_numpy(groups.there), torch.from_numpy(groups.expert))
    advantage = objective.advantages(
        torch.from_numpy(groups.rewards),
        members,
        baseline=config.baseline,
        scale=config.scale == "std",
        keep_negative_experts=config.expert_negative == "keep",
    )
    if config.learn_from == "experts":
        advantage = torch.where(members.expert, advantage, 0.0)
    value, clipped = objective.surrogate(
        logprob,
        old,
        advantage,
        members.expert,
        clip=(config.clip_low, config.clip_high),
        expert_ratio=config.expert_ratio,
    )
    generated = torch.from_numpy(groups.generated)
    return objective.mean_over_groups(value, members.there), _Clipped(
        _among(clipped, generated), _among(clipped, members.expert)
    )


def _divergence(
    scored: Scored, apart: Scored, old: Tensor, groups: Groups, config: AlignConfig, share: Share
) -> Tensor:
    """`KL(π_θ ‖ π_ref)` in nats a SID, over what was generated; the share of it of a part."""
    generated = torch.from_numpy(groups.generated)
    if config.kl == "k3":
        estimate = objective.kl_k3(scored.logprob, apart.logprob, old)
        return share.groups * objective.mean_over_groups(estimate, generated)
    kept = generated.reshape(-1)[scored.place]
    of_level = [
        objective.kl_exact(ours, theirs, lengths)
        for ours, theirs, lengths in zip(scored.levels, apart.levels, scored.lengths, strict=True)
    ]
    total = share.groups * of_level[0].mean()
    for level in range(1, LEVELS):
        total = total + share.generated * of_level[level][scored.rows[level][kept]].mean()
    return total


def _entropies(scored: Scored, groups: Groups) -> Figures:
    """Of the codes after each prefix that was generated, in nats."""
    kept = torch.from_numpy(groups.generated).reshape(-1)[scored.place]
    with torch.no_grad():
        return {
            f"entropy_{level + 1}": objective.entropy(logprobs, lengths)[rows[kept]].mean().item()
            for level, (logprobs, lengths, rows) in enumerate(
                zip(scored.levels, scored.lengths, scored.rows, strict=True)
            )
        }


def describe(groups: Groups) -> Figures:
    """What the groups of a step are like.

    Shares of the generated members by what became of them, their mean reward, and shares of the
    groups: without a hit, without gradient; and how many distinct SIDs were generated of a search.
    """
    generated = groups.generated
    outcome = groups.outcome[generated]
    distinct = [
        len(set(row[kept].tolist())) for row, kept in zip(groups.leaves, generated, strict=True)
    ]
    return {
        "reward": float(groups.rewards[generated].mean()) if generated.any() else 0.0,
        **{kind.name.lower(): float((outcome == kind).mean()) for kind in list(Outcome)[1:]},
        "experts": float(groups.expert.sum(axis=1).mean()),
        "without_hit": float((~groups.hit).mean()),
        "without_gradient": float(flat_groups(groups).mean()),
        "distinct": float(np.mean(distinct)),
    }


def _among(what: Tensor, of: Tensor) -> float:
    """Share of the members."""
    return (what & of).sum().item() / max(int(of.sum().item()), 1)
