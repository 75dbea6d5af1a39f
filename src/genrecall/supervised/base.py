"""What the training half of a family is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from genrecall.foundation.progress import RunLog
from genrecall.learning.checkpoint import Checkpoints
from genrecall.supervised.sources import Source


class Trainer(Protocol):
    """The training half of a family."""

    def train(
        self,
        name: str,
        number: int,
        sources: Sequence[Source],
        *,
        checkpoints: Checkpoints,
        log: RunLog,
    ) -> None:
        """Train the stage `name`, the one with that number, on what its sources hold."""

    def save(self, folder: Path) -> None:
        """Write into a new folder what serving needs."""
