"""Which searches of a split are measured, and which of their items count.

One rule for every figure: an item counts if the search can be answered with it today. Of one that
is sold out, or does not pass what the search was filtered by, no channel can be blamed, and beams
would find with its SID what no answer may hold.

Shapes: `N` items, `M` searches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.filters.passing import MaskOf, passing
from genrecall.data.tables import Searches, SplitName


class Chosen(NamedTuple):
    """The measured searches.

    Attributes:
        searches: with the items that they can be answered with, at least one relevant one each,
            `M`.
        rows: their places in `of(split)` of all searches, int64 `[M]`.
        excluded: how many searches of the split were left out, by cause.
        relevant: how many relevant items of the whole split are `available` and count, how many
            `unavailable`, and where searches have filters how many of the others are
            `filtered_out`.
    """

    searches: Searches
    rows: NDArray[np.int64]
    excluded: dict[str, int]
    relevant: dict[str, int]


def choose_searches(
    searches: Searches, split: SplitName, answerable: MaskOf, *, most: int, seed: int
) -> Chosen:
    """Draw searches of a split that can be answered with a relevant item.

    Args:
        searches: of all splits.
        split: which part of them.
        answerable: which items searches with some filters can be answered with, as
            `LiveItems.mask`.
        most: searches at most, drawn evenly, in their order.
        seed: which of them.
    """
    every = searches.of(split)
    filtered = bool(every.frame["filters"].is_not_null().any())
    kept = only_answerable(every, answerable)
    live = only_answerable(every, lambda _: answerable(None)) if filtered else kept
    everything, available, counts = (
        of.frame["positives"].list.len().to_numpy() for of in (every, live, kept)
    )
    usable = np.flatnonzero(counts)
    rows = usable[sample_rows(len(usable), most, seed)]
    excluded = {
        "without a relevant item": int((searches.frame["split"] == split).sum()) - len(every),
        "no relevant item is available today": int((available == 0).sum()),
    }
    relevant = {
        "available": int(counts.sum()),
        "unavailable": int((everything - available).sum()),
    }
    if filtered:
        told = "no relevant item that is available passes the filters"
        excluded[told] = int(((available > 0) & (counts == 0)).sum())
        relevant["filtered_out"] = int((available - counts).sum())
    excluded["not sampled"] = len(usable) - len(rows)
    return Chosen(Searches(kept.frame[rows]), rows, excluded, relevant)


def only_answerable(searches: Searches, answerable: MaskOf) -> Searches:
    """The same searches, with what they can be answered with of the items shown and chosen.

    Args:
        searches: `M` of them.
        answerable: which items searches with some filters can be answered with, as
            `LiveItems.mask`.
    """
    if answerable(None) is None and searches.frame["filters"].is_null().all():
        return searches
    frame = searches.frame.with_row_index("place")
    for columns in (["impressions"], ["positives", "gains", "bought"]):
        items = frame.select("place", "filters", *columns).explode(columns).drop_nulls(columns[0])
        kept = (
            items.filter(passing(items["filters"], items[columns[0]], answerable))
            .drop("filters")
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
