"""What a run has cost: seconds, throughput, memory by stage, from `log.jsonl`; size of the bundle.

None of it is ever the same again, so it stands in no file that equal runs share but the page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from genrecall.foundation.progress import MADE


class Training(NamedTuple):
    """One training.

    Attributes:
        stage: its name.
        units: examples, or what else it counts.
        per_second: of them, over all of the training since it last started.
    """

    stage: str
    units: int
    per_second: float


class Made(NamedTuple):
    """A stage of the run, as it last ran.

    Attributes:
        stage: its name.
        seconds: it took.
        peak_mib: the most memory that the process held until its end.
        trainings: in it.
    """

    stage: str
    seconds: float
    peak_mib: int
    trainings: tuple[Training, ...]


class Costs(NamedTuple):
    """What a run has cost.

    Attributes:
        bundle_mib: the bundle on disk.
        stages: those whose end the log tells, in the order in which they last ran.
    """

    bundle_mib: float
    stages: tuple[Made, ...]


def read_costs(log: Path, bundle: Path) -> Costs:
    """Read what a run's log tells, and weigh its bundle.

    Args:
        log: `log.jsonl`; may be missing, and its last line cut off.
        bundle: its folder.
    """
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    made: dict[str, Made] = {}
    trainings: dict[str, Training] = {}
    for event in _events(log):
        if event.get("event") == "progress" and event.get("total"):
            trainings[event["stage"]] = Training(event["stage"], event["done"], event["per_second"])
        elif event.get("event") == MADE:
            name = event["stage"]
            made.pop(name, None)
            done = tuple(trainings.values())
            made[name] = Made(name, event["seconds"], event["peak_mib"], done)
            trainings = {}
        elif event.get("event") == "run":
            trainings = {}  # of a run that was killed
    return Costs(size / 2**20, tuple(made.values()))


def _events(log: Path) -> list[dict[str, Any]]:
    events = []
    if log.is_file():
        with log.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                try:
                    events.append(json.loads(line))
                except ValueError:
                    continue
    return events
