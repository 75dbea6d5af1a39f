"""The nearest of many vectors, without comparing all with all where there are many on both sides.

Shapes: `n` points, `N` vectors, `D` their width, `c` nearest vectors of each point.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.blocks import blocks
from genrecall.native.arrays import Numbers

Vectors = NDArray[np.float32]
Measure = Literal["distance", "product"]

_METRICS: Final[dict[Measure, int]] = {
    "distance": faiss.METRIC_L2,
    "product": faiss.METRIC_INNER_PRODUCT,
}
_ROUNDS: Final = 4  # of the k-means that makes the lists; later ones find hardly more
_SEEN: Final = 64  # vectors a list that it is made by
_FOR_A_LIST: Final = 4  # points from which on lists are worth making
_AT_ONCE: Final = 1 << 17  # vectors read as floats together


class Near(NamedTuple):
    """The nearest vectors of points, the nearest first.

    Attributes:
        rows: their places, int64 `[n, c]`.
        scores: squared distances or products, float32 `[n, c]`.
    """

    rows: NDArray[np.int64]
    scores: Vectors


def nearest(
    points: Vectors, vectors: Numbers, c: int, *, by: Measure, least: int, searched: int
) -> Near:
    """Find the nearest vectors of each point.

    Up to `least` vectors, or for few points, all are compared. Else the vectors are put into about
    `2 √N` lists by k-means, and the lists nearest to a point are searched: comparisons grow as
    `n √N`, and a near vector is missed now and then.

    Args:
        points: float32 `[n, D]`.
        vectors: `[N, D]`; halves are read as floats part by part, and kept as halves in lists.
        c: at most `N`.
        by: what the nearest have least or most of; by `product` vectors are of about one length.
        least: vectors from which on lists are made.
        searched: lists for each point.

    >>> line = np.arange(5, dtype=np.float32)[:, None]
    >>> nearest(line[1:2] + 0.1, line, 2, by="distance", least=10, searched=1).rows.tolist()
    [[1, 2]]
    """
    lists = round(2 * len(vectors) ** 0.5)
    if len(vectors) < least or len(points) < _FOR_A_LIST * lists:
        return _compare(points, vectors, c, by)
    index = _in_lists(vectors, lists, by)
    index.nprobe = searched
    near = Near(np.empty((len(points), c), np.int64), np.empty((len(points), c), np.float32))
    for rows in blocks(len(points), points.shape[1]):
        scores, found = index.search(np.ascontiguousarray(points[rows]), c)
        near.rows[rows], near.scores[rows] = found, scores
    few = np.flatnonzero(near.rows[:, -1] < 0)  # whose lists hold fewer
    if len(few):
        near.rows[few], near.scores[few] = _compare(points[few], vectors, c, by)
    return near


def _compare(points: Vectors, vectors: Numbers, c: int, by: Measure) -> Near:
    """Compare each point with all vectors."""
    best = faiss.ResultHeap(len(points), c, keep_max=by == "product")
    for part in _parts(len(vectors)):
        some = vectors[part].astype(np.float32, copy=False)
        scores, found = faiss.knn(points, some, min(c, len(some)), metric=_METRICS[by])
        if len(some) == len(vectors):
            return Near(found, scores)
        best.add_result(scores, found + part.start)
    best.finalize()
    return Near(best.I, best.D)


def _in_lists(vectors: Numbers, lists: int, by: Measure) -> Any:
    """An index that holds the vectors in lists."""
    n, size = vectors.shape
    index: Any
    coarse = faiss.IndexFlat(size, _METRICS[by])
    if vectors.dtype == np.float16:
        kind = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexIVFScalarQuantizer(coarse, size, lists, kind, _METRICS[by], False)
    else:
        index = faiss.IndexIVFFlat(coarse, size, lists, _METRICS[by])
    index.cp.niter, index.cp.min_points_per_centroid = _ROUNDS, 1
    index.cp.spherical = by == "product"
    seen = np.linspace(0, n - 1, min(n, _SEEN * lists), dtype=np.int64)
    index.train(vectors[seen].astype(np.float32, copy=False))
    for part in _parts(n):
        index.add(vectors[part].astype(np.float32, copy=False))
    return index


def _parts(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _AT_ONCE, n)) for start in range(0, n, _AT_ONCE))
