"""Draws by weight, vectorized, from running sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw_weighted(
    cumulative: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw positions by weight.

    Args:
        cumulative: running sum of the weights, float64 `[n]`.
        count: how many to draw.
        rng: where chance comes from.
    """
    point = rng.random(count) * cumulative[-1]
    chosen: NDArray[np.int64] = np.searchsorted(cumulative, point, side="right")
    return chosen


def running_sums(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running sum of weights, from 0.0: float64 `[n]` to `[n + 1]`.

    >>> running_sums(np.array([2.0, 0.5])).tolist()
    [0.0, 2.0, 2.5]
    """
    return np.concatenate([[0.0], np.cumsum(weights)])


def draw_in_runs(
    cumulative: NDArray[np.float64],
    offsets: NDArray[np.int64],
    runs: NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw positions within given runs of entries, by weight.

    Args:
        cumulative: `running_sums` of the weights of all entries, float64 `[total + 1]`.
        offsets: where each run starts, int64 `[n + 1]`.
        runs: from which runs to draw, int64 `[B]`; what is drawn from an empty one means nothing.
        count: how many to draw from each.
        rng: where chance comes from.

    Returns:
        Positions among all entries, int64 `[B, count]`.
    """
    first, end = offsets[runs][:, None], offsets[runs + 1][:, None]
    low, high = cumulative[first], cumulative[end]
    point = low + rng.random((len(runs), count)) * (high - low)
    at = np.searchsorted(cumulative, point, side="right") - 1
    # Rounding must not lead into a neighbouring run.
    return np.clip(at, first, end - 1)
