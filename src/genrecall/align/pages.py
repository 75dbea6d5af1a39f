"""The logged searches that alignment learns from or is measured on, as prompts and outcomes.

Shapes: `n` searches, `N` items, `S` SIDs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.align.rewards import Outcomes, outcomes_of
from genrecall.data.filters.items import ItemFilters
from genrecall.data.histories import shoppers_at
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Searches, SplitName
from genrecall.evaluate.exposure import ShownSids, shown_in
from genrecall.foundation.sid import sids_within
from genrecall.generator.prompts import Prompt

_KEPT: Final = 1024
"""Distinct filters whose SIDs are remembered."""


@dataclass(frozen=True, eq=False)
class Pages:
    """Searches with what was known of their shoppers, shown and chosen.

    Attributes:
        prompts: as a generator reads them, `n`.
        searches: the same, with items shown and chosen.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        prices: of the items, NaN where not known, `[N]`; None where money does not count.
        fields: what the items are filtered by; None where no search has filters.
    """

    prompts: list[Prompt]
    searches: Searches
    sid_of_item: NDArray[np.int64]
    prices: NDArray[np.float64] | None = None
    fields: ItemFilters | None = None

    def __len__(self) -> int:
        return len(self.prompts)

    @cached_property
    def outcomes(self) -> Outcomes:
        """What became of SIDs, for rewards."""
        return outcomes_of(self.searches.frame, self.sid_of_item, self.prices)

    @cached_property
    def shown(self) -> ShownSids:
        """The same for measures."""
        return shown_in(self.searches, self.sid_of_item)


def logged_pages(
    shop: ShopData,
    split: SplitName,
    sid_of_item: NDArray[np.int64],
    *,
    history: int | None,
    most: int | None = None,
    money: bool = False,
) -> Pages:
    """The searches of a split whose page or choices are known.

    Args:
        shop: the searches, and who made them.
        split: which.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        history: items of a shopper's history that a generator looks through, the latest; None
            where it reads nothing of shoppers.
        most: of more, so many are taken evenly over the log; None for all.
        money: whether purchases count by their prices.

    Raises:
        DataError: a history holds what its search could not know.
    """
    searches = shop.searches.told(split)
    if most is not None:
        searches = searches.spread(most)
    filtered = searches.frame["filters"].is_not_null().any()
    return Pages(
        _prompts(shop, searches, split, history),
        searches,
        sid_of_item,
        shop.catalog.frame["price"].cast(pl.Float64).to_numpy() if money else None,
        ItemFilters(shop.catalog) if filtered else None,
    )


class PassingSids:
    """Which SIDs have an item that passes what a search was filtered by.

    Prices and attributes are those of today, since a log does not tell those of its day; whether an
    item is available today does not matter.

    Args:
        pages: the searches.
        sids: how many SIDs there are, `S`.
    """

    def __init__(self, pages: Pages, sids: int) -> None:
        self._pages = pages
        self._all = np.ones(sids, dtype=np.bool_)
        self._written = pages.searches.frame["filters"].to_list() if pages.fields else []
        self._passing = lru_cache(_KEPT)(self._find)  # a log repeats its filters

    def of(self, searches: Sequence[int]) -> list[NDArray[np.bool_]] | None:
        """Bool `[S]` for each search; None where none of them has filters."""
        written = [self._written[search] for search in searches] if self._written else []
        if not any(written):
            return None
        return [self._passing(filters) if filters else self._all for filters in written]

    def alike(
        self, searches: Sequence[int]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_] | None]]:
        """Which of the searches have equal filters, int64, and their SIDs; None for all SIDs."""
        places: dict[str | None, list[int]] = {}
        for place, search in enumerate(searches):
            places.setdefault(self._written[search] if self._written else None, []).append(place)
        for written, of in places.items():
            yield np.array(of, dtype=np.int64), self._passing(written) if written else None

    def _find(self, written: str) -> NDArray[np.bool_]:
        assert self._pages.fields is not None
        mask = self._pages.fields.mask(json.loads(written))
        return sids_within(mask, self._pages.sid_of_item, len(self._all))


def _prompts(
    shop: ShopData, searches: Searches, split: SplitName, length: int | None
) -> list[Prompt]:
    if length is None:
        return [Prompt(query) for query in searches.queries]
    row_of = shop.catalog.row_of
    return [
        Prompt(query, shopper.profile, tuple(row_of[item] for item in shopper.history))
        for query, shopper in zip(
            searches.queries, shoppers_at(shop, searches, split, length=length), strict=True
        )
    ]
