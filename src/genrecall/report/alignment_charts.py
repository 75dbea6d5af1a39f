"""The charts of an alignment: what validation measured, and what the trainings told, by step.

Arms have the same color in all charts of training, and measures in all charts of validation.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from genrecall.evaluate.alignment import COMPARED
from genrecall.report import phrases
from genrecall.report.plotting import Chart, Json, Parts, Series, make_axis, make_chart, make_layout

_COLORS: Final = ("--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8")
_DASHES: Final = ("solid", "dash", "dot")
_SHARE: Final = {"tickformat": ".0%", "rangemode": "tozero"}
_ROOM: Final = 0.08  # above and below the lines

Lines = Mapping[str, str]
"""Figures of `log.jsonl` by what they are called; more than one differ by their dash."""

_TRAINING: Final[Mapping[str, tuple[str, Lines, Mapping[str, Any]]]] = {
    "reward": ("mean reward", {"reward": "reward"}, {"rangemode": "tozero"}),
    "kl": ("KL, nats", {"kl": "KL"}, {"rangemode": "tozero"}),
    "entropy": (
        "entropy, nats",
        {f"entropy_{level}": f"level {level}" for level in (1, 2, 3)},
        {"rangemode": "tozero"},
    ),
    "groups": (
        "share of groups",
        {"without_hit": "without a hit", "without_gradient": "without a gradient"},
        _SHARE,
    ),
    "distinct": ("distinct SIDs", {"distinct": "distinct SIDs"}, {"rangemode": "tozero"}),
    "clipped": (
        "share clipped",
        {"clipped_generated": "generated SIDs", "clipped_experts": "experts"},
        _SHARE,
    ),
}


def gain_charts(arms: Sequence[Json]) -> dict[str, Chart]:
    """What validation measured less its start, in percent of it: a chart for each arm, by its name.

    All have the same axis. An arm whose start was not measured has none.
    """
    gains = {arm["arm"]: _gains(arm) for arm in arms if arm["kept"] is not None}
    every = [gain for lines in gains.values() for line in lines.values() for gain in line]
    found = [gain for gain in every if gain is not None]
    if not found:
        return {}
    room = _ROOM * max(max(found) - min(found), 1.0)
    ends = [min(found) - room, max(found) + room]
    return {
        arm["arm"]: _gain_chart(number, arm, gains[arm["arm"]], ends)
        for number, arm in enumerate(arms)
        if arm["arm"] in gains
    }


def training_charts(arms: Sequence[Json]) -> dict[str, Chart]:
    """What the trainings told, one chart for each kind of figure of which there is any.

    Where nothing was clipped there is no chart of it.
    """
    made = {}
    for name, (title, lines, axis) in _TRAINING.items():
        parts: Parts = []
        for color, arm in zip(_COLORS, arms, strict=False):
            there = [figure for figure in lines if _is_told(arm, figure, name)]
            if there:
                series = Series(phrases.arm(arm["arm"]), color)
                traces = [
                    _line(
                        series._replace(dash=_DASHES[list(lines).index(figure)]),
                        arm["steps"],
                        arm["figures"][figure],
                        f"{series.name}, {lines[figure]}: %{{y:.4g}}",
                    )
                    for figure in there
                ]
                parts.append((series, traces))
        if parts:
            layout = _low_layout(make_axis("steps", rangemode="tozero"), make_axis(title, **axis))
            label = f"Line chart: {title} by step, for {len(parts)} arms."
            made[name] = make_chart(f"align-{name}", label, parts, layout)._replace(low=True)
    return made


def _gains(arm: Json) -> dict[str, list[float | None]]:
    measured = {name: arm["measured"][name] for name in COMPARED if name in arm["measured"]}
    return {
        name: [None if value is None else 100 * (value / values[0] - 1) for value in values]
        for name, values in measured.items()
        if values[0]
    }


def _gain_chart(
    number: int, arm: Json, gains: Mapping[str, Sequence[float | None]], ends: Sequence[float]
) -> Chart:
    parts: Parts = []
    for name, values in gains.items():
        series = Series(name, _COLORS[COMPARED.index(name)])
        text = f"{name} at step %{{x:,}}: %{{y:+.2f}} %"
        parts.append((series, [_line(series, arm["validated"], values, text)]))
    layout = _low_layout(
        make_axis("steps"), make_axis("change, %", range=list(ends), tickformat="~g")
    )
    mark = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": arm["kept"], "x1": arm["kept"]}
    layout["shapes"] = [mark | {"line": {"color": "--muted", "width": 1.5, "dash": "dot"}}]
    label = f"Line chart: change of the validation measures of {phrases.arm(arm['arm'])} by step."
    return make_chart(f"align-gain-{number}", label, parts, layout)._replace(low=True)


def _is_told(arm: Json, figure: str, chart: str) -> bool:
    values = arm["figures"].get(figure, [])
    return any(values) if chart == "clipped" else any(value is not None for value in values)


def _line(series: Series, x: Sequence[int], y: Sequence[float | None], text: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 1 else "markers",
        "name": html.escape(series.name),
        "x": list(x),
        "y": [None if value is None else float(f"{value:.5g}") for value in y],
        "line": {"color": series.color, "width": 2, "dash": series.dash},
        "marker": {"color": series.color},
        "hovertemplate": f"{html.escape(text)}<extra></extra>",
    }


def _low_layout(x: Json, y: Json) -> dict[str, Any]:
    return make_layout(x, y) | {"margin": {"l": 52, "r": 10, "t": 8, "b": 40}}
