"""How fast generators train, as their `log.jsonl` says, and how many steps fit into a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from genrecall.foundation.progress import MEASURED
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.load import STAGES

WARM_UP: Final = 10
"""Steps of a calibration that are not counted: the first ones are slow."""
COUNTED: Final = 30
"""Steps of a calibration that are."""

_TEACHER: Final = "teacher"


class Stage(NamedTuple):
    """How one stage was trained.

    Attributes:
        steps: of the optimizer.
        batch: prompts of a step.
        seconds: of the training loop, at the speed that it ended with if it was interrupted.
        examples_per_second: prompts.
        tokens_per_second: read by a language model; None for the compact family.
        utilization: FLOPs per second over the device's peak; likewise.
        peak: what that peak is and where the number is from.
    """

    steps: int
    batch: int
    seconds: float
    examples_per_second: float
    tokens_per_second: float | None = None
    utilization: float | None = None
    peak: str | None = None


Steps = dict[str, int]
"""How long each stage is trained, decided before it is."""


def trained(log: Path, generator: GeneratorConfig) -> dict[str, Stage]:
    """The stages that were trained, in order, by the last thing that the log says of each."""
    speeds: dict[str, float] = {}
    examples: dict[str, int] = {}
    used: dict[str, dict[str, Any]] = {}
    for event in _events(log):
        if event["event"] == "progress" and event["done"]:
            speeds[event["stage"]] = event["per_second"]
            examples[event["stage"]] = event["total"]
        elif event["event"] == "utilization":
            used[event["stage"]] = event
    stages: dict[str, Stage] = {}
    for name in STAGES:
        stage = getattr(generator, name)
        if not stage.steps or name not in speeds:
            continue
        stages[name] = Stage(
            steps=examples[name] // stage.batch,  # stage 3 may have ended early
            batch=stage.batch,
            seconds=examples[name] / speeds[name],
            examples_per_second=speeds[name],
        )
        if name in used:
            peak = f"{used[name]['peak_flops'] / 1e12:,.3g} TFLOP/s ({used[name]['peak_source']})"
            stages[name] = stages[name]._replace(
                tokens_per_second=used[name]["tokens_per_second"],
                utilization=used[name]["flop_utilization"],
                peak=peak,
            )
    return stages


def teacher_seconds(log: Path) -> float | None:
    """How long the teacher took to answer; None where there was none."""
    seconds = None
    for event in _events(log):
        if event["event"] == "progress" and event["stage"] == _TEACHER:
            seconds = event["done"] / max(event["per_second"], 1e-9)
    return seconds


def calibrated(log: Path) -> dict[str, float]:
    """Examples per second of each stage of a calibration, without its first steps."""
    points: dict[str, list[tuple[float, int]]] = {}
    for event in _events(log):
        if event["event"] == MEASURED and event["stage"] in STAGES:
            points.setdefault(event["stage"], []).append((event["time"], event["done"]))
    speeds = {}
    for name, of_stage in points.items():
        (start, before), (end, done) = of_stage[WARM_UP - 1], of_stage[-1]
        speeds[name] = (done - before) / max(end - start, 1e-3)  # times are given in milliseconds
    return speeds


def plan_stages(
    seconds: float, examples: Mapping[str, int], batch: int, speeds: Mapping[str, float]
) -> Steps:
    """Split a time between the stages in proportion of the examples that they are worth.

    Args:
        seconds: of all stages together.
        examples: by stage, as another training had them; others than those of `speeds` do not
            count.
        batch: prompts of a step.
        speeds: examples per second.

    >>> plan_stages(60, {"a": 100, "b": 200}, 10, {"a": 50.0, "b": 30.0})
    {'a': 100, 'b': 120}
    """
    total = sum(examples[name] for name in speeds)
    return {
        name: max(round(seconds * examples[name] / total * speed / batch), 1)
        for name, speed in speeds.items()
    }


def plan_longer(seconds: float, stages: Mapping[str, Stage]) -> Steps:
    """Scale all steps of a training alike, so that it takes so long."""
    factor = seconds / sum(stage.seconds for stage in stages.values())
    return {name: max(round(stage.steps * factor), 1) for name, stage in stages.items()}


def _events(log: Path) -> Iterator[dict[str, Any]]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
