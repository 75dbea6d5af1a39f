"""What can be answered with now: one frozen view, which channels read and writers replace.

Shapes: `N` items, `S` SIDs, `D` size of the vectors of stage `embed`, `D'` of the generator's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Catalog
from genrecall.foundation.sid import SidTable
from genrecall.foundation.trie import Trie
from genrecall.index.filters import Filters, ItemFilters
from genrecall.index.order import group_numbers
from genrecall.index.postings import Postings
from genrecall.index.prefixes import mean_vectors

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LiveItems:
    """The items at one moment, with all that recall reads of them. Nothing in it changes.

    Attributes:
        catalog: the item pool; a row number means an item here and in every array.
        table: the SID of each item.
        vectors: of the items by stage `embed`, unit vectors, float32 `[N, D]`.
        views: of the items as a generator compares them with queries, unit vectors, float32
            `[N, D']`; `vectors` until a generator has seen the items.
        available: which items can be answered with, those not marked as unavailable, bool `[N]`;
            None for all.
        filters: conditions on the items.
        trie: the SIDs in use.
        postings: the available items behind each SID.
    """

    catalog: Catalog
    table: SidTable
    vectors: Vectors
    views: Vectors
    available: NDArray[np.bool_] | None
    filters: ItemFilters
    trie: Trie
    postings: Postings

    @classmethod
    def of(cls, catalog: Catalog, table: SidTable, vectors: Vectors) -> LiveItems:
        """The items of a catalog.

        Args:
            catalog: the item pool.
            table: the SID of each item.
            vectors: of the items by stage `embed`, float32 `[N, D]`.
        """
        marked = catalog.frame["available"].fill_null(True)
        available = None if marked.all() else marked.to_numpy()
        return cls(
            catalog=catalog,
            table=table,
            vectors=vectors,
            views=vectors,
            available=available,
            filters=ItemFilters(catalog.frame),
            trie=Trie(table.space, table.packed),
            postings=Postings(table, available),
        )

    def seen_as(self, views: Vectors) -> LiveItems:
        """The same items as a generator sees them, float32 `[N, D']`."""
        return replace(self, views=views)

    def __len__(self) -> int:
        return len(self.catalog)

    def mask(self, filters: Filters | None) -> NDArray[np.bool_] | None:
        """The available items that pass the filters of a request, bool `[N]`; None for all.

        Raises:
            FilterError: an unknown field or unusable condition.
        """
        if not filters:
            return self.available
        passing = self.filters.mask(filters)
        return passing if self.available is None else passing & self.available

    @cached_property
    def means(self) -> Vectors:
        """Prefix vectors: the normalized mean of the views of each SID's items, `[S, D']`."""
        return mean_vectors(self.table.sid_of_item, self.views, len(self.table.packed))

    @cached_property
    def efficiency(self) -> NDArray[np.float64]:
        """The shop's score of each item, `[N]`; NaN where it has none."""
        return self.catalog.frame["score"].to_numpy().astype(np.float64)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Which product each item is a variant of, as numbers, `[N]`."""
        return group_numbers(self.catalog.frame["group_id"])
