"""Cluster size control by overflow: an item that finds no room takes the next nearest code.

Ours, beside the paper's split (CQ-SID, arXiv 2605.14434, Algorithm 1). Shapes: `N` items, `d` width
of the latents, `K3` codes of level 3, `L` items without a place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.blocks import blocks
from genrecall.foundation.ragged import rank_in_run, run_starts
from genrecall.foundation.sid import Codes
from genrecall.quantize.quantizer import Vectors

_MOST_ITEMS: Final = 1 << 16
"""Items that are ranked together: bounds their rankings at 128 MB. Prefixes do not depend on each
other, but one is not divided."""


def overflow(
    codes: Codes, residuals: Vectors, codebook: Vectors, *, t_max: int, g_max: int
) -> Codes:
    """Let each SID keep its nearest `t_max` items and the others take the next nearest code.

    An item without a place asks the codes of level 3 under its `(c1, c2)` from the nearest on,
    whether or not they had items. All ask at once, in rounds: a code keeps the nearest of those
    that ask it while it has room. Items that find all `K3` codes full ask once more for the paper's
    groups, `c3 + K3 · g` for `g = 1, 2, …`, so level 3 grows only where a prefix holds more than
    `K3 · t_max` items. The first two codes never change.

    No SID holds more than `t_max` items, unless its prefix has more than `K3 · t_max · g_max`;
    these are then spread evenly over the `K3 · g_max` codes.

    Args:
        codes: int32 `[N, 3]`, third codes below `K3`.
        residuals: what is left of the latents before level 3, float32 `[N, d]`.
        codebook: the code vectors of level 3, float32 `[K3, d]`.
        t_max: most items of a SID.
        g_max: most groups under a code of level 3.

    Returns:
        The new codes, int32 `[N, 3]`.
    """
    new = codes.copy()
    for rows in _batches(codes):
        new[rows] = _overflow(codes[rows], residuals[rows], codebook, t_max=t_max, g_max=g_max)
    return new


def _batches(codes: Codes) -> Iterator[NDArray[np.int64]]:
    """Rows of whole prefixes, as many together as are ranked at once."""
    order = np.lexsort((codes[:, 1], codes[:, 0]))
    starts = run_starts(codes[order, 0].astype(np.int64) << 32 | codes[order, 1])
    first = 0
    for end in [*starts[1:].tolist(), len(order)]:
        if end - first >= _MOST_ITEMS or end == len(order):
            # In the order of the catalog, which decides between equals.
            yield np.sort(order[first:end])
            first = end


def _overflow(
    codes: Codes, residuals: Vectors, codebook: Vectors, *, t_max: int, g_max: int
) -> Codes:
    """See `overflow`, for rows of whole prefixes."""
    k3, new = len(codebook), codes.copy()
    prefix, in_prefix = _crowded(codes, t_max)
    todo = np.flatnonzero(prefix >= 0)
    room = np.repeat(np.maximum(t_max, -(-in_prefix // (k3 * g_max))), k3)

    own = codes[todo, 2].astype(np.int64)
    free = room.copy()
    todo = todo[~_take(prefix[todo] * k3 + own, _distance(residuals[todo], codebook[own]), free)]
    ranked = _ranked(residuals[todo], codebook)
    group = 0
    while len(todo):
        code = _ask(ranked, residuals[todo], codebook, prefix[todo] * k3, free)
        placed = code >= 0
        new[todo[placed], 2] = code[placed] + k3 * group
        todo, ranked = todo[~placed], ranked[~placed]
        group, free = group + 1, room.copy()
    return new


def _crowded(codes: Codes, t_max: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of each item's prefix, -1 where all of its SIDs have room; items of each prefix."""
    _, sid, size = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    _, all_prefixes = np.unique(codes[:, :2], axis=0, return_inverse=True)
    crowded = np.unique(all_prefixes[size[sid] > t_max])
    inside = np.isin(all_prefixes, crowded)
    prefix = np.where(inside, np.searchsorted(crowded, all_prefixes), -1)
    return prefix, np.bincount(prefix[inside], minlength=len(crowded))


def _ask(
    ranked: NDArray[np.unsignedinteger],
    residuals: Vectors,
    codebook: Vectors,
    offset: NDArray[np.int64],
    free: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The code that each item gets, -1 where all are full: int64 `[L]`; `free` is updated."""
    got = np.full(len(ranked), -1)
    todo = np.arange(len(ranked))
    for rank in range(len(codebook)):
        code = ranked[todo, rank].astype(np.int64)
        slot = offset[todo] + code
        at = np.flatnonzero(free[slot])
        distance = _distance(residuals[todo[at]], codebook[code[at]])
        at = at[_take(slot[at], distance, free)]
        got[todo[at]] = code[at]
        todo = np.delete(todo, at)
        if not len(todo):
            break
    return got


def _take(
    slot: NDArray[np.int64], distance: NDArray[np.float32], free: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which items get the slot they ask for, the nearest first; `free` is updated."""
    order = np.lexsort((distance, slot))
    asked = slot[order]
    taken = np.zeros(len(slot), dtype=np.bool_)
    taken[order] = rank_in_run(asked) < free[asked]
    np.subtract.at(free, slot[taken], 1)
    return taken


def _ranked(residuals: Vectors, codebook: Vectors) -> NDArray[np.unsignedinteger]:
    """All codes from the nearest to the farthest: `[L, K3]`."""
    squares = np.square(codebook).sum(1)
    ranked = np.empty((len(residuals), len(codebook)), dtype=np.min_scalar_type(len(codebook)))
    for block in blocks(len(residuals), len(codebook)):
        distance = squares - 2 * residuals[block] @ codebook.T
        ranked[block] = np.argsort(distance, axis=1, kind="stable")
    return ranked


def _distance(residuals: Vectors, vectors: Vectors) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.square(residuals - vectors).sum(1)
    return found
