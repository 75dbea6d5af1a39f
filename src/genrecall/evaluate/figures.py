"""From a measure of each search to figures with intervals, for many rows of a table.

Shapes: `M` searches, `T` runs with different seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

from genrecall.evaluate.bootstrap import DIFFERENCE, SHARE, Bounds, Estimate
from genrecall.evaluate.measures import Floats

Measures = Mapping[str, Floats]
"""By measure a value for each search, float64 `[M]`, or for each search of each run, `[T, M]`."""

Figures = dict[str, dict[str, Any]]
"""By row and measure, as in `metrics.json`."""


class Estimator(Protocol):
    """Makes a figure of a measure, such as `Bootstrap.mean`."""

    def __call__(self, values: Floats, /, *, bounds: Bounds | None) -> Estimate:
        """A figure with an interval that knows the measure's range, if it has one."""


def estimates(
    rows: Mapping[str, Measures], estimate: Estimator, *, paired: bool = False
) -> Figures:
    """Figures of every row.

    Args:
        rows: measures of each.
        estimate: makes a figure of one.
        paired: whether they are differences.
    """
    return {
        row: {
            measure: estimate(values, bounds=bounds_of(measure, paired=paired)).to_json()
            for measure, values in measures.items()
        }
        for row, measures in rows.items()
    }


def bounds_of(measure: str, *, paired: bool = False) -> Bounds | None:
    """The range of a measure or of its paired differences: all are shares but numbers of items.

    >>> bounds_of("recall@10"), bounds_of("candidates@10")
    ((0.0, 1.0), None)
    """
    if measure.startswith("candidates"):
        return None
    return DIFFERENCE if paired else SHARE


def differences(
    rows: Mapping[str, Measures], pairs: Iterable[tuple[str, str]]
) -> dict[str, Measures]:
    """`one - other` for each pair of rows, search by search, of the measures that both have."""
    return {
        f"{row} - {less}": {
            measure: values - rows[less][measure]
            for measure, values in rows[row].items()
            if measure in rows[less]
        }
        for row, less in pairs
    }


def clear(figure: Mapping[str, Any]) -> Literal["up", "down", ""]:
    """Whether a difference is clearly above or below zero: its interval does not hold it.

    >>> clear({"value": 0.01, "ci": [0.002, 0.02]}), clear({"value": 0.01, "ci": [0.0, 0.02]})
    ('up', '')
    """
    lo, hi = figure["ci"]
    return "up" if lo > 0 else "down" if hi < 0 else ""
