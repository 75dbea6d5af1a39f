"""The nearest centers of many points, without comparing all with all where there are many.

Shapes: `n` points, `k` centers, `d` their width, `c` nearest centers of each point.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.blocks import blocks

Vectors = NDArray[np.float32]

_LEAST: Final = 4096  # centers from which on they are searched in lists
_SEARCHED: Final = 16  # lists of those nearest to a point
_ROUNDS: Final = 4  # of the k-means that makes the lists


class Near(NamedTuple):
    """The nearest centers of points, the nearest first.

    Attributes:
        centers: their positions, int64 `[n, c]`.
        distance: squared, float32 `[n, c]`.
    """

    centers: NDArray[np.int64]
    distance: NDArray[np.float32]


def nearest_centers(points: Vectors, centers: Vectors, c: int) -> Near:
    """Find the nearest centers of each point.

    All are compared up to some thousands of centers. More are put into about `2 √k` lists, and the
    lists nearest to a point are searched: `n √k` comparisons, which miss a center now and then.

    Args:
        points: `[n, d]`.
        centers: `[k, d]`.
        c: at most `k`.
    """
    k, d = centers.shape
    every = faiss.IndexFlatL2(d)
    if k < _LEAST:
        every.add(centers)
        return _search(every, points, c)
    index = faiss.IndexIVFFlat(every, d, round(2 * k**0.5))
    index.nprobe, index.cp.niter, index.cp.min_points_per_centroid = _SEARCHED, _ROUNDS, 1
    index.train(centers)
    index.add(centers)
    near = _search(index, points, c)
    few = np.flatnonzero(near.centers[:, -1] < 0)  # whose lists hold fewer
    if len(few):
        every = faiss.IndexFlatL2(d)
        every.add(centers)
        near.centers[few], near.distance[few] = _search(every, points[few], c)
    return near


def _search(index: Any, points: Vectors, c: int) -> Near:
    near = Near(np.empty((len(points), c), np.int64), np.empty((len(points), c), np.float32))
    for rows in blocks(len(points), points.shape[1]):
        distance, found = index.search(np.ascontiguousarray(points[rows]), c)
        near.centers[rows], near.distance[rows] = found, distance
    return near
