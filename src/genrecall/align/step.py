"""One step of alignment: generate, inject, reward, and the loss of what came of it.

Shapes: `Q` searches of a step, `M` places of a group, `T` chosen SIDs drawn of a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.align import objective
from genrecall.align.objective import Members
from genrecall.align.pages import Pages
from genrecall.align.rewards import Outcome, draw_experts
from genrecall.align.rollout import Groups, form_groups
from genrecall.align.scorers import OwnReward
from genrecall.align.scoring import Scored, score
from genrecall.decode.sample import sample
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Policy
from genrecall.generator.prompts import Prompt
from genrecall.learning.processes import launched, rank

_REDRAWS: Final = 3  # times that flat groups are replaced; those of the last time stay
_TARGETS: Final = 2  # chosen SIDs of a search that a step's cross entropy takes, as in stage 3

Figures = dict[str, float]
"""What a step measured, by name."""


@dataclass(frozen=True, eq=False)
class Rollout:
    """What a step learns from.

    Attributes:
        prompts: `[Q]`.
        groups: one of each; without places where nothing is generated.
        chosen: SIDs that were chosen, for cross entropy; -1 where there are fewer, int64 `[Q, T]`.
    """

    prompts: Sequence[Prompt]
    groups: Groups
    chosen: NDArray[np.int64]


class Roller:
    """Rolls out groups from the weights as they are.

    Args:
        policy: what is trained.
        trie: the SIDs in use.
        pages: to draw searches from.
        config: of the groups.
        own_reward: instead of the ladder; None for that.
    """

    def __init__(
        self,
        policy: Policy[Any],
        trie: Trie,
        pages: Pages,
        config: AlignConfig,
        own_reward: OwnReward | None = None,
    ) -> None:
        self._policy, self._trie, self._pages, self._config = policy, trie, pages, config
        self._own_reward = own_reward
        chosen = config.drawn == "chosen" or config.learn_from == "clicks"
        least = Outcome.CLICKED if chosen else Outcome.EXPOSED
        self._drawn_from = np.flatnonzero(pages.outcomes.best >= least)

    def roll(self, rng: np.random.Generator) -> Rollout:
        """What a step learns from, by its chance."""
        rollout = self._roll(_share_of_process(self._config.searches), rng)
        for _ in range(_REDRAWS if self._config.redraw_flat else 0):
            flat = flat_groups(rollout.groups)
            if not flat.any():
                break
            rollout = _replace(rollout, flat, self._roll(int(flat.sum()), rng))
        return rollout

    def _roll(self, count: int, rng: np.random.Generator) -> Rollout:
        config, outcomes = self._config, self._pages.outcomes
        searches = self._drawn_from[rng.integers(0, len(self._drawn_from), count)]
        prompts = [self._forget(self._pages.prompts[s], rng) for s in searches.tolist()]
        generated = np.empty((count, 0), dtype=np.int64)
        if config.learn_from != "clicks":
            generated = sample(
                self._policy,
                self._trie,
                self._policy.read(prompts),
                size=config.group,
                rng=rng,
                temperature=config.temperature,
                distinct=config.distinct,
            ).leaves
        chosen = draw_experts(outcomes, searches, _TARGETS, rng, least=Outcome.CLICKED)
        groups = form_groups(generated, searches, outcomes, config, rng)
        rollout = Rollout(prompts, groups, chosen)
        if self._own_reward is None or config.learn_from == "clicks":
            return rollout
        return self._rewarded(rollout, self._own_reward)

    def _forget(self, prompt: Prompt, rng: np.random.Generator) -> Prompt:
        """A prompt with some of what is known of its shopper left out, as in stage 3."""
        if rng.random() < self._config.shopper_dropout:
            return Prompt(prompt.text)
        rate = 2.0 * self._config.history_dropout * rng.random()
        kept = rng.random(len(prompt.history)) >= rate
        return replace(prompt, history=tuple(compress(prompt.history, kept.tolist())))

    def _rewarded(self, rollout: Rollout, own_reward: OwnReward) -> Rollout:
        """The searches that a reward of the team's own was given for, with it."""
        groups = rollout.groups
        queries = [prompt.text for prompt in rollout.prompts]
        rewards = own_reward(queries, groups.leaves, groups.outcome)
        answered = np.flatnonzero(~np.isnan(rewards).any(axis=1))
        return Rollout(
            [rollout.prompts[search] for search in answered.tolist()],
            _take(groups._replace(rewards=rewards), answered),
            rollout.chosen[answered],
        )


def _share_of_process(searches: int) -> int:
    """How many of a step's searches this process rolls out."""
    return len(range(rank(), searches, launched()))


def _take(groups: Groups, rows: NDArray[np.int64]) -> Groups:
    """Some of the groups."""
    taken: dict[str, Any] = {name: values[rows] for name, values in groups._asdict().items()}
    return Groups(**taken)


def flat_groups(groups: Groups) -> NDArray[np.bool_]:
    """Groups that teach nothing, since all their rewards are equal: bool `[Q]`."""
    found: NDArray[np.bool_] = objective.flat(
        torch.from_numpy(groups.rewards), torch.from_numpy(groups.there)
    ).numpy()
    return found


def _replace(rollout: Rollout, which: NDArray[np.bool_], by: Rollout) -> Rollout:
    """The same rollout with some of its groups replaced by others."""
    at = np.flatnonzero(which)[: len(by.prompts)]  # a reward of the team's own may be missing
    prompts = list(rollout.prompts)
    for place, prompt in zip(at.tolist(), by.prompts, strict=True):
        prompts[place] = prompt

    def patched(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        values = old.copy()
        values[at] = new
        return values

    new = by.groups._asdict()
    groups: dict[str, Any] = {
        name: patched(values, new[name]) for name, values in rollout.groups._asdict().items()
    }
    return Rollout(prompts, Groups(**groups), patched(rollout.chosen, by.chosen))


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
    trie: Trie,
    rollout: Rollout,
    config: AlignConfig,
    old: Tensor | None = None,
) -> StepLoss:
    """The loss of a rollout under the weights as they are.

    Args:
        policy: what is trained.
        reference: stage 3.
        trie: the SIDs in use.
        rollout: what to learn from.
        config: of the objective.
        old: log-probabilities of the members when they were rolled out, `[Q, M]`; None where the
            weights are still the same.
    """
    groups = rollout.groups
    leaves = np.concatenate([groups.leaves, rollout.chosen], axis=1)
    scored = score(policy, trie, rollout.prompts, leaves)
    n_places = groups.leaves.shape[1]
    logprob, chosen = scored.logprob[:, :n_places], scored.logprob[:, n_places:]
    there = torch.from_numpy(rollout.chosen >= 0)
    cross_entropy = -chosen[there].mean() if there.any() else logprob.new_zeros(())
    now = logprob.detach()
    if config.learn_from == "clicks":
        return StepLoss(cross_entropy, now, {"cross_entropy": cross_entropy.item()})
    old = now if old is None else old
    gain, figures = _gain(logprob, old, groups, config)
    with torch.no_grad():
        apart = score(reference, trie, rollout.prompts, leaves)
    divergence = _divergence(scored, apart, old, groups, config)
    loss = config.kl_weight * divergence - gain + config.anchor * cross_entropy
    figures |= {"loss": loss.item(), "kl": divergence.item()}
    figures["cross_entropy"] = cross_entropy.item()
    return StepLoss(loss, now, figures | _entropies(scored) | rollout_figures(groups))


def _gain(
    logprob: Tensor, old: Tensor, groups: Groups, config: AlignConfig
) -> tuple[Tensor, Figures]:
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
    generated = members.there & ~members.expert
    return objective.mean_over_groups(value, members.there), {
        "clipped_generated": _share(clipped, generated),
        "clipped_experts": _share(clipped, members.expert),
    }


def _divergence(
    scored: Scored, apart: Scored, old: Tensor, groups: Groups, config: AlignConfig
) -> Tensor:
    """`KL(π_θ ‖ π_ref)` in nats a SID, over what was generated."""
    generated = torch.from_numpy(groups.there & ~groups.expert)
    n_places = groups.leaves.shape[1]
    if config.kl == "k3":
        now, reference = scored.logprob[:, :n_places], apart.logprob[:, :n_places]
        estimate = objective.kl_k3(now, reference, old)
        return objective.mean_over_groups(estimate, generated)
    width = scored.logprob.shape[1]
    row, column = scored.place // width, scored.place % width
    kept = (column < n_places) & generated[row, column.clamp(max=n_places - 1)]
    total = objective.kl_exact(scored.levels[0], apart.levels[0]).mean()
    for level in range(1, LEVELS):
        of_prefix = objective.kl_exact(scored.levels[level], apart.levels[level])
        total = total + of_prefix[scored.rows[level][kept]].mean()
    return total


def _entropies(scored: Scored) -> Figures:
    with torch.no_grad():
        return {
            f"entropy_{level + 1}": objective.entropy(logprobs)[rows].mean().item()
            for level, (logprobs, rows) in enumerate(zip(scored.levels, scored.rows, strict=True))
        }


def rollout_figures(groups: Groups) -> Figures:
    """What the groups of a step are like.

    Shares of the generated members by what became of them, their mean reward, and shares of the
    groups: without a hit, without gradient; and how many distinct SIDs were generated of a search.
    """
    generated = groups.there & ~groups.expert
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


def _share(what: Tensor, of: Tensor) -> float:
    return (what & of).sum().item() / max(int(of.sum().item()), 1)
