"""Which searches of a split are measured, and which of their items count.

One rule for every figure: an item counts if it can be answered with today. Of another one no
channel can be blamed, and behind a beam it would be found by nobody.

Shapes: `N` items, `M` searches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.tables import Searches, SplitName


class Chosen(NamedTuple):
    """The measured searches.

    Attributes:
        searches: with the items that are available, at least one relevant one each, `M`.
        rows: their places in `of(split)` of all searches, int64 `[M]`.
        excluded: how many searches of the split were left out, by cause.
        relevant: how many relevant items of the whole split are `available`, and `unavailable`.
    """

    searches: Searches
    rows: NDArray[np.int64]
    excluded: dict[str, int]
    relevant: dict[str, int]


def choose_searches(
    searches: Searches,
    split: SplitName,
    available: NDArray[np.bool_] | None,
    *,
    most: int,
    seed: int,
) -> Chosen:
    """Draw searches of a split that have a relevant item which is available.

    Args:
        searches: of all splits.
        split: which part of them.
        available: items that can be answered with, bool `[N]`; None for all.
        most: searches at most, drawn evenly, in their order.
        seed: which of them.
    """
    every = searches.of(split)
    live = only_available(every, available)
    counts = live.frame["positives"].list.len().to_numpy()
    usable = np.flatnonzero(counts)
    rows = usable[sample_rows(len(usable), most, seed)]
    relevant = int(every.frame["positives"].list.len().sum())
    in_split = int((searches.frame["split"] == split).sum())
    return Chosen(
        Searches(live.frame[rows]),
        rows,
        excluded={
            "without a relevant item": in_split - len(every),
            "no relevant item is available today": len(every) - len(usable),
            "not sampled": len(usable) - len(rows),
        },
        relevant={
            "available": int(counts.sum()),
            "unavailable": relevant - int(counts.sum()),
        },
    )


def only_available(searches: Searches, available: NDArray[np.bool_] | None) -> Searches:
    """The same searches, with what is available of the items shown and chosen.

    Args:
        searches: `M` of them.
        available: items that can be answered with, bool `[N]`; None for all.
    """
    if available is None:
        return searches
    rows = pl.Series(np.flatnonzero(available), dtype=pl.Int32)
    frame = searches.frame.with_row_index("place")
    for columns in (["impressions"], ["positives", "gains", "bought"]):
        kept = (
            frame.select("place", *columns)
            .explode(columns)
            .filter(pl.col(columns[0]).is_in(rows.implode()))
            .group_by("place", maintain_order=True)
            .agg(columns)
        )
        frame = (
            frame.drop(columns)
            .join(kept, on="place", how="left", maintain_order="left")
            .with_columns(pl.col(columns).fill_null([]))
        )
    return Searches(frame.select(searches.frame.columns))


def sample_rows(n: int, count: int, seed: int) -> NDArray[np.int64]:
    """At most `count` of `n` rows, drawn evenly, in their order: int64."""
    if n <= count:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=count, replace=False))
