"""Which SIDs of a category join, so that none is too small.

Ours. Shapes: `n` items of a category, `S` SIDs, `d` width of the latents, `c` SIDs near one.
"""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.groups import group_means
from genrecall.learning.near import nearest

Vectors = NDArray[np.float32]

_ALL_COMPARED: Final = 1024  # SIDs; of more, only those near one come into question
_NEAR: Final = 32
_LISTED: Final = 4096  # SIDs from which on those near one are looked for in lists
_SEARCHED: Final = 16


def join_small(
    points: Vectors, at: NDArray[np.int64], n_sids: int, *, below: int, t_max: int
) -> NDArray[np.int64]:
    """Let SIDs with fewer than `below` items join the nearest one with room, the smallest first.

    Of many SIDs each knows those that were nearest to it at the start, and after it has been
    joined those of both; it looks at others only where none of these has room. So the time grows
    little faster than the SIDs, not with their square.

    Args:
        points: latents of the items, float32 `[n, d]`.
        at: SID of each, int64 `[n]`.
        n_sids: `S`.
        below: least size that stands alone.
        t_max: most items of a joined SID.

    Returns:
        Which SID each ends in, int64 `[S]`; a joined one is the larger of its parts.
    """
    size = np.bincount(at, minlength=n_sids)
    small = np.flatnonzero(size < below)
    joining = _Joining(group_means(points, at, n_sids), size, small, t_max=t_max)
    queue = [(int(size[sid]), sid) for sid in small.tolist()]
    heapq.heapify(queue)
    while queue:
        n, sid = heapq.heappop(queue)
        if size[sid] != n:  # joined or grown since it was queued
            continue
        other = joining.nearest(sid)
        if other is None:
            continue
        kept = joining.join(sid, other)
        if size[kept] < below:
            heapq.heappush(queue, (int(size[kept]), kept))
    return joining.ends()


class _Joining:
    """SIDs while they join. `size` changes in place; one that is gone has no items.

    Args:
        means: of the SIDs, `[S, d]`.
        size: items of each, int64 `[S]`.
        small: those that may look for another one.
        t_max: most items of a joined SID.
    """

    def __init__(
        self, means: Vectors, size: NDArray[np.int64], small: NDArray[np.int64], *, t_max: int
    ) -> None:
        self._means, self._size, self._t_max = means, size, t_max
        self._into = np.arange(len(size))
        self._near: dict[int, NDArray[np.int64]] | None = None
        if len(size) > _ALL_COMPARED:
            # Each is among those nearest to itself.
            near = nearest(
                means[small], means, _NEAR + 1, by="distance", least=_LISTED, searched=_SEARCHED
            )
            self._near = dict(zip(small.tolist(), near.rows, strict=True))

    def nearest(self, sid: int) -> int | None:
        """The nearest SID with room for one; None where none has."""
        if self._near is not None:
            found = self._nearest_of(sid, np.unique(self._ends(self._near[sid])))
            if found is not None:
                return found
        return self._nearest_of(sid, np.flatnonzero(self._size))

    def _nearest_of(self, sid: int, others: NDArray[np.int64]) -> int | None:
        room = self._size[others] + self._size[sid] <= self._t_max
        others = others[room & (others != sid)]
        if not len(others):
            return None
        distance = np.square(self._means[others] - self._means[sid]).sum(1)
        return int(others[distance.argmin()])

    def join(self, one: int, other: int) -> int:
        """Put two together; returns the one that is left."""
        size, means = self._size, self._means
        kept, gone = (other, one) if size[other] >= size[one] else (one, other)
        total = int(size[kept] + size[gone])
        means[kept] = (means[kept] * size[kept] + means[gone] * size[gone]) / total
        size[kept], size[gone] = total, 0
        self._into[gone] = kept
        if self._near is not None and kept in self._near and gone in self._near:
            self._near[kept] = np.concatenate([self._near[kept], self._near.pop(gone)])
        return kept

    def ends(self) -> NDArray[np.int64]:
        """Which SID each has ended in, int64 `[S]`."""
        return self._ends(np.arange(len(self._into)))

    def _ends(self, sids: NDArray[np.int64]) -> NDArray[np.int64]:
        while ((further := self._into[sids]) != sids).any():
            sids = further
        return sids
