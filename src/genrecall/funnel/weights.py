"""Fitting how much each channel weighs in a fusion, from searches with known relevant items.

Shapes: `M` searches, `C` channels, `n` candidates of all searches together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking
from genrecall.data.tables import Rows
from genrecall.foundation.errors import DataError
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.fusion import Rankings, fuse, gather
from genrecall.learning.likelihood import likeliest_weights

Weights = dict[str, float]

_MOST_SEARCHES: Final = 2000  # a handful of weights is known well enough from these


class CrossFitted(NamedTuple):
    """A fusion whose weights never saw the search that they fuse.

    Attributes:
        rankings: of each search.
        weights: of each fold, fitted on the other folds.
    """

    rankings: list[Ranking]
    weights: list[Weights]


def fit_weights(
    rankings: Rankings, positives: Sequence[Rows], k: int, *, config: FusionConfig
) -> Weights:
    """Weights that make the relevant items most likely.

    The fused score of a candidate is read as a logit: see `likeliest_weights`.

    Args:
        rankings: of each channel.
        positives: relevant items of each search.
        k: how many items of a list at most.
        config: what a channel says of an item.

    Returns:
        A weight for each channel, at least 0, together 1; equal ones where no channel has any
        relevant item.

    Raises:
        DataError: scores that no weights can be fitted to, such as infinite ones.
        ValueError: another number of rankings than of searches.
    """
    _check(rankings, positives)
    # Evenly spaced over all searches, not the first, which may be the oldest.
    chosen = np.arange(0, len(positives), max(len(positives) / _MOST_SEARCHES, 1)).astype(np.int64)
    fitted = np.zeros(len(rankings))
    if len(chosen):
        candidates = gather(list(_select(rankings, chosen).values()), k, config)
        relevant = [positives[i] for i in chosen.tolist()]
        try:
            fitted = likeliest_weights(candidates, relevant, list(rankings))
        except DataError as error:
            raise DataError(
                f"{error} Or fuse by rank, which reads no scores: "
                "funnel: {fusion: {method: rrf}}."
            ) from error
    if not fitted.any():
        fitted = np.ones(len(rankings))
    return dict(zip(rankings, (fitted / fitted.sum()).tolist(), strict=True))


def cross_fitted_fusion(
    rankings: Rankings,
    positives: Sequence[Rows],
    k: int,
    *,
    config: FusionConfig,
    groups: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> CrossFitted:
    """Fuse each search with weights fitted on the other folds of the same searches.

    Folds are dealt by query: the weights that fuse a search saw no other search of its query.

    Args:
        rankings: of each channel.
        positives: relevant items of each search.
        k: how many items at most, of a channel as of the fusion.
        config: what a channel says of an item, and how many folds.
        groups: a number for the query of each search, `[M]`, equal where the queries are; None
            where every search has its own.
        seed: deals the queries to folds.

    Raises:
        DataError: scores that no weights can be fitted to, such as infinite ones.
        ValueError: another number of rankings or groups than of searches.
    """
    _check(rankings, positives)
    groups = np.arange(len(positives)) if groups is None else groups
    if groups.shape != (len(positives),):
        raise ValueError(f"groups of shape {groups.shape} do not fit {len(positives)} searches.")
    distinct, group = np.unique(groups, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(distinct)) % config.folds)[group]
    fused: dict[int, Ranking] = {}
    weights: list[Weights] = []
    for number in range(config.folds):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        relevant = [positives[i] for i in outside.tolist()]
        fitted = fit_weights(_select(rankings, outside), relevant, k, config=config)
        weights.append(fitted)
        of_fold = fuse(_select(rankings, inside), k, config=config, weights=fitted)
        fused.update(zip(inside.tolist(), of_fold, strict=True))
    return CrossFitted(rankings=[fused[i] for i in range(len(positives))], weights=weights)


def _check(rankings: Rankings, positives: Sequence[Rows]) -> None:
    wrong = {name: len(lists) for name, lists in rankings.items() if len(lists) != len(positives)}
    if wrong:
        raise ValueError(f"{len(positives)} searches do not fit the numbers of rankings {wrong}.")


def _select(rankings: Rankings, searches: NDArray[np.int64]) -> Rankings:
    return {name: [lists[i] for i in searches.tolist()] for name, lists in rankings.items()}
