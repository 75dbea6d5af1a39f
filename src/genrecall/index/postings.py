"""Postings: the live items behind each SID.

Shapes: `N` items, `S` distinct SIDs, `B` beams, `n` items behind them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.foundation.ragged import ragged_offsets, ragged_ranges
from genrecall.foundation.sid import SidTable, sids_within


class PostedItems(NamedTuple):
    """Items behind beams, beam by beam.

    Attributes:
        rows: catalog rows, int32 `[n]`, ascending within a beam.
        beam: which of the given SIDs each is behind, int64 `[n]`, not decreasing.
    """

    rows: Rows
    beam: NDArray[np.int64]

    def of(self, kept: NDArray[np.bool_]) -> PostedItems:
        """Those that are kept, bool `[n]`."""
        return PostedItems(self.rows[kept], self.beam[kept])


class Postings:
    """The live items of every SID, in memory and unchanging.

    Args:
        table: which SID each item has.
        live: which items can be answered with, bool `[N]`; None for all.

    Raises:
        ValueError: `live` has another length than the table.

    >>> from genrecall.foundation.sid import SidSpace
    >>> codes = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]], dtype=np.int32)
    >>> postings = Postings(SidTable(SidSpace((1, 1, 2)), codes))
    >>> postings.items(np.array([1, 0]))
    PostedItems(rows=array([1, 0, 2], dtype=int32), beam=array([0, 1, 1]))
    """

    def __init__(self, table: SidTable, live: NDArray[np.bool_] | None = None) -> None:
        n = len(table.codes)
        if live is None:
            live = np.ones(n, dtype=np.bool_)
        if live.shape != (n,):
            raise ValueError(f"`live` of shape {live.shape} does not fit a table of {n} items.")
        self.table = table
        self.live = live
        rows = np.flatnonzero(live)
        sids = table.sid_of_item[rows]
        self._rows = rows[np.argsort(sids, kind="stable")].astype(np.int32)
        self.sizes = np.bincount(sids, minlength=len(table.packed))
        """How many live items each SID has, int64 `[S]`."""
        self._offsets = ragged_offsets(self.sizes)

    @cached_property
    def populated(self) -> NDArray[np.bool_]:
        """SIDs with a live item, bool `[S]`."""
        return self.sizes > 0

    @cached_property
    def usual_size(self) -> float:
        """Live items behind a SID that has any, on average; 1 where none has."""
        populated = self.sizes[self.sizes > 0]
        return float(populated.mean()) if len(populated) else 1.0

    def valid(self, mask: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """SIDs with a live item, and one within `mask` (bool `[N]`) if given: bool `[S]`."""
        if mask is None or mask is self.live:
            return self.populated
        return sids_within(self.live & mask, self.table.sid_of_item, len(self.sizes))

    def items(
        self, sids: NDArray[np.integer[Any]], mask: NDArray[np.bool_] | None = None
    ) -> PostedItems:
        """The live items behind `sids`, and within `mask` if given.

        Args:
            sids: positions in `table.sids`, `[B]`; a negative one is padding and has no items.
            mask: items that may be answered with, bool `[N]`.
        """
        beams = np.flatnonzero(sids >= 0)
        chosen = sids[beams]
        sizes = self.sizes[chosen]
        rows = self._rows[ragged_ranges(self._offsets[chosen], sizes)]
        beam = np.repeat(beams, sizes)
        if mask is not None:
            return PostedItems(rows, beam).of(mask[rows])
        return PostedItems(rows, beam)
