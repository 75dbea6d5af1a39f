"""The metrics of a run as tables for the terminal; legible at 100 columns and without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from genrecall.evaluate.metrics import GENERATIVE, K, Metrics

WIDTH: Final = 100

_MEASURES: Final = ("recall@10", "recall@100", f"recall@{K}", "hit@10")


def print_metrics(metrics: Metrics, *, console: Console | None = None) -> None:
    """Print what `build_metrics` made.

    Args:
        metrics: the contents of `metrics.json`.
        console: where to print; the terminal at 100 columns when None, so that the output is the
            same on every terminal and in a file.
    """
    console = console or Console(width=WIDTH, highlight=False)
    excluded = "".join(f", {n:,} left out: {why}" for why, n in metrics["excluded"].items() if n)
    console.print(
        f"{metrics['split'].capitalize()} split: {metrics['searches']:,} searches{excluded}. "
        "In brackets: 95 % interval.",
        markup=False,
    )
    tables = [
        _sid_table(metrics),
        _beam_table(metrics),
        _channel_table("Channels and their fusions", metrics["channels"]),
        *(
            _slice_table(name, table)
            for name, table in metrics["slices"].items()
            if table != metrics["channels"]  # a slice of every search would only repeat them
        ),
        _paired_table(metrics),
        _latency_table(metrics),
    ]
    for table in tables:
        if table is not None:
            console.print()
            console.print(table)
    only = metrics.get(f"only_{GENERATIVE}@{K}")
    if only is not None:
        text = f"Good items that only {GENERATIVE} has among its {K}: {_share(only)}"
        console.print(f"\n{text}", markup=False)


def _sid_table(metrics: Metrics) -> Table | None:
    quantize = metrics.get("quantize", {})
    if "items_per_sid" not in quantize:
        return None
    columns = ["mean", "weighted", "p50", "p99", "max"]
    known = [column for column in columns if column in quantize["items_per_sid"]]
    table = _table("Items per SID", ["SIDs", *known])
    sids = f"{quantize['sids']:,}" if "sids" in quantize else ""
    table.add_row("", sids, *(f"{quantize['items_per_sid'][column]:.4g}" for column in known))
    return table


def _beam_table(metrics: Metrics) -> Table | None:
    if "hit@beam" not in metrics:
        return None
    columns = ["beams", "hit@beam", "hit_micro@beam", "candidates"]
    table = _table("Good items whose SID is among the beams", columns)
    for stage, widths in metrics["hit@beam"].items():
        for place, (width, hit) in enumerate(widths.items()):
            micro = metrics["hit_micro@beam"][stage][width]
            behind = metrics["candidates@beam"][stage][width]
            name = "" if place else stage
            table.add_row(name, width, _share(hit), _share(micro), f"{behind['value']:,.1f}")
    return table


def _channel_table(title: str, channels: Mapping[str, Any]) -> Table:
    table = _table(title, [*_MEASURES, "items"])
    for name, figures in channels.items():
        items = f"{figures['candidates']['value']:,.0f}"
        table.add_row(name, *(_share(figures[measure]) for measure in _MEASURES), items)
    return table


def _slice_table(name: str, channels: Mapping[str, Any]) -> Table:
    searches = next(iter(channels.values()))[_MEASURES[0]]["n"]
    return _channel_table(f"Slice {name}: {searches:,} searches", channels)


def _paired_table(metrics: Metrics) -> Table | None:
    if not metrics["paired"]:
        return None
    table = _table(f"What {GENERATIVE} adds at an equal number of items", _MEASURES)
    for name, figures in metrics["paired"].items():
        without = name.split(" - ")[-1]
        table.add_row(f"to {without}", *(_change(figures[measure]) for measure in _MEASURES))
    return table


def _latency_table(metrics: Metrics) -> Table | None:
    if "latency_ms" not in metrics:
        return None
    latency = metrics["latency_ms"]
    table = _table("Milliseconds per request", ["p50", "p99", "requests"])
    shown = (
        f"{latency[q]['value']:.1f} [{latency[q]['ci'][0]:.1f}–{latency[q]['ci'][1]:.1f}]"
        for q in ("p50", "p99")
    )
    table.add_row("", *shown, f"{latency['p50']['n']:,}")
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    table.add_column("", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _share(figure: Mapping[str, Any]) -> str:
    """`0.412 [.398–.427]`."""
    lo, hi = (_short(end) for end in figure["ci"])
    return f"{figure['value']:.3f} [{lo}–{hi}]"


def _change(figure: Mapping[str, Any]) -> str:
    """`+.024 [+.015 +.033]`."""
    lo, hi = (_short(end, sign="+") for end in figure["ci"])
    return f"{_short(figure['value'], sign='+')} [{lo} {hi}]"


def _short(share: float, *, sign: str = "") -> str:
    """A share without its leading zero."""
    text = f"{share:{sign}.3f}"
    return text.replace("0.", ".", 1) if abs(share) < 0.9995 else text
