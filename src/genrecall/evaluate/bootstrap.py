"""Intervals by the percentile bootstrap over queries.

A log repeats its popular queries, and searches of one query get one answer: they are not
independent, and intervals that took them to be would be too narrow. So distinct queries are drawn,
each with all its searches (the cluster bootstrap). The same queries are drawn again for every
measure, so that measures compared with each other are compared on the same resamples. Sources:
Efron and Tibshirani, An Introduction to the Bootstrap, §13.3; for clusters Cameron, Gelbach and
Miller, Bootstrap-Based Improvements for Inference with Clustered Errors, 2008.

Resamples know only values that were seen. Eleven searches that all found their item give eleven
ones in every resample, which does not make the twelfth certain. What may be unseen is bounded
exactly (Clopper and Pearson, 1934): queries of another kind than all `G` that were seen are, with
97.5 % confidence, at most a share

    u = 1 − 0.025^(1/G)

of all. Where no resample of a measure of known range `[a, b]` differs from another, or there are
fewer than 20 queries, the interval `[lo, hi]` of the resamples is therefore widened to
`[(1 − u) lo + u a, (1 − u) hi + u b]`. Of values that are all 1, or all 0, that is the exact
binomial interval.

Shapes: `M` searches, `G` distinct queries, `R` resamples, `T` runs with different seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 2000
LEVEL: Final = 0.95
"""Share of the resamples that an interval holds."""

FEWEST: Final = 20
"""Distinct queries from which an interval rests on resamples alone."""

Bounds = tuple[float, float]
"""The range of a measure."""

SHARE: Final[Bounds] = (0.0, 1.0)
DIFFERENCE: Final[Bounds] = (-1.0, 1.0)
"""Of two shares."""

_STILL: Final = 1e-6  # resamples differ by no more than rounding
_MOST_CLUSTERS: Final = 5000  # bounds the memory at 5,000 R numbers
_BLOCK: Final = 1 << 22  # numbers drawn or added up together


QUERIES: Final = "queries"
SHOPPERS: Final = "shoppers"


class Units(NamedTuple):
    """What is drawn again.

    Attributes:
        what: `queries`, `shoppers`, or `searches` that are all on their own.
        of: the unit of each search, `[M]`, such as its query.
    """

    what: str
    of: Sequence[str]


class Estimate(NamedTuple):
    """A number with its interval.

    Attributes:
        value: the number on the searches themselves.
        lo: lower end of the 95 % interval.
        hi: upper end.
        n: how many searches it rests on, repeated queries included.
    """

    value: float
    lo: float
    hi: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """The form of `metrics.json`.

        >>> Estimate(0.5, 0.25, 0.75, 4).to_json()
        {'value': 0.5, 'ci': [0.25, 0.75], 'n': 4}
        """
        return {"value": self.value, "ci": [self.lo, self.hi], "n": self.n}


class Bootstrap:
    """Resamples of the queries of `n` searches, drawn once.

    More than 5,000 distinct queries are put together by lot into so many clusters, which are drawn
    in their place: their sums vary as those of the queries do, and memory does not grow with a log.

    Args:
        n: how many searches, at least 1.
        groups: a number for the query of each search, `[M]`, equal where the queries are; None
            where every search has its own.
        seed: the same seed draws the same resamples.
        resamples: how many.

    Attributes:
        n: how many searches.
        clusters: how many distinct queries.

    Raises:
        ValueError: no search, or no resample; groups of other searches.

    >>> Bootstrap(30, seed=0).mean(np.repeat([0.0, 1.0], 15))[:1]
    (0.5,)
    """

    def __init__(
        self,
        n: int,
        *,
        groups: NDArray[np.integer[Any]] | None = None,
        seed: int = 0,
        resamples: int = RESAMPLES,
    ) -> None:
        if n < 1 or resamples < 1:
            raise ValueError(
                f"{resamples} resamples of {n} searches make no interval; both must be at least 1."
            )
        self.n = n
        groups = np.arange(n) if groups is None else groups
        self._check(groups)
        distinct, self._group = np.unique(groups, return_inverse=True)  # (G,), (M,)
        self.clusters = drawn = len(distinct)
        if drawn > _MOST_CLUSTERS:
            drawn = _MOST_CLUSTERS
            lot = np.random.default_rng([seed, 1]).permutation(self.clusters) % drawn
            self._group = lot[self._group]
        self._counts = _draw(drawn, seed=seed, resamples=resamples)  # (R, at most 5,000)
        self._seed = seed

    def mean(self, values: NDArray[np.floating[Any]], *, bounds: Bounds | None = None) -> Estimate:
        """Mean over searches of a measure, float `[M]`.

        Args:
            values: of each search.
            bounds: the least and the greatest value that the measure can have; None for a number
                of things, whose interval rests on the resamples alone.
        """
        return self.ratio(values, np.ones(self.n), bounds=bounds)

    def share(self, values: NDArray[np.floating[Any]]) -> Estimate:
        """Mean over searches of a share, float `[M]` in [0, 1].

        >>> Bootstrap(11).share(np.ones(11))  # the exact binomial interval
        Estimate(value=1.0, lo=0.7150858...
        """
        return self.mean(values, bounds=SHARE)

    def difference(self, a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> Estimate:
        """Mean of the paired difference of two shares, each float `[M]` over the same searches."""
        return self.mean(a - b, bounds=DIFFERENCE)

    def mean_over_runs(
        self, values: NDArray[np.floating[Any]], *, bounds: Bounds | None = None
    ) -> Estimate:
        """Mean over searches and over runs with different seeds of a measure, float `[T, M]`.

        Runs are drawn again beside the queries, so the interval holds what both leave open: other
        queries and another seed. Of the variance between few runs that is `(T − 1) / T`, and of a
        single run nothing.

        >>> Bootstrap(2, seed=0).mean_over_runs(np.array([[0.0, 0.0], [1.0, 1.0]]))
        Estimate(value=0.5, lo=0.0, hi=1.0, n=2)
        """
        for run in values:
            self._check(run)
        per_group = np.stack([self._per_group(run) for run in values], axis=1)  # (G, T)
        by_run = (self._counts @ per_group).astype(np.float64)  # (R, T)
        by_run /= (self._counts @ self._per_group(np.ones(self.n)))[:, None]
        drawn = _draw(len(values), seed=self._seed + 1, resamples=len(by_run))  # (R, T)
        resampled = (by_run * drawn).sum(axis=1) / len(values)
        return self._estimate(float(values.mean(dtype=np.float64)), resampled, bounds)

    def ratio(
        self,
        parts: NDArray[np.number[Any]],
        wholes: NDArray[np.number[Any]],
        *,
        bounds: Bounds | None = None,
    ) -> Estimate:
        """`Σ parts / Σ wholes` over searches, each `[M]`: a mean per target, not per search.

        Args:
            parts: of each search.
            wholes: of each search, together above 0.
            bounds: of a part over its whole; see `mean`.
        """
        self._check(parts)
        self._check(wholes)
        # Drawn counts are exact in float32; summing the products in it loses less than the
        # resampling itself moves.
        resampled = (self._counts @ self._per_group(parts)).astype(np.float64)
        drawn = self._counts @ self._per_group(wholes)
        # A resample of searches without a whole says nothing.
        resampled = resampled[drawn > 0] / drawn[drawn > 0]
        value = parts.sum(dtype=np.float64) / wholes.sum(dtype=np.float64)
        return self._estimate(float(value), resampled, bounds)

    def quantile(self, values: NDArray[np.floating[Any]], q: float) -> Estimate:
        """The `q`-quantile of a measure, float `[M]`: the least value that a share `q` stays below.

        >>> Bootstrap(3, seed=0).quantile(np.array([30.0, 10.0, 20.0]), 0.5)
        Estimate(value=20.0, lo=10.0, hi=30.0, n=3)
        """
        self._check(values)
        order = np.argsort(values, kind="stable")
        group = self._group[order]
        # A share is a float: 0.3 * 10 must ask for 3, not for 4.
        value = values[order[max(int(np.ceil(q * self.n - 1e-9)) - 1, 0)]]
        at = np.empty(len(self._counts), dtype=np.int64)
        rows = max(_BLOCK // self.n, 1)
        for start in range(0, len(at), rows):
            part = slice(start, start + rows)
            reached = np.cumsum(self._counts[part][:, group], axis=1, dtype=np.float64)
            at[part] = (reached >= q * reached[:, -1:] - 1e-9).argmax(axis=1)
        return self._estimate(float(value), values[order][at])

    def auc(self, values: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> Estimate:
        """How often the value of a positive search is above that of another one; equal is half.

        Args:
            values: of each search, `[M]`.
            positive: which are, bool `[M]`; some, not all.

        >>> Bootstrap(3, seed=0).auc(np.array([0.3, 0.1, 0.1]), np.array([True, False, True])).value
        0.75
        """
        self._check(values)
        self._check(positive.astype(np.float64))
        _, place = np.unique(values, return_inverse=True)
        weights = np.concatenate([np.ones((1, self._counts.shape[1]), np.float32), self._counts])
        found = np.empty(len(weights))
        rows = max(_BLOCK // self.n, 1)
        for start in range(0, len(found), rows):
            drawn = weights[start : start + rows][:, self._group]
            found[start : start + rows] = _areas(drawn, place, positive)
        known = found[1:][~np.isnan(found[1:])]  # a resample of one kind says nothing
        return self._estimate(float(found[0]), known, SHARE)

    def _per_group(self, values: NDArray[np.number[Any]]) -> NDArray[np.float32]:
        """Sums over the searches of each query: `[M]` to `[G]`."""
        return np.bincount(self._group, weights=values).astype(np.float32)

    def _check(self, values: NDArray[np.number[Any]]) -> None:
        if values.shape != (self.n,):
            raise ValueError(
                f"values of shape {values.shape} do not fit the {self.n} searches of this "
                "bootstrap; give one value a search."
            )

    def _estimate(
        self, value: float, resampled: NDArray[np.floating[Any]], bounds: Bounds | None = None
    ) -> Estimate:
        lo, hi = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        if bounds is not None and (self.clusters < FEWEST or hi - lo < _STILL):
            unseen = 1 - ((1 - LEVEL) / 2) ** (1 / self.clusters)
            lo = (1 - unseen) * lo + unseen * bounds[0]
            hi = (1 - unseen) * hi + unseen * bounds[1]
        return Estimate(value=value, lo=lo, hi=hi, n=self.n)


def numbered(units: Sequence[str]) -> NDArray[np.int64]:
    """A number for the unit of each search, such as its query, equal where the units are: `[M]`.

    >>> numbered(["saw", "drill", "saw"]).tolist()
    [1, 0, 1]
    """
    return np.unique(np.array(units, dtype=object), return_inverse=True)[1]


def _areas(
    weights: NDArray[np.float32], place: NDArray[np.int64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Areas under the ROC curve of weighted searches, `[R]`; NaN where all are of one kind.

    Args:
        weights: of each search, `[R, M]`.
        place: of its value among all distinct ones, ascending, `[M]`.
        positive: bool `[M]`.
    """
    size = int(place.max()) + 1
    found = np.full(len(weights), np.nan)
    for row, of_row in enumerate(weights.astype(np.float64)):
        above = np.bincount(place, weights=of_row * positive, minlength=size)
        below = np.bincount(place, weights=of_row * ~positive, minlength=size)
        if (pairs := above.sum() * below.sum()) > 0:
            found[row] = above @ (np.cumsum(below) - below / 2) / pairs
    return found


def _draw(n: int, *, seed: int, resamples: int) -> NDArray[np.float32]:
    """How often each of `n` clusters stands in each resample: float32 `[R, n]`."""
    random = np.random.default_rng(seed)
    counts = np.empty((resamples, n), dtype=np.float32)
    at_once = max(_BLOCK // n, 1)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = random.integers(0, n, size=(rows, n)) + np.arange(rows)[:, None] * n
        counts[start : start + rows] = np.bincount(drawn.ravel(), minlength=rows * n).reshape(
            rows, n
        )
    return counts
