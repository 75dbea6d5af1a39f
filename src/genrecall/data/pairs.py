"""Logged pairs: which item was good for which query, with how often to learn from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Searches


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
    """Distinct queries and their relevant items.

    A pair weighs its summed gain over the square root of the query's searches, so that a few head
    queries do not crowd out the tail.
    """
    position: dict[str, int] = {}
    gains: dict[tuple[int, int], float] = {}
    counts: dict[int, int] = {}
    for query, rows, row_gains in zip(
        searches.queries, searches.positives, searches.gains, strict=True
    ):
        number = position.setdefault(query, len(position))
        counts[number] = counts.get(number, 0) + 1
        for row, gain in zip(rows.tolist(), row_gains.tolist(), strict=True):
            gains[number, row] = gains.get((number, row), 0.0) + gain
    keys = np.array(list(gains), dtype=np.int64).reshape(-1, 2)
    searches_of_pair = np.array([counts[query] for query in keys[:, 0].tolist()], dtype=np.float64)
    weight = np.array(list(gains.values()), dtype=np.float64) / np.sqrt(searches_of_pair)
    return list(position), LoggedPairs(query=keys[:, 0], item=keys[:, 1], weight=weight)
