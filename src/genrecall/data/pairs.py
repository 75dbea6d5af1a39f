"""Logged pairs: which item was relevant to which query, with how often to learn from it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.tables import Searches
from genrecall.foundation.ragged import (
    ragged_offsets,
    ragged_owners,
    ragged_ranges,
    run_starts,
)

_ROWS: Final = 1 << 32
"""More than any catalog has rows: query and item as one number."""

_AT_ONCE: Final = 1 << 18
"""Relevant items sorted together: bounds the memory beside what comes out."""


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
    frame = searches.frame.select("query", "positives", "gains")
    queries = frame["query"].unique(maintain_order=True)
    number = _numbers(frame["query"], queries)
    counts = frame["positives"].list.len().cast(pl.Int64).to_numpy()
    rows, gains = (_entries(frame[column]) for column in ("positives", "gains"))
    first, total = _summed(number, counts, rows, gains)
    query = np.repeat(number, counts)[first]
    weight = total[first]
    weight /= np.sqrt(np.bincount(number, minlength=len(queries)))[query]
    return queries.to_list(), LoggedPairs(query, rows[first].astype(np.int64), weight)


def _numbers(queries: pl.Series, distinct: pl.Series) -> NDArray[np.int64]:
    """Place of each query among the distinct ones, int64 `[M]`."""
    named = pl.DataFrame({"query": distinct}).with_row_index("number")
    joined = queries.to_frame().join(named, on="query", maintain_order="left")
    return joined["number"].cast(pl.Int64).to_numpy()


def _entries(lists: pl.Series) -> NDArray[Any]:
    """All entries, one list behind the other; an empty list has none, and no null either."""
    return lists.filter(lists.list.len() > 0).explode().to_numpy()


def _summed(
    number: NDArray[np.int64],
    counts: NDArray[np.int64],
    rows: NDArray[np.int32],
    gains: NDArray[np.float32],
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Sum the gains of each pair, and leave the sum where the pair first occurs.

    Args:
        number: of each search's query, `[M]`.
        counts: how many relevant items each search has, `[M]`.
        rows: of all searches, one behind the other, `[total]`.
        gains: of these, `[total]`.

    Returns:
        Which entries are the first of their pair, and the sums, both `[total]`.
    """
    first, total = np.zeros(len(rows), dtype=np.bool_), np.zeros(len(rows))
    offsets = ragged_offsets(counts)[:-1]
    by_query = np.argsort(number, kind="stable")
    for part in _whole_queries(number[by_query], counts[by_query]):
        searches = by_query[part]
        at = ragged_ranges(offsets[searches], counts[searches])
        pair = np.repeat(number[searches], counts[searches]) * _ROWS + rows[at]
        order = np.argsort(pair, kind="stable")
        starts = run_starts(pair[order])
        # One gain after another, in the order of the searches: a sum in another order might round
        # otherwise.
        owner = ragged_owners(np.diff(starts, append=len(order)))
        begins = at[order[starts]]
        first[begins] = True
        total[begins] = np.bincount(owner, weights=gains[at[order]])
    return first, total


def _whole_queries(number: NDArray[np.int64], counts: NDArray[np.int64]) -> Iterator[slice]:
    """Cut searches that stand query by query into parts of whole queries."""
    starts = run_starts(number)
    entries = ragged_offsets(counts)[starts]
    cuts = starts[run_starts(entries // _AT_ONCE)]
    return (slice(*part) for part in pairwise([*cuts.tolist(), len(number)]))
