"""Tables for the terminal and what stands in their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table


def make_table(title: str, columns: Sequence[str]) -> Table:
    """A table without rows yet; the first column, of names, has no heading."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,
    )
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def with_notes(table: Table, notes: Sequence[str]) -> Table:
    """The table, with lines below it."""
    if notes:
        table.caption = "\n".join(notes)
        table.caption_justify, table.caption_style = "left", ""
    return table


def share(figure: Mapping[str, Any]) -> str:
    """`0.412 [.398–.427]`."""
    lo, hi = (_short(end) for end in figure["ci"])
    return f"{figure['value']:.3f} [{lo}–{hi}]"


def short_share(figure: Mapping[str, Any]) -> str:
    """`.412 [.398–.427]`; nothing where no search had what is counted."""
    lo, hi = (_short(end) for end in figure["ci"])
    return f"{_short(figure['value'])} [{lo}–{hi}]" if figure["n"] else ""


def percent(part: float) -> str:
    """`12.3 %`."""
    return f"{100 * part:.1f} %"


def change(figure: Mapping[str, Any]) -> str:
    """`+.024 [+.015 +.033]`."""
    lo, hi = (_short(end, sign="+") for end in figure["ci"])
    return f"{_short(figure['value'], sign='+')} [{lo} {hi}]"


def _short(share: float, *, sign: str = "") -> str:
    """A share in four characters and its sign: without its leading zero, and 1 as `1.00`."""
    text = f"{share:{sign}.3f}"
    return text.replace("0.", ".", 1) if abs(share) < 0.9995 else text[:-1]
