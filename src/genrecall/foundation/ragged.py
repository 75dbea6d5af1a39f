"""Ragged arrays: lists of numbers of unequal length, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Bags(NamedTuple):
    """Features of `n` texts.

    Attributes:
        ids: feature numbers of all texts, int64 `[total]`.
        offsets: where each text starts in `ids`, int64 `[n + 1]`; the last is `total`.
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]


def ragged_ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """All numbers of the ranges `starts[i] … starts[i] + counts[i] - 1`, one after another.

    >>> ragged_ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    numbers: NDArray[np.int64] = np.repeat(starts, counts) + within
    return numbers


def join_bags(*parts: Bags) -> Bags:
    """The texts of all parts, one after another."""
    starts = np.cumsum([0, *(part.offsets[-1] for part in parts)])
    offsets = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=False)]
    return Bags(
        ids=np.concatenate([part.ids for part in parts]),
        offsets=np.concatenate([[0], *offsets]).astype(np.int64),
    )


def take_bags(bags: Bags, texts: NDArray[np.int64]) -> Bags:
    """Features of some of the texts."""
    starts = bags.offsets[texts]
    counts = bags.offsets[texts + 1] - starts
    return Bags(bags.ids[ragged_ranges(starts, counts)], ragged_offsets(counts))


def ragged_offsets(counts: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Where runs of the given lengths start, and where the last ends: `[n]` to `[n + 1]`."""
    return np.concatenate([[0], np.cumsum(np.asarray(counts, dtype=np.int64))]).astype(np.int64)
