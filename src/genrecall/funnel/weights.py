"""Fitting how much each channel weighs in a fusion, from searches with known relevant items.

Shapes: `M` searches, `C` channels, `n` candidates of all searches together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from genrecall.channels.base import Ranking
from genrecall.data.tables import Rows
from genrecall.foundation.errors import DataError
from genrecall.foundation.ragged import run_starts
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.fusion import Candidates, Rankings, fuse, gather

Weights = dict[str, float]

_MOST_SEARCHES: Final = 2000  # a handful of weights is known well enough from these
_RIDGE: Final = 1e-3  # keeps weights finite where the relevant items are always on top
_LEAST_SLOPE: Final = 1e-8  # at `_RIDGE` a weight is then off by 5e-6 at most
_MOST_SLOPE: Final = 1e-6  # by 5e-4: what is left where rounding ends the search early

Vector = NDArray[np.float64]
IntArray = NDArray[np.integer[Any]]


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

    The fused score of a candidate is read as a logit among its search's candidates: what is
    maximised is the mean over searches of the mean log-softmax of the relevant items (ListNet, Cao
    et al., ICML 2007). Unlike recall at some rank it is smooth and has one maximum, so that a
    few hundred searches fix the weights.

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
        fitted = likeliest_weights(
            candidates, [positives[i] for i in chosen.tolist()], list(rankings)
        )
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


def likeliest_weights(
    candidates: Candidates, positives: Sequence[IntArray], names: Sequence[str]
) -> Vector:
    """Weights of the parts that make the relevant candidates most likely; see `fit_weights`.

    By L-BFGS-B, on parts of equal spread.

    Args:
        candidates: of `M` searches.
        positives: relevant rows of each search.
        names: of the `C` parts.

    Returns:
        At least 0 each, `[C]`; zeros without a relevant candidate.

    Raises:
        DataError: the search for them failed.
    """
    n_channels = len(candidates.parts)
    if len(candidates.rows) == 0:
        return np.zeros(n_channels)
    spread = candidates.parts.std(axis=1, dtype=np.float64)
    spread[spread == 0] = 1.0
    found = minimize(
        _Likelihood(candidates, positives, spread),
        np.zeros(n_channels),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * n_channels,
        options={"ftol": 0.0, "gtol": _LEAST_SLOPE},
    )
    # A search that rounding ends just before the optimum counts as failed, too: the slope decides.
    slope = np.abs(found.jac[(found.x > 0) | ~(found.jac >= 0)]).max(initial=0.0)
    if not (found.success or slope <= _MOST_SLOPE) or not np.isfinite(slope):
        raise DataError(
            f"no weights can be fitted to the scores of {', '.join(names)}: the optimizer ended "
            f"with {found.message!r}, at a slope of {slope:.1e} where {_MOST_SLOPE:.0e} is enough. "
            "See that the scores of all channels are finite, or fuse by rank, which reads no "
            "scores: funnel: {fusion: {method: rrf}}."
        )
    fitted: Vector = found.x / spread
    return fitted


class _Likelihood:
    """Negative mean log-softmax of the relevant items, with its gradient."""

    def __init__(
        self, candidates: Candidates, positives: Sequence[IntArray], spread: Vector
    ) -> None:
        width = int(candidates.rows.max(initial=0)) + 1
        relevant = np.concatenate(
            # A number of search and row together: of many searches more than an int32 holds.
            [
                search * width + rows[rows < width].astype(np.int64)
                for search, rows in enumerate(positives)
            ]
        )
        hits = np.isin(candidates.search * width + candidates.rows, relevant)
        # A search none of whose relevant items was found says nothing about the weights.
        useful = np.zeros(len(positives), dtype=np.bool_)
        useful[candidates.search[hits]] = True
        kept = useful[candidates.search]
        search, hits = candidates.search[kept], hits[kept]
        parts = candidates.parts[:, kept] / spread[:, None].astype(np.float32)
        # Widened and laid out by channel once, not in each evaluation.
        self._parts = parts.astype(np.float64, order="C")  # (C, n)
        self._starts = run_starts(search)  # (M,)
        self._lengths = np.diff(self._starts, append=len(search))
        share = hits / np.repeat(np.add.reduceat(hits, self._starts), self._lengths)
        self._relevant = self._parts @ share  # (C,) mean over each search's relevant items, summed
        self._n = len(self._starts)

    def __call__(self, weights: Vector) -> tuple[float, Vector]:
        """Loss and gradient `[C]` at `weights`."""
        ridge = _RIDGE * weights
        if self._n == 0:
            return float(weights @ ridge), 2 * ridge
        logits = weights @ self._parts
        top = np.maximum.reduceat(logits, self._starts)
        likely = np.exp(logits - np.repeat(top, self._lengths))
        total = np.add.reduceat(likely, self._starts)
        likely /= np.repeat(total, self._lengths)
        loss = (np.sum(top + np.log(total)) - weights @ self._relevant) / self._n
        gradient = (self._parts @ likely - self._relevant) / self._n
        return float(loss + weights @ ridge), gradient + 2 * ridge
