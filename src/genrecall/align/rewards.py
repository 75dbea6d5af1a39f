"""What a generated SID is worth in a search: the ladder of EG-GRPO (arXiv 2605.14434, §3.3).

Pure functions over what the page of a search showed and its shopper chose. Shapes: `n` searches,
`total` SIDs of all of them, `Q` searches of a batch, `M` members of a group, `S` SIDs in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.foundation.ragged import ragged_offsets, ragged_owners, ragged_ranges, rank_in_run
from genrecall.generator.align_config import RewardConfig


class Outcome(IntEnum):
    """What became of a SID in a search, the worst first."""

    INVALID = 0
    VALID = 1
    EXPOSED = 2
    CLICKED = 3
    BOUGHT = 4


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The SIDs of which a search's page held items, and the best that became of each.

    Attributes:
        leaves: positions of the SIDs in the trie, ascending within a search, int64 `[total]`.
        outcome: `EXPOSED`, `CLICKED` or `BOUGHT`, int8 `[total]`.
        offsets: where each search's start, int64 `[n + 1]`.
        n_sids: `S`.
        worth: price of the dearest bought item of each SID, in mean prices of all purchases; 1
            where none was bought or prices are not known, float32 `[total]`.
    """

    leaves: NDArray[np.int64]
    outcome: NDArray[np.int8]
    offsets: NDArray[np.int64]
    n_sids: int
    worth: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, searches: NDArray[np.int64], leaves: NDArray[np.int64]) -> NDArray[np.int8]:
        """What became of SIDs in searches: `[Q]` and `[Q, M]` to `Outcome` int8 `[Q, M]`.

        A SID of which the page held no item is `VALID`, one outside `0 … S - 1` `INVALID`.
        """
        at = self._find(searches, leaves)
        found = np.append(self.outcome, np.int8(Outcome.VALID))[at]
        exists = (leaves >= 0) & (leaves < self.n_sids)
        return np.where(exists, found, np.int8(Outcome.INVALID))

    def worth_of(
        self, searches: NDArray[np.int64], leaves: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """What the purchases of SIDs were worth, as `worth`: float32 `[Q, M]`."""
        return np.append(self.worth, np.float32(1.0))[self._find(searches, leaves)]

    def _find(self, searches: NDArray[np.int64], leaves: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which entry each SID is, `total` where the page held none: int64 `[Q, M]`."""
        keys, n = self._keys, len(self._keys)
        wanted = np.where(leaves < 0, -1, searches[:, None] * self.n_sids + leaves)
        at = np.minimum(np.searchsorted(keys, wanted), n - 1)
        outside = (leaves >= self.n_sids) | (keys[at] != wanted) if n else np.True_
        return np.where(outside, n, at)

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        """Search and SID of each entry as one number, ascending."""
        return ragged_owners(np.diff(self.offsets)) * self.n_sids + self.leaves

    @cached_property
    def best(self) -> NDArray[np.int8]:
        """The best that became of any SID of each search, `INVALID` without one: int8 `[n]`."""
        found = np.zeros(len(self), dtype=np.int8)
        some = np.diff(self.offsets) > 0
        found[some] = np.maximum.reduceat(self.outcome, self.offsets[:-1][some])
        return found


def outcomes_of(
    searches: pl.DataFrame,
    sid_of_item: NDArray[np.int64],
    prices: NDArray[np.float64] | None = None,
) -> Outcomes:
    """What became of SIDs in searches.

    Args:
        searches: columns `impressions`, `positives` and `bought` of `SEARCHES`, `n` rows. What was
            chosen counts as shown, too.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        prices: of the items, NaN where not known, `[N]`; None where money does not count.
    """
    n_sids = int(sid_of_item.max(initial=-1)) + 1
    shown = searches["impressions"].list.len().to_numpy()
    chosen = searches["positives"].list.len().to_numpy()
    every = np.arange(searches.height)
    search = np.concatenate([np.repeat(every, shown), np.repeat(every, chosen)])
    bought = _flat(searches["bought"]).astype(np.bool_)
    outcome = np.concatenate(
        [
            np.full(int(shown.sum()), Outcome.EXPOSED, dtype=np.int8),
            np.where(bought, Outcome.BOUGHT, Outcome.CLICKED).astype(np.int8),
        ]
    )
    rows = np.concatenate([_flat(searches["impressions"]), _flat(searches["positives"])])
    rows = rows.astype(np.int64)
    leaves, worth = sid_of_item[rows], _worth(rows, outcome, prices)
    order = np.lexsort((-worth, -outcome, leaves, search))
    key = (search * n_sids + leaves)[order]
    best = order[np.flatnonzero(np.diff(key, prepend=-1))]  # the best of each SID stands first
    counts = np.bincount(search[best], minlength=searches.height)
    return Outcomes(leaves[best], outcome[best], ragged_offsets(counts), n_sids, worth[best])


def _worth(
    rows: NDArray[np.int64], outcome: NDArray[np.int8], prices: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """Prices of what was bought, in mean prices of it; 1 for all else."""
    worth = np.ones(len(rows))
    if prices is not None:
        paid = (outcome == Outcome.BOUGHT) & ~np.isnan(prices[rows])
        if (prices[rows[paid]] > 0).any():
            worth[paid] = prices[rows[paid]] / prices[rows[paid]].mean()
    return worth.astype(np.float32)


def _flat(lists: pl.Series) -> NDArray[Any]:
    flat: NDArray[Any] = lists.list.explode(empty_as_null=False).to_numpy()
    return flat


def ladder(
    outcome: NDArray[np.int8], config: RewardConfig, worth: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Rewards of outcomes, float32 of the same shape.

    Args:
        outcome: `Outcome` of SIDs.
        config: what each is worth.
        worth: of the purchases, as `Outcomes.worth`; None where money does not count.

    >>> ladder(np.array([0, 1, 2, 3, 4], dtype=np.int8), RewardConfig()).tolist()
    [0.0, 0.10000000149011612, 0.5, 1.0, 1.0]
    """
    steps = (config.invalid, config.valid, config.exposed, config.clicked, config.bought)
    rewards: NDArray[np.float32] = np.array(steps, dtype=np.float32)[outcome]
    if worth is None:
        return rewards
    by_money = 1.0 - config.gmv + config.gmv * worth
    return np.where(outcome == Outcome.BOUGHT, rewards * by_money, rewards).astype(np.float32)


def draw_experts(
    outcomes: Outcomes,
    searches: NDArray[np.int64],
    count: int,
    rng: np.random.Generator,
    *,
    least: Outcome = Outcome.EXPOSED,
) -> NDArray[np.int64]:
    """Ground-truth SIDs of searches: of what was bought, then clicked, then shown.

    Among those of the same kind chance decides.

    Args:
        outcomes: of all searches.
        searches: which, int64 `[Q]`.
        count: `K` at most.
        rng: where chance comes from.
        least: what must at least have become of a SID.

    Returns:
        Distinct SIDs, int64 `[Q, K]`; -1 where a search has fewer.
    """
    counts = np.diff(outcomes.offsets)[searches]
    at = ragged_ranges(outcomes.offsets[searches], counts)
    owner = ragged_owners(counts)
    good = outcomes.outcome[at] >= least
    at, owner = at[good], owner[good]
    order = np.lexsort((rng.random(len(at)), -outcomes.outcome[at], owner))
    rank = rank_in_run(owner[order])
    first = order[rank < count]
    experts = np.full((len(searches), count), -1, dtype=np.int64)
    experts[owner[first], rank[rank < count]] = outcomes.leaves[at[first]]
    return experts
