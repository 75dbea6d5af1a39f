"""Which items shoppers have chosen beside each other: neighbours of each item, without a shopper.

The cosine of two items' shoppers (Sarwar et al., WWW 2001), as the baseline `co_choice` counts it;
of each item the nearest are kept, and none that fewer than three shoppers chose with it: what a
bundle holds is of no single one. Shapes: `N` items, `U` shoppers, `n` items that are asked about.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.ragged import ragged_offsets, ragged_ranges

if TYPE_CHECKING:  # recall does not wait for it
    from scipy import sparse

TOGETHER_FILE: Final = "chosen_together.npz"
_MOST: Final = 50  # neighbours of an item
_LEAST_SHOPPERS: Final = 3  # who chose both
_AT_ONCE: Final = 2_000  # items whose neighbours are found together: bounds the memory


class ChosenTogether:
    """Neighbours of each item, best first.

    Args:
        items: neighbours of all items, int32 `[total]`.
        cosines: of each, float32 `[total]`.
        offsets: where those of each item begin, int64 `[N + 1]`; items that have come since have
            none.
    """

    def __init__(
        self,
        items: NDArray[np.int32],
        cosines: NDArray[np.float32],
        offsets: NDArray[np.int64],
    ) -> None:
        self._items, self._cosines, self._offsets = items, cosines, offsets

    @classmethod
    def of(cls, by_shopper: sparse.csr_array) -> ChosenTogether:
        """Find the neighbours.

        Args:
            by_shopper: who chose what, each item's column of length one, `[U, N]`.
        """
        n = by_shopper.shape[1]
        by_item, who = by_shopper.T.tocsr(), (by_shopper > 0).astype(np.float32)
        by_who = who.T.tocsr()
        items, cosines, counts = [], [], np.zeros(n, dtype=np.int64)
        for first in range(0, n, _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            many = ((by_who[some] @ who) >= _LEAST_SHOPPERS).astype(np.float32)
            found = (by_item[some] @ by_shopper).multiply(many).tocsr()
            found.sort_indices()
            for place in range(found.shape[0]):
                part = slice(found.indptr[place], found.indptr[place + 1])
                rows, values = found.indices[part], found.data[part]
                others = rows != first + place
                rows, values = rows[others], values[others]
                best = np.argsort(-values, kind="stable")[:_MOST]
                items.append(rows[best])
                cosines.append(values[best])
                counts[first + place] = len(best)
        nothing = np.empty(0)
        return cls(
            np.concatenate([nothing, *items]).astype(np.int32),
            np.concatenate([nothing, *cosines]).astype(np.float32),
            ragged_offsets(counts),
        )

    @classmethod
    def load(cls, artifact: Artifact) -> ChosenTogether:
        """Read what `save` wrote into an artifact."""
        with np.load(artifact.file(TOGETHER_FILE), allow_pickle=False) as stored:
            return cls(stored["items"], stored["cosines"], stored["offsets"])

    def save(self, folder: Path) -> None:
        """Write into an existing folder."""
        np.savez(
            folder / TOGETHER_FILE,
            items=self._items,
            cosines=self._cosines,
            offsets=self._offsets,
        )

    def cosines(self, chosen: Rows, rows: Rows) -> NDArray[np.float32]:
        """Summed cosines of some items with what a shopper has chosen, float32 `[n]`.

        Args:
            chosen: catalog rows, each once.
            rows: of the items, `[n]`.
        """
        known = chosen[chosen < len(self._offsets) - 1]
        starts, counts = self._offsets[known], self._offsets[known + 1] - self._offsets[known]
        at = ragged_ranges(starts, counts)
        near, place = np.unique(self._items[at], return_inverse=True)
        if not len(near):
            return np.zeros(len(rows), dtype=np.float32)
        sums = np.bincount(place, weights=self._cosines[at])
        found = np.minimum(np.searchsorted(near, rows), len(near) - 1)
        return np.where(near[found] == rows, sums[found], 0.0).astype(np.float32)
