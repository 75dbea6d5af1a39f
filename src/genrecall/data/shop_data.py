"""A shop's tables together: what is learned from, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from genrecall.data.pairs import LoggedPairs, logged_pairs
from genrecall.data.splits import further_queries
from genrecall.data.tables import Catalog, Searches, SplitBy


@dataclass(frozen=True, eq=False)
class ShopData:
    """What a shop has recorded.

    Attributes:
        catalog: all items.
        searches: of all splits; those of the training split are learned from, the others measured.
        users: columns of `USERS`; None where nothing is known of them.
        category_paths: whether the queries are category-path queries, made of what was chosen.
        split_by: how searches were split; None where it was shopper by shopper, or there are none.
        further: column of `FURTHER`; None where no queries beside the searches were given.
    """

    catalog: Catalog
    searches: Searches
    users: pl.DataFrame | None = None
    category_paths: bool = False
    split_by: SplitBy | None = None
    further: pl.DataFrame | None = None

    @property
    def queries(self) -> list[str]:
        """Distinct queries of the training searches."""
        return self._logged[0]

    @property
    def pairs(self) -> LoggedPairs:
        """Which item was relevant to which of those queries; may be empty."""
        return self._logged[1]

    @cached_property
    def unlabelled(self) -> list[str]:
        """Distinct queries of which nobody knows what is relevant.

        Those of training searches in which nothing was chosen, or nothing that training may know
        (`split.disjoint_items`), and those beside the searches.
        """
        training = self.searches.frame.filter(split="train")
        lonely = training.filter(pl.col("positives").list.len() == 0)["query"]
        found = further_queries(lonely, self.searches.of("train").frame["query"])
        return found if self.further is None else [*found, *self.further["further_query"]]

    @cached_property
    def _logged(self) -> tuple[list[str], LoggedPairs]:
        return logged_pairs(self.searches.of("train"))
