"""One cell: plan how long it trains, train it with the pipeline, measure it.

The stages before the generator are made once for all cells of a config and seed. A cell has a
folder that is named after a hash of its settings, so what is there is never of other settings; its
plan is written before it trains, so that an interrupted cell goes on exactly.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from safetensors import safe_open

from benchmarks.families.cells import (
    COMPACT,
    EQUAL,
    LM,
    STUDENT,
    compact,
    language_model,
    student,
    with_steps,
)
from benchmarks.families.pace import (
    COUNTED,
    WARM_UP,
    Stage,
    Steps,
    calibrated,
    plan_longer,
    plan_stages,
    teacher_seconds,
    trained,
)
from genrecall import __version__
from genrecall.bundle import KIND as BUNDLE
from genrecall.bundle import OpenBundle
from genrecall.config import Config
from genrecall.data.load import load_shop
from genrecall.evaluate.inputs import EvaluationInputs, unit_groups
from genrecall.evaluate.measures import recall_at
from genrecall.evaluate.names import BEAM_WIDTHS, GENERATIVE, POPULARITY, RECALL_AT
from genrecall.foundation.artifact import Artifact, content_hash, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.progress import FileLog, RunLog
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.lm.config import Size, Training
from genrecall.generator.load import STAGES, trained_stages
from genrecall.offline.measure import Plan, evaluate
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.publish import copy_served
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import open_made
from genrecall.quantize.load import HEALTH

SHARED: Final = ("data", "embed", "quantize")
BASELINES: Final = ("bm25", "dense", POPULARITY)


@dataclass(frozen=True)
class CellOutputs(Outputs):
    """The folder of a cell, which takes the stages before the generator from elsewhere.

    Attributes:
        base: where they lie.
    """

    base: Outputs

    def stage(self, name: str) -> Path:
        """Output of one stage."""
        return self.base.stage(name) if name in SHARED else super().stage(name)


@dataclass(frozen=True)
class Bench:
    """What all cells of one config and seed have in common.

    Attributes:
        config: of the shop, with this seed.
        folder: where to write.
        seconds: of training, for the cells of equal time.
        size: of the language model.
        device: where it computes, `cpu` or `cuda`.
        training: batch and learning rate of the language model.
        sample_seed: draws the same searches for every seed.
    """

    config: Config
    folder: Path
    seconds: float
    size: Size
    device: str
    training: Training
    sample_seed: int

    @property
    def base(self) -> Outputs:
        """Where the shared stages lie."""
        return Outputs(self.folder / "base")


@dataclass(frozen=True)
class Finished:
    """What one cell says.

    Attributes:
        parameters: weights of the generator; the encoder, which all cells share, apart.
        stages: how each one was trained.
        teacher_seconds: that the teacher took to answer; None without one.
        health: figures of the SIDs.
        units: a number for the query of each search, or its shopper; intervals are over these.
        values: channel → measure → value of each search.
        folder: of the cell.
    """

    parameters: int
    stages: Mapping[str, Stage]
    teacher_seconds: float | None
    health: Mapping[str, Any]
    units: Sequence[int]
    values: Mapping[str, Mapping[str, Sequence[float]]]
    folder: Path

    @property
    def teacher(self) -> Path:
        """The bundle of a language model that teaches."""
        return self.folder / "teacher"

    @property
    def seconds(self) -> float:
        """Of training."""
        return sum(stage.seconds for stage in self.stages.values())


def prepare(bench: Bench) -> None:
    """Run the shared stages, where they are not up to date."""
    run(bench.config, bench.base, last=SHARED[-1])


def finish(bench: Bench, name: str, finished: Mapping[str, Finished]) -> Finished:
    """Train and measure a cell, or read what it said.

    Args:
        bench: what the cells have in common; its shared stages are there.
        name: of the cell.
        finished: those that it needs, by name.
    """
    generator = _generator(bench, name, finished)
    folder = bench.folder / f"{name}-{_hash(bench, name, generator)[:12]}"
    path = folder / "result.json"
    if path.exists():
        return _read(path)
    if name in (LM, EQUAL):
        steps = _planned(bench, name, generator, finished, folder)
        generator = with_steps(generator, steps)
    config = bench.config.model_copy(update={"generator": generator})
    outputs = CellOutputs(folder, bench.base)
    run(config, outputs, last="calibrate")
    parts = open_made(outputs, config.channels)
    if name == LM:
        _keep_teacher(folder / "teacher", config, parts.stages)
    inputs = _measure(parts, config, seed=bench.sample_seed, log=FileLog(outputs.log))
    done = Finished(
        parameters=_parameters(parts.stages["generator"]),
        stages=trained(outputs.log, generator),
        teacher_seconds=teacher_seconds(outputs.log) if name == STUDENT else None,
        health=parts.stages["quantize"].read_json(HEALTH),
        units=unit_groups(inputs).tolist(),
        values={
            GENERATIVE: _values(inputs, GENERATIVE, parts.trained[-1]),
            **{name: _values(inputs, name, name) for name in BASELINES if name in inputs.channels},
        },
        folder=folder,
    )
    _write(path, done)
    return done


def _generator(bench: Bench, name: str, finished: Mapping[str, Finished]) -> GeneratorConfig:
    generator = bench.config.generator
    if name == LM:
        return language_model(generator, bench.size, bench.device, bench.training)
    if name == STUDENT:
        return student(generator, finished[LM].teacher.resolve())
    return compact(generator)


def _hash(bench: Bench, name: str, generator: GeneratorConfig) -> str:
    """What the figures of a cell depend on."""
    config = bench.config
    settings: dict[str, Any] = {
        "version": __version__,
        "base": {stage: bench.base.open_stage(stage).digest for stage in SHARED},
        "generator": generator.content(),
        "channels": config.channels.model_dump(mode="json"),
        "evaluate": config.evaluate.model_dump(mode="json"),
        "seeds": [config.seed, bench.sample_seed],
        "threads": config.threads,
    }
    if name in (LM, EQUAL):
        settings["seconds"] = bench.seconds
    return content_hash(settings)


def _planned(
    bench: Bench,
    name: str,
    generator: GeneratorConfig,
    finished: Mapping[str, Finished],
    folder: Path,
) -> Steps:
    """The plan that is there, or a new one."""
    path = folder / "plan.json"
    if path.exists():
        steps: Steps = json.loads(path.read_text("utf-8"))
        return steps
    if name == EQUAL:
        steps = plan_longer(bench.seconds, finished[COMPACT].stages)
    else:
        # What `compact` has read, and not what its settings allow: stage 3 may end early.
        examples = {
            stage: done.steps * done.batch for stage, done in finished[COMPACT].stages.items()
        }
        speeds = _calibrate(bench, generator, folder / "calibration")
        steps = plan_stages(bench.seconds, examples, bench.training.batch, speeds)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, steps)
    return steps


def _calibrate(bench: Bench, generator: GeneratorConfig, folder: Path) -> dict[str, float]:
    """Examples per second of each stage, by training each for a few steps."""
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    few = {stage: WARM_UP + COUNTED for stage in STAGES if getattr(generator, stage).steps}
    # All prompts take as long, however many there are; nothing of this is kept, so stage 3 may read
    # a few searches very often.
    short = with_steps(generator, few).model_copy(
        update={"pseudo_queries": min(generator.pseudo_queries, 20_000), "shopper_passes": 1e9}
    )
    outputs = CellOutputs(folder, bench.base)
    run(bench.config.model_copy(update={"generator": short}), outputs, last="align")
    speeds = calibrated(outputs.log)
    shutil.rmtree(folder)
    return speeds


def _keep_teacher(path: Path, config: Config, stages: Mapping[str, Artifact]) -> None:
    """What a student opens: a bundle without figures."""
    meta = {"version": __version__, "config": config.portable()}
    with writing(path, kind=BUNDLE, meta=meta) as folder:
        copy_served(stages, folder)


def _measure(parts: OpenBundle, config: Config, *, seed: int, log: RunLog) -> EvaluationInputs:
    """What the figures are computed from."""
    offline = evaluate(
        parts,
        load_shop(parts.stages["data"]),
        split="validation",
        plan=Plan(config.evaluate, config.funnel.fusion, seed=seed),
        health={},
        log=log,
    )
    assert offline.evidence is not None  # something was measured, or `evaluate` had complained
    return offline.evidence.inputs


def _values(inputs: EvaluationInputs, channel: str, stage: str) -> dict[str, list[float]]:
    values = recall_at(inputs.channels[channel], inputs.positives, RECALL_AT)
    if (beams := inputs.beams.get(stage)) is not None:
        assert inputs.sid_of_item is not None
        targets = [inputs.sid_of_item[rows] for rows in inputs.positives]
        widths = [width for width in BEAM_WIDTHS if width <= beams.shape[1]]
        values |= recall_at(list(beams), targets, widths, name="hit@")
    return {measure: of_searches.tolist() for measure, of_searches in values.items()}


def _parameters(generator: Artifact) -> int:
    """Weights of the stage that serves."""
    stage = trained_stages(generator)[-1]
    total = 0
    for name in generator.files:
        if name.startswith(f"{stage}/") and name.endswith(".safetensors"):
            with safe_open(generator.file(name), framework="pt") as stored:
                for key in stored.keys():  # noqa: SIM118
                    total += math.prod(stored.get_slice(key).get_shape())
    return total


def _write(path: Path, done: Finished) -> None:
    values = asdict(done)
    del values["folder"]  # which may be moved
    values["stages"] = {name: stage._asdict() for name, stage in done.stages.items()}
    write_json(path, values)


def _read(path: Path) -> Finished:
    values = json.loads(path.read_text("utf-8"))
    stages = {name: Stage(**values["stages"][name]) for name in STAGES if name in values["stages"]}
    return Finished(**values | {"stages": stages, "folder": path.parent})
