"""The folder of a run: where what lies in it, and how a bundle comes out of the stages' outputs."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from genrecall import __version__
from genrecall.artifact import (
    MANIFEST,
    Artifact,
    content_hash,
    open_artifact,
    write_json,
    write_text,
    writing,
)
from genrecall.channels.bundle import KIND as BUNDLE
from genrecall.channels.bundle import PARTS
from genrecall.config import Config
from genrecall.errors import ArtifactError
from genrecall.evaluate.metrics import Metrics
from genrecall.evaluate.report.page import render_report

_SERVED: Final[Mapping[str, tuple[str, ...]]] = {"data": ("items.parquet",)}
"""Of the stages not named here all files are served. Searches, users and rejects tell of single
shoppers and stay behind."""


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
    def report(self) -> Path:
        """The page about that split and about what the run made."""
        return self.folder / "report.html"

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

    @property
    def vectors(self) -> Path:
        """The vector cache; may be deleted between runs."""
        return self.folder / "work" / "vectors"

    @property
    def checkpoints(self) -> Path:
        """From where an interrupted training resumes."""
        return self.folder / "work" / "checkpoints"

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
        ArtifactError: something else is at `path`, which must not be replaced.
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
    except ArtifactError as error:
        return None, str(error)


def publish(outputs: Outputs, config: Config, stages: Mapping[str, Artifact]) -> Metrics:
    """Write the bundle, the figures, the page and the rejects where their readers look.

    Args:
        outputs: where to.
        config: what the stages were made with.
        stages: all of them, by name.

    Returns:
        The figures of the validation split.
    """
    evaluated = stages["evaluate"]
    metrics: Metrics = evaluated.read_json("metrics.json")
    meta = {
        "version": __version__,
        "config": _portable(config),
        "metrics": metrics,
        "data": stages["data"].digest,
        "fusion": evaluated.read_json("fusion.json"),
        "sid_space": stages["quantize"].read_json("space.json"),
    }
    digests = {name: stages[name].digest for name in PARTS}
    inputs = content_hash({"stages": digests, "meta": meta})
    found, _ = find_artifact(outputs.bundle, kind=BUNDLE)
    if found is None or found.inputs != inputs:
        with writing(outputs.bundle, kind=BUNDLE, inputs=inputs, meta=meta) as folder:
            copy_served(stages, folder)
    write_json(outputs.metrics, metrics)
    write_text(outputs.report, render_report(metrics, evaluated.read_json("report.json")))
    _copy_rejects(stages["data"].path / "rejects", outputs.rejects)
    return metrics


def _portable(config: Config) -> dict[str, Any]:
    """The config without the paths of this machine."""
    values = config.model_dump(mode="json")
    for name, source in config.data.sources.items():
        values["data"][name]["file"] = source.file.name
    if (model := config.embed.pretrained) and Path(model).is_absolute():
        values["embed"]["pretrained"] = Path(model).name
    if (model := config.generator.lm.pretrained) and Path(model).is_absolute():
        values["generator"]["lm"]["pretrained"] = Path(model).name
    if distill := config.generator.distill:
        values["generator"]["distill"]["teacher"] = distill.teacher.name
    if kept := config.quantize.warm_start:
        values["quantize"]["warm_start"] = kept.name
    return values


def _copy_rejects(rejects: Path, target: Path) -> None:
    """Replace the files of an earlier run."""
    for old in target.glob("*.jsonl"):
        old.unlink()
    if rejects.is_dir():
        shutil.copytree(rejects, target, dirs_exist_ok=True)
    elif target.is_dir() and not any(target.iterdir()):
        target.rmdir()


def copy_served(stages: Mapping[str, Artifact], folder: Path) -> None:
    """Copy what a bundle holds of the stages, by name, into its folder."""
    for part in PARTS:
        for name in _SERVED.get(part, stages[part].files):
            target = folder / part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(stages[part].file(name), target)
