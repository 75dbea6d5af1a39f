"""Tables of the benchmark, for the terminal and for `docs/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.alignment.tables import MEASURES
from benchmarks.figures import say_all, say_figure
from benchmarks.markdown import markdown_table

_SHOWN: Final = (*MEASURES[:8], *MEASURES[9:13])


def as_markdown(result: Mapping[str, Any]) -> str:
    """All tables of all worlds."""
    lines = [f"Settings: {say_all(result['settings'])}.", ""]
    for world, tables in result["worlds"].items():
        for name, table in tables.items():
            lines += [f"## {world}: {name}", "", *_table(table["cells"], ""), ""]
            lines += ["Differences, search by search:", "", *_table(table["paired"], "+"), ""]
    return "\n".join(lines)


def _table(rows: Mapping[str, Mapping[str, Any]], sign: str) -> list[str]:
    shown = [m for m in _SHOWN if any(m in figures for figures in rows.values())]
    times = not sign
    return markdown_table(
        ["", *shown, *(["gain", "seconds"] if times else [])],
        (
            [
                name,
                *(say_figure(figures.get(measure), sign) for measure in shown),
                *(_once(figures) if times else []),
            ]
            for name, figures in rows.items()
        ),
    )


def _once(figures: Mapping[str, Any]) -> list[str]:
    """What a cell has once: gain on validation searches, seconds of training."""
    return [f"{figures['gain']['value']:+.2%}", f"{figures['seconds']['value']:.0f}"]
