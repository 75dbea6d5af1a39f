"""Cells of several seeds to figures: means, and differences search by search, with intervals.

Shapes: `T` seeds, `M` test searches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.alignment.cell import Measured
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.figures import differences

MEASURES: Final = (
    "clk@1",
    "clk@10",
    "exp@1",
    "exp@10",
    "pvr@10",
    "exposure_recall@10",
    "buy@1",
    "buy@10",
    "candidates@10",
    "recall@100",
    "recall@1000",
    "union recall@100",
    "union recall@1000",
    "gain",
    "seconds",
)
"""Of a cell, in the order of the tables."""


def build_table(
    runs: Mapping[str, Sequence[Measured]],
    groups: NDArray[np.int64],
    pairs: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Figures of cells and differences of pairs of them.

    Intervals are over the queries of the test searches, each drawn with all its searches, and over
    seeds.

    Args:
        runs: by cell what was measured with each seed, `T` each.
        groups: a number for the query of each search, `[M]`.
        pairs: cells, and what they are compared with.
    """
    rows = {
        name: {m: np.stack([seed[m] for seed in seeds]) for m in MEASURES}
        for name, seeds in runs.items()
    }
    return {
        "cells": {name: _figures(measures, groups) for name, measures in rows.items()},
        "paired": {
            name: _figures(measures, groups) for name, measures in differences(rows, pairs).items()
        },
    }


def _figures(
    measures: Mapping[str, NDArray[np.float64]], groups: NDArray[np.int64]
) -> dict[str, Any]:
    """Figures of measures `[T, M]`, each over the searches that have what it counts."""
    made: dict[str, Any] = {}
    for name, values in measures.items():
        counted = ~np.isnan(values).any(axis=0)
        if counted.any():
            bootstrap = Bootstrap(int(counted.sum()), groups=groups[counted], seed=0)
            made[name] = bootstrap.mean_over_runs(values[:, counted]).to_json()
    return made
