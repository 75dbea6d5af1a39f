"""What the charts of the report are put together from: series, axes, lines with their intervals.

A color is the name of a variable of `style.css`, such as `--c1`; the page replaces it, so that a
chart fits a light and a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from genrecall.report import phrases

Json = Mapping[str, Any]

TICKS: Final = (1, 3, 10, 30, 100, 300, 1000)
"""Of a logarithmic axis."""

DOTS: Final = "dots"
"""In place of a dash, for a series without a line."""

_INTERVALS_AT: Final = (10, 100, 1000)


class Series(NamedTuple):
    """One line of a legend.

    Attributes:
        name: what it is.
        color: variable of the style sheet.
        dash: of the line, in Plotly's words; `dots` for a series without a line.
    """

    name: str
    color: str
    dash: str = "solid"


Parts = list[tuple[Series, list[dict[str, Any]]]]
"""Series with their traces."""


class Chart(NamedTuple):
    """A chart of the page.

    Attributes:
        name: unique on the page.
        label: what it shows, for those who do not see it.
        legend: its series.
        figure: `data` and `layout` for Plotly.
        tall: whether it needs much room.
        low: whether it is one of many.
    """

    name: str
    label: str
    legend: tuple[Series, ...]
    figure: dict[str, Any]
    tall: bool = False
    low: bool = False


def make_chart(name: str, label: str, parts: Parts, layout: dict[str, Any]) -> Chart:
    """Put series together; `legendgroup` says of which one a trace is."""
    data = [
        trace | {"legendgroup": str(place)}
        for place, (_, traces) in enumerate(parts)
        for trace in traces
    ]
    legend = tuple(series for series, _ in parts)
    return Chart(name, label, legend, {"data": data, "layout": layout})


def make_layout(x: Json, y: Json) -> dict[str, Any]:
    """The frame of a chart, from its axes."""
    return {
        "xaxis": dict(x),
        "yaxis": dict(y),
        "font": {"color": "--text", "size": 13},
        "hoverlabel": {"align": "left"},
        "margin": {"l": 56, "r": 12, "t": 12, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": "closest",
    }


def make_axis(
    title: str, *, log: bool = False, upto: float | None = None, **more: Any
) -> dict[str, Any]:
    """An axis of a chart; a logarithmic one from 1 to `upto`, or as far as the values go."""
    axis: dict[str, Any] = {
        "title": {"text": title, "standoff": 8, "font": {"size": 13}},
        "automargin": True,
        "fixedrange": True,  # a finger on a chart scrolls the page
        "gridcolor": "--line",
        "linecolor": "--line",
        "zerolinecolor": "--line",
    }
    if log:
        axis |= {"type": "log", "tickvals": list(TICKS), "ticktext": [f"{t:,}" for t in TICKS]}
    if upto is not None:
        axis["range"] = [-0.03, math.log10(max(upto, 2)) + 0.03]
    return axis | more


def figure_line(
    series: Series,
    x: Sequence[int],
    figures: Sequence[phrases.Figure],
    *,
    unit: str,
    band: bool = False,
) -> list[dict[str, Any]]:
    """A line of figures, with its intervals as a band or as bars at some points."""
    line: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": series.name,
        "x": list(x),
        "y": [rounded(figure["value"]) for figure in figures],
        "line": {"color": series.color, "width": 2, "dash": series.dash},
        "customdata": [phrases.ends(figure) for figure in figures],
        "hovertemplate": (
            f"{series.name}<br>%{{x:,}} {unit}: %{{y:.3f}} %{{customdata}}<extra></extra>"
        ),
    }
    if not band:
        line["error_y"] = interval_bars(figures, series.color, at=[n in _INTERVALS_AT for n in x])
        return [line]
    low, high = zip(*((rounded(end) for end in figure["ci"]) for figure in figures), strict=True)
    interval = {
        "type": "scatter",
        "mode": "lines",
        "x": [*x, *reversed(x)],
        "y": [*high, *reversed(low)],
        "fill": "toself",
        "fillcolor": series.color,
        "opacity": 0.15,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "name": series.name,
    }
    return [interval, line]


def interval_bars(
    figures: Sequence[phrases.Figure], color: str, *, at: Sequence[bool] | None = None
) -> dict[str, Any]:
    """The intervals of figures as bars, all of them or those `at` some points."""
    shown = at if at is not None else [True] * len(figures)
    up, down = [], []
    for figure, here in zip(figures, shown, strict=True):
        lo, hi = figure["ci"]
        up.append(rounded(hi - figure["value"]) if here else 0)
        down.append(rounded(figure["value"] - lo) if here else 0)
    return {
        "type": "data",
        "symmetric": False,
        "array": up,
        "arrayminus": down,
        "color": color,
        "thickness": 1.5,
        "width": 0,
    }


def rounded(value: float) -> float:
    """As exact as a chart can show."""
    return round(value, 5)
