"""The charts of the report as Plotly figures in plain JSON.

Foreign text is escaped: Plotly reads tags in it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, Final

from genrecall.evaluate.names import (
    GENERATIVE,
    JOIN,
    POPULARITY,
    TWO_VIEWS,
    Metrics,
    channel_order,
)
from genrecall.report import phrases
from genrecall.report.plotting import (
    DOTS,
    TICKS,
    Chart,
    Json,
    Parts,
    Series,
    figure_line,
    interval_bars,
    make_axis,
    make_chart,
    make_layout,
    rounded,
)

_COLORS: Final = tuple(f"--c{number}" for number in range(1, 9))
_GREY: Final = "--muted"
_EARLIER: Final = ("--c2", "--c4", "--c5", "--c6")  # training stages before the last
_LINES: Final = {
    GENERATIVE: ("--c1", "solid"),
    "bm25": ("--c3", "solid"),
    "dense": ("--c2", "solid"),
    POPULARITY: ("--c7", "solid"),
    "bm25+dense": ("--c5", "dash"),
    "bm25+dense+generative": ("--c4", "dash"),
    "bm25+dense+popularity": ("--c8", "dash"),
    "bm25+dense+popularity+generative": ("--c6", "dash"),
    TWO_VIEWS: (_GREY, "dot"),
}
"""Color and dash of what the first charts compare: no two have one color. What else was measured
stands in the tables."""
_GROUPS: Final = 7  # categories with a color of their own on the map


def hit_chart(curves: Sequence[Json], cut: Json | None) -> Chart:
    """hit@beam by the number of beams, with intervals, and the recall after the cut."""
    parts: Parts = [
        (series, figure_line(series, curve["beams"], curve["hit@beam"], unit="beams", band=True))
        for series, curve in zip(_stages(curves), curves, strict=True)
    ]
    if cut is not None:
        series = Series(f"{parts[-1][0].name}, cut to 1,000 items", "--c3", "dash")
        parts.append(
            (series, figure_line(series, cut["beams"], cut["recall"], unit="beams", band=True))
        )
    widest = max(curve["beams"][-1] for curve in curves)
    layout = make_layout(
        make_axis("beams", log=True, upto=widest),
        make_axis("share of relevant items", rangemode="tozero", tickformat=".2f"),
    )
    label = "Line chart: share of relevant items found by the number of beams, by training stage."
    return make_chart("hit", label, parts, layout)


def candidates_chart(curves: Sequence[Json]) -> Chart:
    """Items behind the beams."""
    parts: Parts = [
        (series, [_items_line(series, curve)])
        for series, curve in zip(_stages(curves), curves, strict=True)
    ]
    widest = max(curve["beams"][-1] for curve in curves)
    layout = make_layout(
        make_axis("beams", log=True, upto=widest), make_axis("items behind them, mean", log=True)
    )
    label = "Line chart: mean number of items behind the beams by the number of beams."
    return make_chart("candidates", label, parts, layout)


def budget_chart(budgets: Json) -> Chart:
    """Recall of channels and fusions by the number of items."""
    parts: Parts = []
    for name in channel_order(name for name in budgets if name in _LINES):
        series, curve = _channel(name), budgets[name]
        parts.append((series, figure_line(series, curve["items"], curve["recall"], unit="items")))
    layout = make_layout(
        make_axis("items", log=True, upto=TICKS[-1]),
        make_axis("recall", rangemode="tozero", tickformat=".2f"),
    )
    label = "Line chart: recall of channels and fusions by the number of items."
    return make_chart("budget", label, parts, layout)


def slice_chart(metrics: Metrics, channels: Sequence[str], measure: str) -> Chart:
    """One measure of some channels by part of the searches."""
    slices = metrics["slices"]
    parts: Parts = []
    names = phrases.slices(metrics)[::-1]  # Plotly draws the first one at the bottom
    for place, name in enumerate(channels):
        series = _channel(name)._replace(dash=DOTS)
        figures = [slices[part][name][measure] for part in names]
        shift = 0.16 * ((len(channels) - 1) / 2 - place)
        dots = {
            "type": "scatter",
            "mode": "markers",
            "name": series.name,
            "x": [rounded(figure["value"]) for figure in figures],
            "y": [rounded(number + shift) for number in range(len(names))],
            "error_x": interval_bars(figures, series.color),
            "marker": {"color": series.color, "size": 9},
            "customdata": [phrases.ends(figure) for figure in figures],
            "hovertemplate": f"{series.name}: %{{x:.3f}} %{{customdata}}<extra></extra>",
        }
        parts.append((series, [dots]))
    ticks: dict[str, Any] = {
        "tickvals": list(range(len(names))),
        "ticktext": [_short_slice(n) for n in names],
    }
    layout = make_layout(
        make_axis(measure, tickformat=".2f"),
        make_axis("", **ticks, range=[-0.6, len(names) - 0.4], zeroline=False),
    )
    label = f"Dot chart: {measure} by part of the searches, for {len(channels)} channels."
    return make_chart("slices", label, parts, layout)


def codes_chart(levels: Sequence[Json]) -> Chart:
    """Items of the codes of each level, the largest first."""
    parts: Parts = []
    for number, (level, color) in enumerate(zip(levels, _COLORS, strict=False), start=1):
        series = Series(f"level {number}", color)
        line = {
            "type": "scatter",
            "mode": "lines",
            "name": series.name,
            "x": level["rank"],
            "y": level["items"],
            "line": {"color": color, "width": 2},
            "hovertemplate": f"{series.name}, code %{{x}}: %{{y:,}} items<extra></extra>",
        }
        parts.append((series, [line]))
    most = max(level["used"] for level in levels)
    layout = make_layout(
        make_axis("codes, the one with most items first", log=True, upto=most),
        make_axis("items of a code", log=True),
    )
    label = "Line chart: items of each code by level, from the most to the least used."
    return make_chart("codes", label, parts, layout)


def sizes_chart(sizes: Json) -> Chart:
    """How many SIDs have how many items."""
    first = sizes["items"]
    width = first[1] - first[0] if len(first) > 1 else 1
    names = [str(n) if width == 1 else f"{n}–{n + width - 1}" for n in first]
    bars = {
        "type": "bar",
        "x": [n + (width - 1) / 2 for n in first],
        "y": sizes["sids"],
        "marker": {"color": "--c1"},
        "customdata": names,
        "hovertemplate": "%{customdata} items: %{y:,} SIDs<extra></extra>",
    }
    few: dict[str, Any] = {"dtick": 1} if len(first) <= 15 and width == 1 else {}
    layout = make_layout(make_axis("items of a SID", **few), make_axis("SIDs")) | {"bargap": 0.15}
    label = "Bar chart: SIDs by their number of items."
    return make_chart("sizes", label, [(Series("SIDs", "--c1"), [bars])], layout)


def map_chart(places: Json) -> Chart:
    """Every cluster as a dot: near ones hold similar items."""
    clusters = places["clusters"]
    largest = max(cluster["items"] for cluster in clusters) or 1
    parts: Parts = []
    for number, (group, members) in enumerate(_group(clusters)):
        color = _COLORS[number] if group else _GREY
        series = Series(group or "other or unknown", color, DOTS)
        dots = {
            "type": "scatter",
            "mode": "markers",
            "name": html.escape(series.name),
            "x": [places["x"][i] for i in members],
            "y": [places["y"][i] for i in members],
            "text": [_hover(clusters[i]) for i in members],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "color": series.color,
                "size": [_dot(clusters[i]["items"], largest) for i in members],
                "opacity": 0.75,
                "line": {"width": 0.5, "color": "--surface"},
            },
        }
        parts.append((series, [dots]))
    hidden = {"visible": False}
    layout = make_layout(hidden, hidden)
    layout |= {"margin": {"l": 4, "r": 4, "t": 4, "b": 4}, "dragmode": False}
    label = f"Map of {len(clusters):,} clusters; near ones hold similar items."
    return make_chart("map", label, parts, layout)._replace(tall=True)


def training_chart(curve: Json, number: int) -> Chart:
    """Losses of one training."""
    parts: Parts = []
    for color, loss in zip(_COLORS, curve["losses"], strict=False):
        name, values = loss["name"], loss["values"]
        series = Series("loss (minimized)" if name == "loss" else name, color)
        line = {
            "type": "scatter",
            "mode": "lines" if len(values) > 1 else "markers",
            "name": series.name,
            "x": curve["done"],
            "y": values,
            "line": {"color": color, "width": 2},
            "hovertemplate": f"{series.name} %{{y:.4g}} at %{{x:,}}<extra></extra>",
        }
        parts.append((series, [line]))
    layout = make_layout(make_axis("examples"), make_axis("loss", rangemode="tozero"))
    label = f"Line chart: losses of {curve['stage']} by examples seen."
    return make_chart(f"training-{number}", label, parts, layout)


def _stages(curves: Sequence[Json]) -> list[Series]:
    """The last stage, which serves, in the first color."""
    *earlier, last = (curve["stage"] for curve in curves)
    colored = zip(earlier, _EARLIER, strict=False)
    return [*(Series(stage, color, "dot") for stage, color in colored), Series(last, _COLORS[0])]


def _channel(name: str) -> Series:
    color, dash = _LINES.get(name, (_GREY, "dash" if JOIN in name else "solid"))
    return Series(name, color, dash)


def _items_line(series: Series, curve: Json) -> dict[str, Any]:
    items = [rounded(figure["value"]) for figure in curve["candidates@beam"]]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": series.name,
        "x": curve["beams"],
        "y": items,
        "line": {"color": series.color, "width": 2},
        "hovertemplate": f"{series.name}<br>%{{x:,}} beams: %{{y:,.0f}} items<extra></extra>",
    }


def _group(clusters: Sequence[Json]) -> list[tuple[str | None, list[int]]]:
    """Clusters by category, the largest categories first, all others together at the end."""
    paths = [cluster["category"] or [] for cluster in clusters]
    # The first step at which categories differ: all of them may be under one root.
    longest = max((len(path) for path in paths), default=0)
    depth = next(
        (d for d in range(1, longest + 1) if len({tuple(path[:d]) for path in paths if path}) > 1),
        1,
    )
    items: dict[str, int] = {}
    for path, cluster in zip(paths, clusters, strict=True):
        if path:
            name = " > ".join(path[:depth])
            items[name] = items.get(name, 0) + cluster["items"]
    largest = sorted(items, key=lambda name: (-items[name], name))[:_GROUPS]
    members: dict[str | None, list[int]] = {name: [] for name in [*largest, None]}
    for place, path in enumerate(paths):
        name = " > ".join(path[:depth])
        members[name if name in largest else None].append(place)
    return [(name, places) for name, places in members.items() if places]


def _hover(cluster: Json) -> str:
    category = html.escape(" > ".join(cluster["category"] or ["no category"]))
    titles = "".join(f"<br>· {html.escape(title[:60])}" for title in cluster["titles"])
    return f"<b>{phrases.sid(cluster['sid'])}</b>, {cluster['items']:,} items<br>{category}{titles}"


def _dot(items: int, largest: int) -> int:
    """Diameter of a dot whose area grows with its items, in pixels."""
    return round(4 + 12 * math.sqrt(items / largest))


def _short_slice(name: str) -> str:
    return name.replace("_", " ")
