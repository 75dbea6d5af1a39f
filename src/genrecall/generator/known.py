"""What was known of the shoppers when they made the training searches of stage user+query→SID."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from genrecall.data.histories import check_histories, histories_of
from genrecall.data.shoppers import HISTORY, profiles_of
from genrecall.data.tables import Searches
from genrecall.embed.tokenizer import Bags
from genrecall.generator.prompts import Pair
from genrecall.generator.related import ShopperRule


@dataclass(frozen=True, eq=False)
class KnownShoppers:
    """What was known of the shoppers of `n` searches when they searched.

    Attributes:
        searches: those of the training split that tell who and when, `n` of them.
        histories: catalog rows that each had chosen before and that are read, oldest first.
        profiles: numbers of each one's profile pairs.
        pairs: the pairs (field, value) that have a number.
    """

    searches: Searches
    histories: Bags
    profiles: Bags
    pairs: tuple[Pair, ...]

    def of(self, search: int) -> tuple[tuple[Pair, ...], tuple[int, ...]]:
        """Profile and history at one of the searches."""
        first, end = self.profiles.offsets[search : search + 2].tolist()
        profile = tuple(self.pairs[number] for number in self.profiles.ids[first:end].tolist())
        first, end = self.histories.offsets[search : search + 2].tolist()
        return profile, tuple(self.histories.ids[first:end].tolist())

    def describe(self) -> str:
        """One line for the log."""
        with_history = int((np.diff(self.histories.offsets) > 0).sum())
        return (
            f"{len(self.searches):,} searches with a shopper, {with_history:,} of them with a "
            f"history; {len(self.pairs)} profile values"
        )


def known_shoppers(
    searches: Searches, users: pl.DataFrame | None, rule: ShopperRule
) -> KnownShoppers | None:
    """Cut what each training search could know of its shopper.

    Args:
        searches: of all splits; of those that train, the ones that tell who and when are kept.
        users: columns of `USERS`; None where nothing is known of them.
        rule: what is read of histories and profiles.

    Returns:
        None where no search tells who and when.

    Raises:
        DataError: a history holds what its search could not know.
    """
    told = pl.col("user_id").is_not_null() & pl.col("time").is_not_null()
    usable = Searches(searches.frame.filter(told))
    train = usable.of("train")
    if not len(train):
        return None
    cut = histories_of(usable, "train", limit=rule.length if rule.related is None else HISTORY)
    check_histories(cut, train.frame["time"])
    histories = rule.choose(Bags(cut.rows.astype(np.int64), cut.offsets), train.queries)
    profiles = profiles_of(users if rule.profile else None, train.frame["user_id"])
    return KnownShoppers(
        searches=train,
        histories=histories,
        profiles=Bags(profiles.pairs.astype(np.int64), profiles.offsets),
        pairs=profiles.vocabulary,
    )
