"""Weights of what several judges say of candidates, fitted so that the relevant ones are likeliest.

Shapes: `M` searches, `C` parts of what is said, `n` candidates of all searches together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from genrecall.foundation.errors import DataError
from genrecall.foundation.ragged import run_starts

_USUAL: Final = 20.0  # searches that the usual weights are worth
_RIDGE: Final = 1e-3  # keeps weights finite where the relevant items are always on top
_LEAST_SLOPE: Final = 1e-8  # at `_RIDGE` a weight is then off by 5e-6 at most
_MOST_SLOPE: Final = 1e-6  # by 5e-4: what is left where rounding ends the search early

Vector = NDArray[np.float64]
IntArray = NDArray[np.integer[Any]]


class Scored(Protocol):
    """Candidates of several searches, and what is said of them."""

    @property
    def search(self) -> NDArray[np.int64]:
        """Which search a candidate is of, `[n]`, not decreasing."""

    @property
    def rows(self) -> NDArray[np.int32]:
        """What the candidate is, `[n]`, each once in a search."""

    @property
    def parts(self) -> NDArray[np.float32]:
        """What is said of it, `[C, n]`."""


class Choices(NamedTuple):
    """See `Scored`."""

    search: NDArray[np.int64]
    rows: NDArray[np.int32]
    parts: NDArray[np.float32]

    def of(self, searches: NDArray[np.int64]) -> Choices:
        """Those of some searches, ascending, which are numbered anew."""
        kept = np.isin(self.search, searches)
        number = np.searchsorted(searches, self.search[kept])
        return Choices(number, self.rows[kept], self.parts[:, kept])


def count_found(candidates: Scored, positives: Sequence[IntArray]) -> int:
    """Of how many searches a relevant item is among the candidates.

    Args:
        candidates: of `M` searches.
        positives: relevant rows of each search.
    """
    starts = np.searchsorted(candidates.search, np.arange(len(positives) + 1))
    return sum(
        bool(np.isin(rows, candidates.rows[first:end]).any())
        for rows, first, end in zip(positives, starts[:-1], starts[1:], strict=True)
    )


def likeliest_weights(
    candidates: Scored, positives: Sequence[IntArray], names: Sequence[str]
) -> Vector:
    """Weights of the parts that make the relevant candidates most likely.

    The weighted sum of a candidate's parts is read as a logit among its search's candidates: what
    is maximised is the mean over searches of the mean log-softmax of the relevant ones (ListNet,
    Cao et al., ICML 2007). Unlike recall at some rank it is smooth and has one maximum, so that a
    few hundred searches fix the weights. By L-BFGS-B, on parts of equal spread.

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
            "See that all scores are finite."
        )
    fitted: Vector = found.x / spread
    return fitted


def mixed_with_usual(fitted: Vector, usual: Vector, n: int) -> Vector:
    """Few searches say little: fitted weights and the usual ones, mixed as `n : 20`.

    Args:
        fitted: weights, on the scale of the usual ones.
        usual: what counts where nothing is known.
        n: searches that the fit rests on.
    """
    mixed: Vector = (n * fitted + _USUAL * usual) / (n + _USUAL)
    return mixed


def mean_log_likelihood(
    candidates: Scored, positives: Sequence[IntArray], weights: Vector
) -> float:
    """What such weights make of the searches with a relevant candidate; see `likeliest_weights`.

    Args:
        candidates: of `M` searches.
        positives: relevant rows of each search.
        weights: of the parts, `[C]`.

    Returns:
        At most 0; 0 of no candidate.
    """
    if len(candidates.rows) == 0:
        return 0.0
    loss, _ = _Likelihood(candidates, positives, np.ones(len(weights)))(weights)
    return _RIDGE * float(weights @ weights) - loss


class _Likelihood:
    """Negative mean log-softmax of the relevant items, with its gradient."""

    def __init__(self, candidates: Scored, positives: Sequence[IntArray], spread: Vector) -> None:
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
