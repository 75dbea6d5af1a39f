"""How the arms of an alignment went, read from the events of `log.jsonl`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from genrecall.evaluate.alignment import STEP, VALIDATED, collapses

MOST: Final = 200
"""Points of a curve."""

_NO_FIGURE: Final = {"event", "time", "arm", "step"}

_Event = dict[str, Any]


def read_alignment(lines: Iterable[str], arms: Sequence[str]) -> list[dict[str, Any]]:
    """The last training of each arm.

    A training that was interrupted goes on from its checkpoint: what it told beyond that point is
    replaced by what it told then. One that starts anew measures its start, step 0, and nothing of
    the one before is kept.

    Args:
        lines: of `log.jsonl`; the last one of a killed run may be cut off.
        arms: those that the bundle has; others are of earlier settings.

    Returns:
        For each arm of which there are events, in the order of `arms`:

        - `arm`
        - `steps`, `figures` {name: values}: means over the steps since the last point
        - `validated` [steps], `measured` {measure: values}: on validation searches
        - `kept`: the step whose weights were kept; None where the start was not measured
        - `collapsed`: steps at which exposure had risen at the cost of clicks

        A value is None where it was not measured or not finite. A curve has at most `MOST` points.
    """
    told: dict[str, list[_Event]] = {arm: [] for arm in arms}
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") in (STEP, VALIDATED) and event["arm"] in told:
            before = told[event["arm"]]
            told[event["arm"]] = [known for known in before if _stays(known, event)] + [event]
    return [_arm(arm, events) for arm, events in told.items() if events]


def _stays(known: _Event, event: _Event) -> bool:
    """Whether an event is still true after a later one."""
    if event["event"] == VALIDATED and event["step"] == 0:
        return False
    return bool(known["event"] != event["event"] or known["step"] < event["step"])


def _arm(arm: str, events: Sequence[_Event]) -> dict[str, Any]:
    steps = [event for event in events if event["event"] == STEP]
    validated = [event for event in events if event["event"] == VALIDATED]
    measured = [event["measured"] for event in validated]
    from_start = bool(validated) and validated[0]["step"] == 0
    gains = [
        None if from_start and collapses(event["measured"], measured[0]) else _finite(event["gain"])
        for event in validated
    ]
    best = max(range(len(gains)), key=lambda place: gains[place] or 0.0, default=0)
    shown, shown_validated = _thinned(len(steps)), _thinned(len(validated))
    return {
        "arm": arm,
        "steps": [steps[place]["step"] for place in shown],
        "figures": _columns([steps[place] for place in shown]),
        "validated": [validated[place]["step"] for place in shown_validated],
        "measured": _columns([measured[place] for place in shown_validated]),
        "kept": validated[best]["step"] if from_start else None,
        "collapsed": [
            event["step"]
            for event in validated
            if from_start and collapses(event["measured"], measured[0])
        ],
    }


def _columns(rows: Sequence[_Event]) -> dict[str, list[float | None]]:
    """The values of every name in some rows."""
    names = dict.fromkeys(name for row in rows for name in row if name not in _NO_FIGURE)
    return {name: [_finite(row.get(name)) for row in rows] for name in names}


def _thinned(count: int) -> list[int]:
    """At most `MOST` places of so many, the first and the last among them."""
    if count <= MOST:
        return list(range(count))
    return [place * (count - 1) // (MOST - 1) for place in range(MOST)]


def _finite(value: float | None) -> float | None:
    """A training that diverged must not cost the report."""
    return value if value is not None and math.isfinite(value) else None
