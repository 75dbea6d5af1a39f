"""The training loop of small models: resume, step, report, keep a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from genrecall.foundation.progress import Progress, RunLog
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.optim import LinearDecay, SparseDenseAdam


def train_steps(
    name: str,
    model: nn.Module,
    losses: Callable[[int], Mapping[str, Tensor]],
    *,
    steps: int,
    batch: int,
    dense_rate: float,
    sparse_rate: float,
    checkpoints: Checkpoints,
    log: RunLog,
) -> None:
    """Train a model in place.

    Args:
        name: of what is trained, for progress and checkpoints.
        model: the weights.
        losses: what a step measures, by name; `loss` is minimized. It must depend on nothing but
            the weights and the step's number, so that resuming changes nothing.
        steps: in all, those of an interrupted run included.
        batch: examples of a step, for the progress.
        dense_rate: peak rate of the dense weights.
        sparse_rate: peak rate of the embedding bags.
        checkpoints: where to save and to resume from.
        log: where to report.
    """
    optimizer = SparseDenseAdam(
        model, dense=LinearDecay(dense_rate, steps), sparse=LinearDecay(sparse_rate, steps)
    )
    start = checkpoints.resume(name, model, optimizer)
    if start:
        log.say(f"  {name}: resumes at step {start:,}")
    model.train()
    progress = Progress(log, name, total=(steps - start) * batch, before=start * batch)
    shown: dict[str, float] = {}
    for step in range(start, steps):
        measured = losses(step)
        optimizer.step(measured["loss"], step)
        shown = {key: value.item() for key, value in measured.items()}
        progress.update(batch, **shown)
        checkpoints.save(name, step + 1, model, optimizer)
    model.eval()
    progress.finish(**shown)
