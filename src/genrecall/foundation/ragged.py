"""Ragged arrays: lists of numbers of unequal length, one behind the other.

Lists are told by their lengths (`counts`), by where they start and the last ends (`offsets`), or by
the list that each entry is in (`owners`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_Index = NDArray[np.int64]
_Numbers = NDArray[np.integer[Any] | np.bool_]


class Bags(NamedTuple):
    """`n` lists of numbers: the features of texts, the items of histories, the pairs of profiles.

    Attributes:
        ids: the numbers of all lists, one list behind the other, int64 `[total]`.
        offsets: where each list starts in `ids`, int64 `[n + 1]`; the last is `total`.
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Length of each list, int64 `[n]`."""
        return self.offsets[1:] - self.offsets[:-1]


def ragged_offsets(counts: Sequence[int] | _Numbers) -> _Index:
    """Where lists of the given lengths start, and where the last ends: `[n]` to `[n + 1]`.

    >>> ragged_offsets([2, 0, 3]).tolist()
    [0, 2, 2, 5]
    """
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    # Faster than `cumsum` for the few numbers of a query.
    np.add.accumulate(np.asarray(counts, dtype=np.int64), out=offsets[1:])
    return offsets


def ragged_owners(counts: Sequence[int] | _Numbers) -> _Index:
    """Which list each entry is in, for lists of the given lengths: `[n]` to `[total]`.

    >>> ragged_owners([2, 0, 3]).tolist()
    [0, 0, 2, 2, 2]
    """
    return np.repeat(np.arange(len(counts)), counts)


def ragged_ranges(starts: _Index, counts: _Index) -> _Index:
    """All numbers of the ranges `starts[i] … starts[i] + counts[i] - 1`, one after another.

    >>> ragged_ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    offsets = ragged_offsets(counts)
    return np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])


def ragged_sums(rows: NDArray[np.float32], counts: _Index) -> NDArray[np.float32]:
    """Sums of lists of rows of the given lengths: `[total, …]` to `[n, …]`; 0 of an empty one.

    >>> ragged_sums(np.array([1.0, 2.0, 4.0], dtype=np.float32), np.array([2, 0, 1])).tolist()
    [3.0, 0.0, 4.0]
    """
    sums = np.zeros((len(counts), *rows.shape[1:]), dtype=np.float32)
    filled = np.flatnonzero(counts)
    if len(filled):
        sums[filled] = np.add.reduceat(rows, ragged_offsets(counts)[filled], axis=0)
    return sums


def ragged_logsumexp(rows: NDArray[np.float32], counts: _Index) -> NDArray[np.float32]:
    """Log of the sum of exponentials of each list, none of them empty: `[total]` to `[n]`.

    >>> ragged_logsumexp(np.array([0.0, 0.0, 3.0], dtype=np.float32), np.array([2, 1])).round(3)
    array([0.693, 3.   ], dtype=float32)
    """
    if not len(counts):
        return rows
    starts = ragged_offsets(counts)[:-1]
    top = np.maximum.reduceat(rows, starts)
    mass = np.add.reduceat(np.exp(rows - np.repeat(top, counts)), starts)
    found: NDArray[np.float32] = top + np.log(mass)
    return found


def run_starts(values: NDArray[Any]) -> _Index:
    """Where each run of equal neighbours starts: `[n]` to `[runs]`.

    >>> run_starts(np.array([7, 7, 4, 9, 9])).tolist()
    [0, 2, 3]
    """
    begins = np.ones(len(values), dtype=np.bool_)
    begins[1:] = values[1:] != values[:-1]
    return np.flatnonzero(begins)


def rank_in_run(values: NDArray[Any]) -> _Index:
    """How many stand before each in its run of equal neighbours: `[n]` to `[n]`.

    >>> rank_in_run(np.array([7, 7, 4, 9, 9])).tolist()
    [0, 1, 0, 0, 1]
    """
    starts = run_starts(values)
    counts = np.diff(starts, append=len(values))
    return np.arange(len(values)) - np.repeat(starts, counts)


def make_bags(lists: Sequence[Sequence[int]]) -> Bags:
    """Lists of numbers, one behind the other.

    >>> make_bags([[3, 4], [], [5]])
    Bags(ids=array([3, 4, 5]), offsets=array([0, 2, 2, 3]))
    """
    flat = np.array([number for numbers in lists for number in numbers], dtype=np.int64)
    return Bags(flat, ragged_offsets([len(numbers) for numbers in lists]))


def bags_by_group(groups: _Index, n_groups: int) -> Bags:
    """The rows of each group: int64 `[n]` to `n_groups` lists, each ascending.

    >>> bags_by_group(np.array([1, 0, 1]), 3)
    Bags(ids=array([1, 0, 2]), offsets=array([0, 1, 3, 3]))
    """
    counts = np.bincount(groups, minlength=n_groups)
    return Bags(np.argsort(groups, kind="stable"), ragged_offsets(counts))


def join_bags(*parts: Bags) -> Bags:
    """The lists of all parts, one after another.

    >>> first = Bags(np.array([3, 4]), np.array([0, 2]))
    >>> join_bags(first, Bags(np.array([5]), np.array([0, 1])))
    Bags(ids=array([3, 4, 5]), offsets=array([0, 2, 3]))
    """
    counts = [part.counts for part in parts]
    return Bags(
        np.concatenate([part.ids for part in parts]), ragged_offsets(np.concatenate(counts))
    )


def take_bags(bags: Bags, chosen: _Index) -> Bags:
    """Some of the lists, in the order of `chosen`.

    >>> take_bags(Bags(np.array([3, 4, 5]), np.array([0, 2, 3])), np.array([1, 0]))
    Bags(ids=array([5, 3, 4]), offsets=array([0, 1, 3]))
    """
    starts = bags.offsets[chosen]
    counts = bags.offsets[chosen + 1] - starts
    return Bags(bags.ids[ragged_ranges(starts, counts)], ragged_offsets(counts))


def filter_bags(bags: Bags, kept: NDArray[np.bool_]) -> Bags:
    """The lists with some of their numbers: `kept` says which, bool `[total]`.

    >>> filter_bags(Bags(np.array([3, 4, 5]), np.array([0, 2, 3])), np.array([True, False, False]))
    Bags(ids=array([3]), offsets=array([0, 1, 1]))
    """
    return Bags(bags.ids[kept], ragged_offsets(kept)[bags.offsets])
