"""Sums, means and distances over groups of vectors, without a copy of the vectors.

Shapes: `n` vectors, `G` groups, `D` vector size.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.foundation.blocks import blocks
from genrecall.native.arrays import Numbers

Vectors = NDArray[np.float32]


def group_sums(
    points: Numbers, groups: NDArray[np.int64], n_groups: int, *, dtype: torch.dtype
) -> torch.Tensor:
    """Sum of the points of each group, one after another: `[n, D]` to `[G, D]`.

    Args:
        points: `[n, D]`, halves or floats.
        groups: of each point, int64 `[n]`.
        n_groups: `G`; an empty group has zeros.
        dtype: that sums are kept in.
    """
    sums = torch.zeros(n_groups, points.shape[1], dtype=dtype)
    for rows in blocks(len(points), points.shape[1]):
        # A copy, since torch takes no rows of a file that is read only.
        block = torch.from_numpy(points[rows].astype(np.float32)).to(dtype)
        sums.index_add_(0, torch.from_numpy(groups[rows]), block)
    return sums


def group_means(points: Numbers, groups: NDArray[np.int64], n_groups: int) -> Vectors:
    """Mean of the points of each group, float32 `[G, D]`; zero for an empty group.

    >>> points = np.array([[1.0], [3.0], [5.0]], dtype=np.float32)
    >>> group_means(points, np.array([2, 0, 2]), 4).ravel().tolist()
    [3.0, 0.0, 3.0, 0.0]
    """
    counts = np.bincount(groups, minlength=n_groups)
    sums = group_sums(points, groups, n_groups, dtype=torch.float64).numpy()
    sums /= np.maximum(counts, 1)[:, None]
    return sums.astype(np.float32)


def squared_distances(
    points: Vectors, centers: Vectors, groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    """`‖p − c‖²` of each point to the center of its group, float64 `[n]`.

    Args:
        points: `[n, D]`.
        centers: `[G, D]`.
        groups: of each point, int64 `[n]`.
    """
    squared = np.empty(len(points))
    for rows in blocks(len(points), points.shape[1]):
        left = points[rows] - centers[groups[rows]]
        squared[rows] = np.square(left).sum(1, dtype=np.float64)
    return squared
