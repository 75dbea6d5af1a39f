"""What was known of the shoppers when they made the training searches of stage user+query→SID."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.histories import check_histories, histories_of
from genrecall.data.shoppers import HISTORY, Pair, profiles_of
from genrecall.data.tables import Searches
from genrecall.foundation.ragged import Bags, filter_bags, ragged_owners, take_bags
from genrecall.generator.history import ShopperRule
from genrecall.generator.prompts import Prompt
from genrecall.text.distinct import distinct


@dataclass(frozen=True, eq=False)
class KnownShoppers:
    """What was known of the shoppers of `n` searches when they searched.

    Attributes:
        searches: those of the training split that tell who and when, `n` of them.
        histories: catalog rows that each had chosen before and that are read, oldest first.
        profiles: numbers of each one's profile pairs.
        pairs: the pairs (field, value) that have a number.
        rare: how many others are left out because too few shoppers have them.
    """

    searches: Searches
    histories: Bags
    profiles: Bags
    pairs: tuple[Pair, ...]
    rare: int = 0

    def personalise(
        self, prompts: Sequence[Prompt], histories: Bags, profiles: Bags
    ) -> list[Prompt]:
        """Prompts with histories and numbered profiles, one for each."""
        rows, pairs = histories.ids.tolist(), [self.pairs[n] for n in profiles.ids.tolist()]
        cuts = zip(
            itertools.pairwise(histories.offsets.tolist()),
            itertools.pairwise(profiles.offsets.tolist()),
            strict=True,
        )
        return [
            replace(prompt, profile=tuple(pairs[c:d]), history=tuple(rows[a:b]))
            for prompt, ((a, b), (c, d)) in zip(prompts, cuts, strict=True)
        ]

    def draw(
        self,
        searches: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        withheld: float,
        forgotten: float,
    ) -> tuple[Bags, Bags]:
        """Histories and profiles as a step of training sees them: some of it is left out.

        Args:
            searches: which, `[B]`.
            rng: where chance comes from.
            withheld: share of the histories that are left out whole, and of the profiles.
            forgotten: share of the items left out of the other histories; of one more, of another
                less, up to twice as many.
        """
        histories, profiles = (
            take_bags(of_search, searches) for of_search in (self.histories, self.profiles)
        )
        without_history, without_profile = rng.random((2, len(searches))) < withheld
        rate = np.where(without_history, 1.0, 2.0 * forgotten * rng.random(len(searches)))
        return _leave_out(histories, rate, rng), _leave_out(
            profiles, without_profile.astype(np.float64), rng
        )

    def describe(self) -> str:
        """One line for the log."""
        with_history = int((self.histories.counts > 0).sum())
        line = (
            f"{len(self.searches):,} searches with a shopper, {with_history:,} of them with a "
            f"history; {len(self.pairs):,} profile values"
        )
        if self.rare:
            line += f", {self.rare:,} more are left out, as too few shoppers have them"
        return line


def _leave_out(bags: Bags, rate: NDArray[np.float64], rng: np.random.Generator) -> Bags:
    """Leave a share of each list out, `[B]`."""
    place = ragged_owners(bags.counts)
    return filter_bags(bags, rng.random(len(place)) >= rate[place])


def known_shoppers(
    searches: Searches,
    users: pl.DataFrame | None,
    rule: ShopperRule,
    *,
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    profile_shoppers: int,
) -> KnownShoppers | None:
    """Cut what each training search could know of its shopper.

    Args:
        searches: of all splits; of those that train, the ones that tell who and when are kept.
        users: columns of `USERS`; None where nothing is known of them, or is to be read.
        rule: what is read of histories.
        encode: queries to their vectors by stage `embed`, float32 `[n, D]`.
        profile_shoppers: a pair of a profile is read if at least so many shoppers of these searches
            have it.

    Returns:
        None where no search tells who and when.

    Raises:
        DataError: a history holds what its search could not know.
    """
    known = pl.col("user_id").is_not_null() & pl.col("time").is_not_null()
    usable = Searches(searches.frame.filter(known))
    train = usable.of("train")
    if not len(train):
        return None
    limit = rule.settings.history if rule.related is None else HISTORY
    cut = histories_of(usable, "train", limit=limit)
    check_histories(cut, train.frame["time"])
    queries = distinct(train.queries)
    histories = rule.choose(
        Bags(cut.rows.astype(np.int64), cut.offsets),
        np.empty((0, 0), dtype=np.float32) if rule.related is None else encode(queries.texts),
        queries.number,
    )
    profiles = profiles_of(users, train.frame["user_id"], least=profile_shoppers)
    return KnownShoppers(
        searches=train,
        histories=histories,
        profiles=Bags(profiles.pairs.astype(np.int64), profiles.offsets),
        pairs=profiles.vocabulary,
        rare=profiles.rare,
    )
