"""What the training half of a family is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from genrecall.foundation.progress import RunLog
from genrecall.learning.checkpoint import Checkpoints
from genrecall.supervised.sources import TrainingStage


class Trainer(Protocol):
    """The training half of a family."""

    def train(self, stage: TrainingStage, *, checkpoints: Checkpoints, log: RunLog) -> None:
        """Train one stage on what its sources hold."""

    def save(self, folder: Path) -> None:
        """Write into a new folder what serving needs."""
