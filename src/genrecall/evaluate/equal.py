"""Comparing SID spaces at equal candidates.

Coarser SIDs put more items behind a beam, so a higher hit rate at an equal number of beams may say
nothing but that. Here a SID space is judged by what it finds with a given number of items.

Shapes: `M` searches, `B` beams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from genrecall.evaluate.measures import ABSENT, Floats, IntArray, target_ranks


class BeamCurve(NamedTuple):
    """What more and more beams find; column `b` is for the first `b` of them, column 0 is zero.

    Attributes:
        found: share of each search's targets, float64 `[M, B + 1]`.
        items: distinct items behind the beams, float64 `[M, B + 1]`.
    """

    found: Floats
    items: Floats


def beam_curve(beams: IntArray, targets: Sequence[IntArray], items_per_sid: IntArray) -> BeamCurve:
    """Follow the beams of each search, one by one.

    Args:
        beams: SID positions, best first and none twice, `[M, B]`; negative entries are padding.
        targets: SID positions of each search's relevant items, at least one.
        items_per_sid: how many items each SID has, `[S]`.

    Raises:
        ValueError: another number of beams than of targets, or a search without a target.

    >>> curve = beam_curve(np.array([[2, 0]]), [np.array([0, 1])], np.array([5, 5, 1]))
    >>> curve.found.tolist(), curve.items.tolist()
    ([[0.0, 0.0, 0.5]], [[0.0, 1.0, 6.0]])
    """
    ranks = target_ranks(list(beams), targets)
    found = np.zeros((beams.shape[0], beams.shape[1] + 1))
    hit = ranks.rank < ABSENT
    np.add.at(found, (ranks.search[hit], ranks.rank[hit] + 1), 1.0)
    items = np.zeros_like(found)
    items[:, 1:] = np.where(beams >= 0, items_per_sid[beams], 0)
    return BeamCurve(
        found=found.cumsum(axis=1) / ranks.n_targets[:, None], items=items.cumsum(axis=1)
    )


def at_items(curve: BeamCurve, items: float) -> Floats:
    """Share of each search's targets found by beams that hold `items` items on average.

    All searches use the same number of beams. It is rarely whole: of two neighbouring widths each
    search then takes the wider one with the probability at which the mean number of items is met,
    and the expected share is returned.

    Args:
        curve: of one SID space.
        items: mean number of distinct items behind the beams of a search.

    Returns:
        float64 `[M]`.

    Raises:
        ValueError: all beams together hold fewer items.

    >>> curve = beam_curve(np.array([[2, 0]]), [np.array([0, 1])], np.array([5, 5, 1]))
    >>> at_items(curve, 3.5)
    array([0.25])
    """
    mean = curve.items.mean(axis=0)  # (B + 1), not decreasing
    if not 0 <= items <= mean[-1]:
        raise ValueError(
            f"{curve.items.shape[1] - 1} beams hold {mean[-1]:.1f} items on average, not "
            f"{items:.1f}. Search with more beams, or compare at fewer items."
        )
    wide = max(int(np.searchsorted(mean, items)), 1)
    step = mean[wide] - mean[wide - 1]
    share = (items - mean[wide - 1]) / step if step else 1.0
    expected: Floats = (1 - share) * curve.found[:, wide - 1] + share * curve.found[:, wide]
    return expected


def found_after_cut(
    rows: IntArray, beam: IntArray, targets: IntArray, *, widths: Sequence[int], k: int
) -> Floats:
    """Share of one search's targets among the first `k` items of its first so many beams.

    Args:
        rows: all items behind its beams in the order of the answer, `[n]`.
        beam: the place of each item's beam, counted from 0, `[n]`.
        targets: its relevant items, at least one, each once.
        widths: numbers of beams.
        k: where the answer is cut.

    Returns:
        float64, one a width.

    >>> rows, beam = np.array([7, 3, 5]), np.array([1, 0, 0])
    >>> found_after_cut(rows, beam, np.array([3]), widths=(1, 2), k=1)
    array([1., 0.])
    """
    at = np.flatnonzero(np.isin(rows, targets))
    found = np.zeros(len(widths))
    for place, width in enumerate(widths):
        within = beam < width
        rank = np.cumsum(within)[at]  # from 1, among the items of these beams
        found[place] = (within[at] & (rank <= k)).sum()
    return found / len(targets)
