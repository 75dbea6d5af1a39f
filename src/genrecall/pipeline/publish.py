"""How a bundle comes out of the outputs of the stages."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from genrecall import __version__
from genrecall.bundle import KIND as BUNDLE
from genrecall.bundle import PARTS
from genrecall.config import Config
from genrecall.evaluate.metrics import Metrics
from genrecall.foundation.artifact import (
    Artifact,
    content_hash,
    write_json,
    write_text,
    writing,
)
from genrecall.pipeline.outputs import Outputs, find_artifact
from genrecall.report.page import render_report

_SERVED: Final[Mapping[str, tuple[str, ...]]] = {"data": ("items.parquet",)}
"""Of the stages not named here all files are served. Searches, users and rejects tell of single
shoppers and stay behind."""


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
