"""The training loop of small models: resume, step, report, keep a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor, nn

from genrecall.foundation.interrupt import until_step_ends
from genrecall.foundation.progress import Progress, RunLog
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.optim import LinearDecay, SparseDenseAdam


class Schedule(Protocol):
    """How long to train, and how fast; a section of the config that has these is one."""

    @property
    def steps(self) -> int:
        """In all, those of an interrupted run included."""

    @property
    def batch(self) -> int:
        """Examples of a step, for the progress."""

    @property
    def learning_rate(self) -> float:
        """Peak rate of the dense weights."""

    @property
    def embedding_learning_rate(self) -> float:
        """Peak rate of the embedding bags."""


def train_steps(
    name: str,
    model: nn.Module,
    losses: Callable[[int], Mapping[str, Tensor]],
    *,
    schedule: Schedule,
    checkpoints: Checkpoints,
    log: RunLog,
) -> None:
    """Train a model in place.

    Args:
        name: of what is trained, for progress and checkpoints.
        model: the weights.
        losses: what a step measures, by name; `loss` is minimized. It must depend on nothing but
            the weights and the step's number, so that resuming changes nothing.
        schedule: steps, batch and rates.
        checkpoints: where to save and to resume from.
        log: where to report.
    """
    steps, batch = schedule.steps, schedule.batch
    optimizer = SparseDenseAdam(
        model,
        dense=LinearDecay(schedule.learning_rate, steps),
        sparse=LinearDecay(schedule.embedding_learning_rate, steps),
    )
    start = checkpoints.resume(name, model, optimizer)
    if start:
        log.say(f"  {name}: resumes at step {start:,}")
    model.train()
    progress = Progress(log, name, total=(steps - start) * batch, before=start * batch)
    shown: dict[str, float] = {}
    with until_step_ends():
        for step in range(start, steps):
            measured = losses(step)
            optimizer.step([measured["loss"]], step)
            shown = {key: value.item() for key, value in measured.items()}
            progress.update(batch, **shown)
            checkpoints.save(name, step + 1, model, optimizer, steps=steps)
    model.eval()
    progress.finish(**shown)
