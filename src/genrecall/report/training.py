"""Training curves, read from the events of `log.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from genrecall.evaluate.alignment import STEP, VALIDATED
from genrecall.foundation.progress import MEASURED

_NO_LOSS = {"event", "time", "stage", "done", "total"}


def read_curves(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The last training of each stage, in the order of the log; alignment has curves of its own.

    A training that was interrupted goes on from its checkpoint: what it measured beyond that point
    is replaced by what it measured then.

    Args:
        lines: of `log.jsonl`; the last one of a killed run may be cut off.

    Returns:
        For each stage its `stage`, `done` [units of work] and `losses` [{`name`, `values`}]; a
        value is None where it was not measured or not finite.
    """
    points: dict[str, list[dict[str, Any]]] = {}
    arms = set()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") == MEASURED:
            before = points.get(event["stage"], [])
            points[event["stage"]] = [
                point
                for point in before
                if point["total"] == event["total"] and point["done"] < event["done"]
            ] + [event]
        elif event.get("event") in (STEP, VALIDATED):
            arms.add(event["arm"])
    return [_curve(stage, measured) for stage, measured in points.items() if stage not in arms]


def _curve(stage: str, points: list[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in points[-1] if name not in _NO_LOSS]
    return {
        "stage": stage,
        "done": [point["done"] for point in points],
        "losses": [
            {"name": name, "values": [_finite(point.get(name)) for point in points]}
            for name in names
        ],
    }


def _finite(value: float | None) -> float | None:
    """A training that diverged must not cost the report."""
    return value if value is not None and math.isfinite(value) else None
