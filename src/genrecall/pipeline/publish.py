"""How a bundle comes out of the outputs of the stages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genrecall import __version__
from genrecall.bundle import assemble
from genrecall.config import Config
from genrecall.data.load import load_shop
from genrecall.evaluate.names import Metrics
from genrecall.foundation.artifact import BUNDLE, Artifact, content_hash
from genrecall.foundation.files import write_json, write_text
from genrecall.foundation.progress import RunLog
from genrecall.foundation.versions import Versions
from genrecall.offline.described import describe
from genrecall.offline.stage import EVIDENCE
from genrecall.pipeline.outputs import Outputs, find_artifact
from genrecall.pipeline.stages import STAGES, Stage
from genrecall.report.costs import read_costs
from genrecall.report.page import ReportData, render_report


def publish(
    outputs: Outputs,
    config: Config,
    stages: Sequence[Stage],
    artifacts: Mapping[str, Artifact],
    *,
    log: RunLog,
    anew: bool,
) -> Metrics:
    """Write the bundle, the figures, the rejects and the page where their readers look.

    The page comes last: whatever drawing it meets, the bundle stands.

    Args:
        outputs: where to.
        config: what the stages were made with.
        stages: of the pipeline.
        artifacts: what each of them has made, by name.
        log: where to report.
        anew: whether a stage has run, so that what the page shows is gathered again.

    Returns:
        The figures of the validation split, those of the machine among them.
    """
    evaluated = artifacts["evaluate"]
    metrics: Metrics = evaluated.read_json("metrics.json")
    meta = {
        "version": __version__,
        "config": config.portable(),
        "metrics": metrics,
        "data": artifacts["data"].digest,
        "fusion": evaluated.read_json("fusion.json"),
        "sid_space": artifacts["quantize"].read_json("space.json"),
    }
    inputs = _inputs(artifacts, meta, stages)
    found, _ = find_artifact(outputs.bundle, kind=BUNDLE)
    if found is None or found.inputs != inputs:
        versions = Versions(outputs.bundle)
        with versions.publishing(kind=BUNDLE, inputs=inputs, meta=meta) as folder:
            copy_served(artifacts, folder, stages=stages)
    write_json(outputs.metrics, metrics)
    shown = metrics | _of_machine(outputs, evaluated)
    _copy_rejects(artifacts["data"].path / "rejects", outputs.rejects)
    data = {} if anew else _read(outputs.report_data, evaluated)
    if not data:
        data = _gather(outputs, config, artifacts, log)
        write_json(outputs.report_data, data)
    costs = read_costs(outputs.log, outputs.bundle)
    write_text(outputs.report, render_report(shown, data, costs))
    return shown


def made_of(bundle: Artifact, outputs: Outputs) -> dict[str, Artifact] | None:
    """The stages of a run that a bundle was made of; None where they are gone, or are others.

    They hold what a bundle does without, such as training stages before the last.
    """
    served, found = [stage for stage in STAGES if stage.served], {}
    for stage in served:
        artifact, _ = find_artifact(outputs.stage(stage.name), kind=stage.name)
        if artifact is None:
            return None
        found[stage.name] = artifact
    return found if _inputs(found, bundle.meta, served) == bundle.inputs else None


def _inputs(
    artifacts: Mapping[str, Artifact], meta: Mapping[str, Any], stages: Sequence[Stage]
) -> str:
    """Hash of all that a bundle is made of."""
    digests = {stage.name: artifacts[stage.name].digest for stage in stages if stage.served}
    return content_hash({"stages": digests, "meta": dict(meta)})


def _gather(
    outputs: Outputs, config: Config, artifacts: Mapping[str, Artifact], log: RunLog
) -> ReportData:
    """What the page shows: what was measured, and what is drawn of the bundle."""
    evaluated = artifacts["evaluate"]
    described = describe(
        assemble(artifacts, channels=config.channels),
        load_shop(artifacts["data"]).searches,
        inputs=evaluated.inputs,
        log_file=outputs.log,
        seed=config.seed,
        log=log,
    )
    measured: ReportData = evaluated.read_json(EVIDENCE)
    return described | measured


def _of_machine(outputs: Outputs, evaluated: Artifact) -> Metrics:
    """What was measured on the machine while the stage was made; nothing if that is not there."""
    told = _read(outputs.machine, evaluated)
    return {name: figures for name, figures in told.items() if name != "inputs"}


def _read(path: Path, evaluated: Artifact) -> dict[str, Any]:
    """A file beside an evaluation that names its inputs; nothing where it is of another one."""
    try:
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return told if told["inputs"] == evaluated.inputs else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _copy_rejects(rejects: Path, target: Path) -> None:
    """Replace the files of an earlier run."""
    for old in target.glob("*.jsonl"):
        old.unlink()
    if rejects.is_dir():
        shutil.copytree(rejects, target, dirs_exist_ok=True)
    elif target.is_dir() and not any(target.iterdir()):
        target.rmdir()


def copy_served(
    artifacts: Mapping[str, Artifact], folder: Path, *, stages: Sequence[Stage] = STAGES
) -> None:
    """Copy what a bundle holds of the stages into its folder.

    Args:
        artifacts: what the stages have made, by name; at least those of which something is served.
        folder: of the bundle.
        stages: of the pipeline.
    """
    for stage in stages:
        if not stage.served:
            continue
        for name in stage.served_files(artifacts[stage.name]):
            target = folder / stage.name / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(artifacts[stage.name].file(name), target)
