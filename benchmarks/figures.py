"""From a measure of each search to figures with intervals, and how they are told.

Shapes: `M` searches, `T` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from genrecall.evaluate.bootstrap import Estimate
from genrecall.evaluate.measures import Floats

Measures = Mapping[str, Floats]
"""By measure a value for each search, float64 `[M]`, or for each search of each run, `[T, M]`."""

Figures = dict[str, dict[str, Any]]
"""By row of a table and measure, as in `metrics.json`."""


def estimates(
    rows: Mapping[str, Measures], estimate: Callable[[NDArray[Any]], Estimate]
) -> Figures:
    """Figures of every row, such as by `Bootstrap.mean`."""
    return {
        row: {measure: estimate(values).to_json() for measure, values in measures.items()}
        for row, measures in rows.items()
    }


def differences(
    rows: Mapping[str, Measures], pairs: Iterable[tuple[str, str]]
) -> dict[str, Measures]:
    """`one - other` for each pair of rows, search by search."""
    return {
        f"{row} - {less}": {
            measure: values - rows[less][measure] for measure, values in rows[row].items()
        }
        for row, less in pairs
    }


def figure_table(headings: Iterable[str], *, padding: int | tuple[int, int, int, int] = 0) -> Table:
    """A table without rows; its columns, but for the first, are aligned right."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=padding)
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
