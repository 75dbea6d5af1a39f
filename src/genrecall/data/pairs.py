"""Logged pairs: which item was relevant to which query, with how often to learn from it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.tables import Searches
from genrecall.foundation.ragged import ragged_owners

_ROWS: Final = 1 << 32
"""More than any catalog has rows; one number for a pair is grouped twice as fast as two."""


class LoggedPairs(NamedTuple):
    """Relevant items of training queries.

    Attributes:
        query: position of the query among the distinct ones, int64 `[P]`.
        item: catalog row, int64 `[P]`.
        weight: how often to draw the pair, relative to the others, float64 `[P]`.
    """

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    weight: NDArray[np.float64]


def logged_pairs(searches: Searches) -> tuple[list[str], LoggedPairs]:
    """Distinct queries and their relevant items, both in the order in which they first occur.

    A pair weighs its summed gain over the square root of the query's searches, so that a few head
    queries do not crowd out the tail.
    """
    asked = searches.frame.select("query", "positives", "gains")
    distinct = asked.select(pl.col("query").unique(maintain_order=True)).with_row_index("number")
    asked = asked.join(distinct, on="query", maintain_order="left").drop("query")
    pair = pl.col("number").cast(pl.Int64) * _ROWS + pl.col("positives")
    pairs = (
        asked.filter(pl.col("positives").list.len() > 0)
        .explode("positives", "gains")
        .group_by(pair.alias("pair"), maintain_order=True)
        .agg("gains")
    )
    gains = pairs["gains"].explode().cast(pl.Float64).to_numpy()
    # One gain after another, in the order of the searches: how Polars sums a group is its own.
    total = np.bincount(ragged_owners(pairs["gains"].list.len().to_numpy()), weights=gains)
    query, item = np.divmod(pairs["pair"].to_numpy(), _ROWS)
    searches_of_query = np.bincount(asked["number"].to_numpy(), minlength=distinct.height)
    return distinct["query"].to_list(), LoggedPairs(
        query=query,
        item=item,
        weight=total / np.sqrt(searches_of_query[query]),
    )
