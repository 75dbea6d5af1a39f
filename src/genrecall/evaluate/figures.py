"""From a measure of each search to figures with intervals, for many rows of a table.

Shapes: `M` searches, `T` runs with different seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from genrecall.evaluate.bootstrap import Estimate
from genrecall.evaluate.measures import Floats

Measures = Mapping[str, Floats]
"""By measure a value for each search, float64 `[M]`, or for each search of each run, `[T, M]`."""

Figures = dict[str, dict[str, Any]]
"""By row and measure, as in `metrics.json`."""


def estimates(rows: Mapping[str, Measures], estimate: Callable[[Floats], Estimate]) -> Figures:
    """Figures of every row, such as by `Bootstrap.mean`."""
    return {
        row: {measure: estimate(values).to_json() for measure, values in measures.items()}
        for row, measures in rows.items()
    }


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
