"""The best `k` of many scores, ties broken by row, so that equal inputs give equal answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking


def top_k(rows: NDArray[np.integer], scores: NDArray[np.float32], k: int) -> Ranking:
    """Rank the best `k` of `rows`; of equal scores the lower row is better.

    Args:
        rows: catalog rows, each once, `[n]`.
        scores: their scores, `[n]`.
        k: how many at most.

    >>> top_k(np.array([4, 2, 7]), np.array([1.0, 1.0, 3.0], dtype=np.float32), k=2).rows
    array([7, 2], dtype=int32)
    """
    if len(rows) > k:
        kept = np.flatnonzero(scores >= kth_largest(scores, k))  # ties at the end included
        rows, scores = rows[kept], scores[kept]
    best = np.lexsort((rows, -scores))[:k]
    return Ranking(rows=rows[best].astype(np.int32), scores=scores[best].astype(np.float32))


def kth_largest(scores: NDArray[np.float32], k: int) -> np.float32:
    """The `k`-th largest of at least `k` scores."""
    return np.float32(np.partition(scores, len(scores) - k)[len(scores) - k])
