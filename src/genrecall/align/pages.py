"""The logged searches that alignment learns from or is measured on, as prompts and outcomes.

Shapes: `n` searches, `N` items.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.align.rewards import Outcomes, outcomes_of
from genrecall.data.histories import shoppers_at
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Searches, SplitName
from genrecall.evaluate.exposure import ShownSids, shown_in
from genrecall.generator.prompts import Prompt


@dataclass(frozen=True, eq=False)
class Pages:
    """Searches with what was known of their shoppers, shown and chosen.

    Attributes:
        prompts: as a generator reads them, `n`.
        searches: the same, with items shown and chosen.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        prices: of the items, NaN where not known, `[N]`; None where money does not count.
    """

    prompts: list[Prompt]
    searches: Searches
    sid_of_item: NDArray[np.int64]
    prices: NDArray[np.float64] | None = None

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
    prices = None
    if money:
        prices = shop.catalog.frame["price"].cast(pl.Float64).to_numpy()
    if history is None:
        return Pages([Prompt(query) for query in searches.queries], searches, sid_of_item, prices)
    return Pages(_prompts(shop, searches, split, history), searches, sid_of_item, prices)


def _prompts(shop: ShopData, searches: Searches, split: SplitName, length: int) -> list[Prompt]:
    row_of = shop.catalog.row_of
    return [
        Prompt(query, shopper.profile, tuple(row_of[item] for item in shopper.history))
        for query, shopper in zip(
            searches.queries, shoppers_at(shop, searches, split, length=length), strict=True
        )
    ]
