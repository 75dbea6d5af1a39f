"""Trains one arm: steps of EG-GRPO, validation, the best checkpoint, exact resume.

A step depends on nothing but the weights, the seed and its number, so a run that resumes from a
checkpoint ends in the weights of an uninterrupted one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, distributed, nn

from genrecall.align.pages import Pages
from genrecall.align.roller import Roller, Rollout, split
from genrecall.align.scorers import own_reward
from genrecall.align.step import Figures, describe, step_loss
from genrecall.align.validation import MEASURED, Measured, Validation, as_tensor, mean_gain
from genrecall.evaluate.alignment import ENTROPY, STEP, VALIDATED, collapses
from genrecall.foundation.interrupt import until_step_ends
from genrecall.foundation.progress import Progress, RunLog, SilentLog
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.base import Policy
from genrecall.learning.checkpoint import Checkpoints, Optimizer
from genrecall.learning.processes import is_main, launched, rank

CHANCE: Final = 3  # a stream of chance of its own, behind those of the supervised stages


class Learner(Protocol):
    """The training half of a family for alignment: weights that are trained, from a start."""

    @property
    def policy(self) -> Policy[Any]:
        """With the weights in training."""

    @property
    def reference(self) -> Policy[Any]:
        """With those of the start."""

    @property
    def weights(self) -> nn.Module:
        """All that is trained."""

    @property
    def at_once(self) -> int:
        """Searches that are scored together at most: bounds the memory."""

    def optimizer(self, config: AlignConfig) -> StepOptimizer:
        """What follows the gradients of `weights`."""

    def save(self, folder: Path) -> None:
        """Write into a new folder what serving needs."""


class StepOptimizer(Optimizer, Protocol):
    """Follows the gradients of losses."""

    def step(self, losses: Iterable[Tensor], step: int) -> None:
        """Follow the gradient of the sum of `losses` at the rates of `step`."""


class Aligned(NamedTuple):
    """How an arm went.

    Attributes:
        best_step: whose weights were kept; 0 for those of the start.
        start: what was measured before the first step.
        best: what was measured at the best step.
        collapsed: steps at which the alarm went off.
    """

    best_step: int
    start: Measured
    best: Measured
    collapsed: tuple[int, ...]


class _Kept(nn.Module):
    """All that a checkpoint must hold beside the optimizer: weights now, the best, measurements."""

    best_point: Tensor
    measured: Tensor

    def __init__(self, weights: nn.Module, points: int) -> None:
        super().__init__()
        self.now = weights
        self.best = copy.deepcopy(weights).requires_grad_(False)
        self.register_buffer("best_point", torch.zeros((), dtype=torch.long))
        blank = torch.full((points, len(MEASURED)), float("nan"), dtype=torch.float64)
        self.register_buffer("measured", blank)


def train_arm(
    learner: Learner,
    pages: Pages,
    validation: Pages,
    config: AlignConfig,
    *,
    seed: int,
    checkpoints: Checkpoints,
    log: RunLog,
) -> Aligned:
    """Train a learner in place, and leave it with its best weights.

    Args:
        learner: at its start.
        pages: to learn from.
        validation: to choose the best weights by.
        config: of the arm.
        seed: of the rollouts.
        checkpoints: where to save and to resume from.
        log: where to report; only the main process of a launch does.
    """
    if not is_main():
        log = SilentLog()
    name = config.name
    own = own_reward(config.rewards, learner.policy.items)
    roller = Roller(learner.policy, pages, config, own)
    measure = Validation(learner.policy, validation)
    optimizer = learner.optimizer(config)
    points = _points(config)
    kept = _Kept(learner.weights, len(points))
    first = checkpoints.resume(name, kept, optimizer)
    if launched() > 1:
        distributed.barrier()  # before the main process writes a checkpoint
    if first:
        log.say(f"  {name}: resumes at step {first:,}")
    else:
        _validate(kept, 0, measure(), points, config, log)
    total = (config.steps - first) * config.batch
    progress = Progress(log, name, total=total, unit="SIDs", before=first * config.batch)
    window: list[Figures] = []
    with until_step_ends():
        for step in range(first, config.steps):
            failed = 0 if own is None else own.failures
            rollout = roller.roll(np.random.default_rng([seed, CHANCE, step, rank()]))
            figures = _learn(learner, optimizer, rollout, config, step)
            if own is not None:
                figures["without_reward"] = float(own.failures - failed)
            window.append(figures)
            shown = {key: figures[key] for key in _SHOWN if key in figures}
            progress.update(config.batch, **shown)
            if step + 1 in points:
                log.event(STEP, arm=name, step=step + 1, **_means(window))
                window = []
                _validate(kept, points.index(step + 1), measure(), points, config, log)
            checkpoints.save(name, step + 1, kept, optimizer, steps=config.steps)
    progress.finish()
    learner.weights.load_state_dict(kept.best.state_dict())
    went = _outcome(kept, points)
    log.say(f"  {name}: {_say_kept(went, config)}")
    if own is not None and own.failures:
        log.note(
            f"  {name}: {config.rewards.own} gave no reward for {own.failures:,} searches, which "
            f"taught nothing; at last: {own.cause}"
        )
    return went


def _learn(
    learner: Learner, optimizer: StepOptimizer, rollout: Rollout, config: AlignConfig, step: int
) -> Figures:
    """Follow the gradients of a rollout; figures of the last inner step."""
    policy, reference = learner.policy, learner.reference
    old: Tensor | None = None
    figures: Figures = {}

    def losses() -> Iterator[Tensor]:
        """Of the parts, each of which is forgotten before the next is computed."""
        nonlocal old
        logprobs = []
        for part, rows, share in split(rollout, learner.at_once):
            before = None if old is None else old[rows]
            found = step_loss(policy, reference, part, config, before, share)
            for name, value in found.figures.items():
                figures[name] = figures.get(name, 0.0) + value
            logprobs.append(found.logprob)
            yield found.loss
        old = torch.cat(logprobs) if old is None else old

    for _ in range(config.inner_steps):
        figures.clear()
        if not rollout.is_empty:
            optimizer.step(losses(), step)
        elif launched() > 1:  # the other processes wait for gradients, as often
            optimizer.step([_nothing(learner.weights)], step)
    return figures | (describe(rollout.groups) if rollout.prompts else {})


def _nothing(weights: nn.Module) -> Tensor:
    """A loss without a gradient that moves anything."""
    return sum((weight.sum() * 0.0 for weight in weights.parameters()), torch.zeros(()))


_SHOWN: Final = ("reward", "kl", "entropy_1", "without_hit", "cross_entropy")
"""Figures of a step on the terminal; `log.jsonl` has all."""


def _points(config: AlignConfig) -> list[int]:
    """Steps after which is measured; the start and the end are among them."""
    return sorted({*range(0, config.steps, config.validate_every), config.steps})


@torch.no_grad()
def _validate(
    kept: _Kept, point: int, found: Measured, points: list[int], config: AlignConfig, log: RunLog
) -> None:
    """Keep what was measured, and the weights if they are the best so far."""
    kept.measured[point] = as_tensor(found)
    start = _measured(kept, 0)
    gain, best = mean_gain(found, start), mean_gain(_measured(kept, int(kept.best_point)), start)
    collapsed = collapses(found, start)
    if gain > best and not collapsed:
        kept.best_point.fill_(point)
        kept.best.load_state_dict(kept.now.state_dict())
    shown = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
    log.say(f"  {config.name} at step {points[point]:,}: {shown}")
    log.event(VALIDATED, arm=config.name, step=points[point], measured=found, gain=gain)
    if collapsed:
        fell = [f"{name} {start[name]:.4f} to {found[name]:.4f}" for name in ("clk@10", ENTROPY)]
        log.note(
            f"  {config.name}: ALARM: exposure rises at the cost of clicks or of entropy "
            f"({', '.join(fell)}). These weights are not kept; lower "
            "generator.align.learning_rate, or raise kl_weight or experts."
        )


def _measured(kept: _Kept, point: int) -> Measured:
    values = kept.measured[point].tolist()
    return {name: v for name, v in zip(MEASURED, values, strict=True) if not np.isnan(v)}


def _outcome(kept: _Kept, points: list[int]) -> Aligned:
    every = [_measured(kept, point) for point in range(len(points))]
    best = int(kept.best_point)
    collapsed = [
        step for step, found in zip(points, every, strict=True) if collapses(found, every[0])
    ]
    return Aligned(points[best], every[0], every[best], tuple(collapsed))


def _say_kept(went: Aligned, config: AlignConfig) -> str:
    if not went.best_step:
        return "keeps stage 3: on validation searches no step was better"
    return f"keeps the weights of step {went.best_step:,} of {config.steps:,}"


def _means(window: list[Figures]) -> Figures:
    names = {name for figures in window for name in figures}
    return {
        name: float(np.mean([figures[name] for figures in window if name in figures]))
        for name in sorted(names)
    }
