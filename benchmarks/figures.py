"""How the benchmarks show their figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table


def figure_table(
    headings: Iterable[str],
    *,
    padding: int | tuple[int, int, int, int] = 0,
    title: str | None = None,
    edge: bool = False,
) -> Table:
    """A table without rows; its columns, but for the first, are aligned right."""
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=edge, padding=padding
    )
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def say_all(values: Mapping[str, Any], form: str = "") -> str:
    """Names with their values.

    >>> say_all({"items": 1200, "searches": 5000}, ",")
    'items 1,200, searches 5,000'
    """
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def say_figure(figure: Mapping[str, Any] | None, sign: str = "") -> str:
    """`.412 [.398 .427]`, and with signs for a difference; `-` where there is none.

    >>> say_figure({"value": 0.412, "ci": [0.398, 0.427]})
    '.412 [.398 .427]'
    """
    if figure is None:
        return "-"
    value, lo, hi = (
        f"{share:{sign}.3f}".replace("0.", ".", 1) for share in (figure["value"], *figure["ci"])
    )
    return f"{value} [{lo} {hi}]"
