"""How a stage works, beside its settings and what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genrecall.foundation.progress import RunLog


@dataclass(frozen=True)
class Work:
    """Where a stage writes and reports to, and where its chance comes from.

    Attributes:
        out: where the artifact appears.
        inputs: hash of what the stage depends on, for the artifact's manifest.
        seed: same seed, same artifact.
        log: where to report.
        checkpoints: folder of all checkpoints; None to keep none.
        checkpoint_every: seconds between two of them.
        cache: folder of vectors that were made before; None to keep none.
        machine: file of what was measured on this machine and no artifact may hold, since it is
            never the same again; None to keep none.
    """

    out: Path
    inputs: str
    seed: int
    log: RunLog
    checkpoints: Path | None = None
    checkpoint_every: float = 60.0
    cache: Path | None = None
    machine: Path | None = None

    @property
    def resumes_from(self) -> Path | None:
        """Folder of the checkpoints of these inputs."""
        return None if self.checkpoints is None else checkpoints_of(self.checkpoints, self.inputs)


def checkpoints_of(checkpoints: Path, inputs: str) -> Path:
    """Folder of the checkpoints that were made of the inputs with this hash."""
    return checkpoints / inputs[:16]
