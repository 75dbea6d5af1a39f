"""What stands behind a SID: how many items, of which category, and the titles in its middle.

Shapes: `N` items, `S` SIDs, `D` width of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Catalog
from genrecall.foundation.blocks import blocks
from genrecall.foundation.groups import group_means
from genrecall.foundation.ragged import ragged_offsets
from genrecall.foundation.sid import SidTable
from genrecall.native.arrays import Numbers

_TITLES: Final = 3
_LONGEST: Final = 120  # characters of a title


class Clusters:
    """Every SID of a table, described.

    Args:
        catalog: the items.
        table: SID of each item.
        vectors: of the items, `[N, D]`.
        live: which items can be answered with, bool `[N]`; None for all.
    """

    def __init__(
        self,
        catalog: Catalog,
        table: SidTable,
        vectors: Numbers,
        *,
        live: NDArray[np.bool_] | None = None,
    ) -> None:
        self.catalog, self.table = catalog, table
        sid, n = table.sid_of_item, len(table.packed)
        self._live = np.bincount(sid if live is None else sid[live], minlength=n)
        self.means = group_means(vectors, sid, n)
        """Mean vector of each SID's items, float32 `[S, D]`."""
        likeness = np.empty(len(vectors), dtype=np.float32)
        for rows in blocks(len(vectors), vectors.shape[1]):
            some = vectors[rows].astype(np.float32, copy=False)
            likeness[rows] = np.einsum("nd,nd->n", some, self.means[sid[rows]])
        self._central = np.lexsort((-likeness, sid))  # the most central of each SID first
        self._sizes = table.sizes  # counted whenever they are asked for
        self._starts = ragged_offsets(self._sizes)[:-1]
        self._sids = table.sids.tolist()
        self._categories = _most_frequent(catalog.categories, sid, n)

    def __len__(self) -> int:
        return len(self._sids)

    def describe(self, sid: int) -> dict[str, Any]:
        """One SID by its position in the table.

        Returns:
            `sid` [its codes], `items` (live ones), `category` [path] or None, the most frequent of
            its items, `titles` of up to three items nearest to its middle.
        """
        size = min(int(self._sizes[sid]), _TITLES)
        central = self._central[self._starts[sid] : self._starts[sid] + size]
        category = self._categories[sid]
        return {
            "sid": self._sids[sid],
            "items": int(self._live[sid]),
            "category": None if category is None else list(category),
            "titles": [shorten(self.catalog.titles[row]) for row in central.tolist()],
        }


def shorten(text: str) -> str:
    """A title that fits on a page; some shops write whole descriptions into it.

    >>> shorten("x" * 200) == "x" * 119 + "…"
    True
    """
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def _most_frequent(
    categories: Sequence[tuple[str, ...] | None], sid: NDArray[np.int64], n_sids: int
) -> list[tuple[str, ...] | None]:
    """The most frequent known category of each SID's items."""
    paths = sorted({path for path in categories if path})
    number = {path: place for place, path in enumerate(paths)}
    of_item = np.array([number[path] if path else -1 for path in categories], dtype=np.int64)
    known = of_item >= 0
    found: list[tuple[str, ...] | None] = [None] * n_sids
    if not paths:
        return found
    pairs, counts = np.unique(np.stack([sid[known], of_item[known]]), axis=1, return_counts=True)
    for place in np.argsort(counts, kind="stable").tolist():  # the most frequent is written last
        found[int(pairs[0, place])] = paths[int(pairs[1, place])]
    return found
