"""Means of rows of a table, one for each bag.

Shapes: `V` rows of `W` numbers, `n` bags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrecall.native.arrays import Numbers, at, check_rows, is_plain, plain, size
from genrecall.native.library import library


def bag_means(
    table: Numbers, ids: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mean of the rows that each bag names, float32 `[n, W]`; zeros of an empty one.

    Args:
        table: `[V, W]`, halves as `foundation/halves.py` makes them.
        ids: rows of it, of all bags one after another, int64 `[total]`.
        offsets: where each bag starts, and where the last ends, int64 `[n + 1]`.
    """
    n = len(offsets) - 1
    means = np.zeros((n, table.shape[1]), dtype=np.float32)
    found = library()
    if found is not None and is_plain(table):
        check_rows(ids, len(table))
        ids, offsets = plain(ids, np.int64), plain(offsets, np.int64)
        of = found.bag_means if table.dtype == np.float32 else found.bag_means_of_halves
        of(at(table), size(table.shape[1]), at(ids), at(offsets), size(n), at(means))
        return means
    sizes = np.diff(offsets)
    filled = np.flatnonzero(sizes)
    if len(filled):
        rows = table[ids[offsets[0] : offsets[-1]]].astype(np.float32, copy=False)
        means[filled] = np.add.reduceat(rows, offsets[filled] - offsets[0], axis=0)
        means[filled] /= sizes[filled][:, None]
    return means
