"""The folder of a run: where what lies in it, and how a bundle comes out of the stages' outputs."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from genrecall.foundation.artifact import (
    MANIFEST,
    Artifact,
    UnlistedFilesError,
    open_artifact,
)
from genrecall.foundation.errors import ArtifactError


@dataclass(frozen=True)
class Outputs:
    """Where a run writes.

    Attributes:
        folder: everything of the run.
    """

    folder: Path

    @property
    def bundle(self) -> Path:
        """The bundle to serve."""
        return self.folder / "bundle"

    @property
    def metrics(self) -> Path:
        """The figures of the validation split."""
        return self.folder / "metrics.json"

    @property
    def machine(self) -> Path:
        """What was measured on the machine, such as latency: all else is the same in equal runs."""
        return self.folder / "machine.json"

    @property
    def report(self) -> Path:
        """The page about that split and about what the run made."""
        return self.folder / "report.html"

    @property
    def report_data(self) -> Path:
        """What the page shows beside the figures, so that it can be made again without a model."""
        return self.folder / "report.json"

    @property
    def log(self) -> Path:
        """Events of all runs into this folder, one JSON object a line."""
        return self.folder / "log.jsonl"

    @property
    def rejects(self) -> Path:
        """Rows that could not be read, a file per table."""
        return self.folder / "rejects"

    def stage(self, name: str) -> Path:
        """Output of one stage."""
        return self.folder / "stages" / name

    def open_stage(self, name: str) -> Artifact:
        """What one stage has published.

        Raises:
            ArtifactError: it is missing or damaged.
        """
        return open_artifact(self.stage(name), kind=name)

    @property
    def vectors(self) -> Path:
        """The vector cache; may be deleted between runs."""
        return self.folder / "work" / "vectors"

    @property
    def checkpoints(self) -> Path:
        """From where an interrupted training resumes."""
        return self.folder / "work" / "checkpoints"

    def holds(self, path: Path) -> bool:
        """Whether a path lies in the folder, which a run replaces."""
        return path.resolve().is_relative_to(self.folder.resolve())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs out of the folder, until the block or the process ends.

        Raises:
            ArtifactError: another run is in it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArtifactError(
                    f"another run is writing {self.folder}. Wait for it, or give another --out."
                ) from None
            yield


def find_artifact(path: Path, *, kind: str) -> tuple[Artifact | None, str]:
    """An artifact that is there and whole, or None and, where it is damaged, what is wrong.

    Raises:
        ArtifactError: something else is at `path` or in it, which must not be replaced.
    """
    if not path.exists():
        return None, ""
    if not (path / MANIFEST).exists():
        raise ArtifactError(
            f"{path} was not written by GenRecall and is left as it is. Move it away, or give "
            "another --out."
        )
    try:
        return open_artifact(path, kind=kind), ""
    except UnlistedFilesError:
        raise
    except ArtifactError as error:
        return None, str(error)
