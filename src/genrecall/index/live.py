"""What can be answered with now: one frozen view, which channels read and writers replace.

Shapes: `N` items, `S` SIDs, `D` size of the vectors of stage `embed`, `D'` of the generator's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.filters.no_hits import NoHits
from genrecall.data.tables import Catalog
from genrecall.foundation.eight_bits import EightBits
from genrecall.foundation.halves import append_rows
from genrecall.foundation.sid import Codes, SidTable
from genrecall.foundation.trie import Trie
from genrecall.index.item_views import ItemViews
from genrecall.index.order import group_numbers
from genrecall.index.postings import Postings
from genrecall.index.prefixes import mean_vectors
from genrecall.native.arrays import Numbers

if TYPE_CHECKING:
    from genrecall.data.filters.items import Filters, ItemFilters

Vectors = NDArray[np.float32]

_OF_THE_CATALOG: Final = ("available", "trie", "postings", "efficiency")
"""What does not depend on how a generator sees the items, and every answer needs."""
_FOR_SOME: Final = ("filters", "groups")
"""The same that some answers need, made once for all views."""


@dataclass(frozen=True, eq=False)
class LiveItems:
    """The items at one moment, with all that recall reads of them. Nothing in it changes.

    What follows from the attributes is made when it is first needed.

    Attributes:
        catalog: the item pool; a row number means an item here and in every array.
        table: the SID of each item.
        vectors: of the items by stage `embed`, unit vectors, `[N, D]`.
        seen: of the items by a generator that has vectors of its own, `[N, D + D']`; None where it
            has none, or none has seen the items.
    """

    catalog: Catalog
    table: SidTable
    vectors: Numbers
    seen: ItemViews | None = None
    _first: LiveItems | None = field(default=None, init=False, repr=False)  # of `seen_as`

    def seen_as(self, views: ItemViews) -> LiveItems:
        """The same items as a generator sees them, `[N, D + D']`."""
        seen = replace(self, seen=views)._sharing(self, _OF_THE_CATALOG)
        object.__setattr__(seen, "_first", self._first or self)
        return seen

    def grown(self, catalog: Catalog, codes: Codes, vectors: Vectors) -> LiveItems:
        """More items, behind these, of the same SIDs; no generator has seen them yet.

        All but the trie is made anew, so it costs what the whole catalog does.

        Args:
            catalog: these items, and more.
            codes: SIDs of the new ones, all of them in use, int32 `[n, 3]`.
            vectors: of the new ones, float32 `[n, D]`.
        """
        table = SidTable(self.table.space, np.concatenate([self.table.codes, codes]))
        more = LiveItems(catalog, table, append_rows(self.vectors, vectors))
        return more._sharing(self, ("trie",))

    def __len__(self) -> int:
        return len(self.catalog)

    def prepare(self) -> None:
        """Make now what is otherwise made when it is first needed.

        A process that was forked cannot make it: the threads of polars are not there.
        """
        _ = [getattr(self, name) for name in (*_OF_THE_CATALOG, *_FOR_SOME)]
        self.filters.prepare()

    def mask(self, filters: Filters | None) -> NDArray[np.bool_] | None:
        """The available items that pass the filters of a request, bool `[N]`; None for all.

        Raises:
            FilterError: an unknown field or unusable condition.
        """
        if not filters:
            return self.available
        passing = self.filters.mask(filters)
        return passing if self.available is None else passing & self.available

    def why_none(self, filters: Filters | None) -> NoHits | None:
        """Why no item can be answered with that passes filters; None if there are some.

        Raises:
            FilterError: an unknown field or unusable condition.
        """
        mask = self.mask(filters)
        if mask is None or mask.any():
            return None
        passing = len(self) if not filters else int(self.filters.mask(filters).sum())
        if filters and not passing:
            return self.filters.why_none(filters)
        which = "that pass the filters" if filters else "of the shop"
        return NoHits("none_available", f"none of the {passing:,} items {which} is available now")

    @property
    def views(self) -> ItemViews:
        """The items as they are compared with what the generator makes of a query."""
        return ItemViews.alone(self.vectors) if self.seen is None else self.seen

    @cached_property
    def means(self) -> Vectors:
        """Prefix vectors: the normalized mean of the views of each SID's items, `[S, D']`."""
        return mean_vectors(self.table.sid_of_item, self.views, len(self.table.packed))

    @cached_property
    def rounded_means(self) -> EightBits:
        """The same in eight bits a number."""
        return EightBits.of(self.means)

    @cached_property
    def available(self) -> NDArray[np.bool_] | None:
        """Items that can be answered with, those not marked as unavailable, `[N]`; None for all."""
        marked = self.catalog.frame["available"].fill_null(True)
        return None if marked.all() else marked.to_numpy()

    @cached_property
    def filters(self) -> ItemFilters:
        """Conditions on the items."""
        if self._first is not None:
            return self._first.filters
        # Requests without filters do not wait for what reads them.
        from genrecall.data.filters.items import ItemFilters

        return ItemFilters(self.catalog)

    @cached_property
    def trie(self) -> Trie:
        """The SIDs in use."""
        return Trie(self.table.space, self.table.packed)

    @cached_property
    def postings(self) -> Postings:
        """The available items behind each SID."""
        return Postings(self.table, self.available)

    @cached_property
    def efficiency(self) -> NDArray[np.float64]:
        """The shop's score of each item, `[N]`; NaN where it has none."""
        return self.catalog.scores

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Which product each item is a variant of, as numbers, `[N]`."""
        if self._first is not None:
            return self._first.groups
        return group_numbers(self.catalog.frame["group_id"])

    def _sharing(self, other: LiveItems, names: Sequence[str]) -> LiveItems:
        """This view, with what another one has made and is the same here."""
        self.__dict__.update({name: getattr(other, name) for name in names})
        return self
