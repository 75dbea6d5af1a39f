"""Several channels' lists become one, by a weighted sum of what each channel says of an item.

Sources: reciprocal rank fusion (RRF), Cormack et al., SIGIR 2009; weighted sums of scores scaled to
a list's range, Bruch et al., An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023. An
item that a channel does not have gets 0 from it. Equal weights let a weak channel push relevant
items of a strong one down: weights are fitted in `weights.py`, and may be zero. A channel of weight
zero only fills an answer that the others leave short.

Shapes: `M` searches, `C` channels, `n` candidates of all searches together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking
from genrecall.foundation.ragged import ragged_owners
from genrecall.funnel.config import FusionConfig

Rankings = Mapping[str, Sequence[Ranking]]
"""By channel name a ranking for each search, all for the same searches."""

_AT_ONCE: Final = 256  # searches fused together: bounds the memory


@dataclass(frozen=True, eq=False)
class Candidates:
    """The union of several channels' lists, search by search.

    Attributes:
        search: which search a candidate is of, int64 `[n]`, not decreasing.
        rows: catalog rows, int32 `[n]`, ascending within a search.
        parts: what each channel says of it, at least 0, float32 `[C, n]`.
        has: whether each channel has it, bool `[C, n]`.
    """

    search: NDArray[np.int64]
    rows: NDArray[np.int32]
    parts: NDArray[np.float32]
    has: NDArray[np.bool_]

    def fused(self, weights: Sequence[float]) -> NDArray[np.float32]:
        """Weighted sum over channels, float32 `[n]`."""
        total = np.zeros(len(self.rows), dtype=np.float64)
        for weight, part in zip(weights, self.parts, strict=True):
            total += weight * part
        return total.astype(np.float32)

    def filling(self, weights: Sequence[float]) -> NDArray[np.float32]:
        """What stands behind what, float32 `[n]`: 0 for what a channel of weight has.

        Of other candidates the one of which most is said has the least, above 0.
        """
        counts = np.asarray(weights) > 0
        said = self.parts.sum(axis=0)  # at most C
        return np.where(self.has[counts].any(axis=0), 0.0, len(counts) + 1 - said).astype(
            np.float32
        )


def fuse(
    rankings: Rankings, k: int, *, config: FusionConfig, weights: Mapping[str, float] | None = None
) -> list[Ranking]:
    """Fuse the best `k` of every channel to the best `k` of all, for each search.

    Args:
        rankings: of each channel.
        k: how many items at most, of a channel as of the fusion.
        config: what a channel says of an item.
        weights: of each channel, at least 0; what only channels of weight 0 have stands behind all
            other items, in the order of their unweighted sum. Equal when None.

    Raises:
        ValueError: channels with other numbers of searches, a channel without a weight, a negative
            weight, or no weight above 0.

    >>> def ranking(*rows):
    ...     scores = np.arange(len(rows), 0, -1, dtype=np.float32)
    ...     return Ranking(np.array(rows, dtype=np.int32), scores)
    >>> lists = {"bm25": [ranking(5, 7)], "dense": [ranking(7, 8)]}
    >>> fuse(lists, 2, config=FusionConfig(method="rrf"))[0].rows
    array([7, 5], dtype=int32)
    """
    weights = _checked(rankings, weights)
    in_order = [weights[name] for name in rankings]
    n = len(next(iter(rankings.values())))
    fused: list[Ranking] = []
    for start in range(0, n, _AT_ONCE):
        part = [lists[start : start + _AT_ONCE] for lists in rankings.values()]
        candidates = gather(part, k, config)
        scores, filling = candidates.fused(in_order), candidates.filling(in_order)
        best = np.lexsort((candidates.rows, -scores, filling, candidates.search))
        ends = np.searchsorted(candidates.search, np.arange(len(part[0]) + 1))
        for first, last in pairwise(ends):
            chosen = best[first:last][:k]
            fused.append(Ranking(rows=candidates.rows[chosen], scores=scores[chosen]))
    return fused


def gather(rankings: Sequence[Sequence[Ranking]], k: int, config: FusionConfig) -> Candidates:
    """Unite the best `k` of every channel, for each search.

    Args:
        rankings: of `C` channels, each of the same `M` searches.
        k: how many items of a list at most.
        config: what a channel says of an item.
    """
    lists = [[(r.rows[:k], r.scores[:k]) for r in channel] for channel in rankings]
    lengths = np.array([[len(rows) for rows, _ in channel] for channel in lists])  # (C, M)
    rows = np.concatenate([rows for channel in lists for rows, _ in channel]).astype(np.int64)
    said = np.concatenate([_scaled(scores, config) for channel in lists for _, scores in channel])
    search = np.repeat(np.tile(np.arange(lengths.shape[1]), len(lists)), lengths.ravel())
    width = int(rows.max(initial=0)) + 1
    keys, candidate = np.unique(search * width + rows, return_inverse=True)
    channel = ragged_owners(lengths.sum(axis=1))
    parts = np.zeros((len(lists), len(keys)), dtype=np.float32)
    parts[channel, candidate] = said
    has = np.zeros(parts.shape, dtype=np.bool_)
    has[channel, candidate] = True
    rows = (keys % width).astype(np.int32)
    return Candidates(search=keys // width, rows=rows, parts=parts, has=has)


def _scaled(scores: NDArray[np.float32], config: FusionConfig) -> NDArray[np.float32]:
    """What a channel says of the items of one list, best first: float32 `[n]`."""
    if config.method == "rrf":
        return (1 / (config.rrf_k + np.arange(1, len(scores) + 1))).astype(np.float32)
    if len(scores) == 0 or scores[0] == scores[-1]:
        return np.ones_like(scores)
    scaled: NDArray[np.float32] = (scores - scores[-1]) / (scores[0] - scores[-1])
    return scaled


def _checked(rankings: Rankings, weights: Mapping[str, float] | None) -> Mapping[str, float]:
    sizes = {name: len(lists) for name, lists in rankings.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"fusion needs channels with rankings of the same searches, not {sizes}.")
    if weights is None:
        return dict.fromkeys(rankings, 1.0)
    if weights.keys() != rankings.keys() or min(weights.values()) < 0 or not any(weights.values()):
        raise ValueError(
            f"weights {dict(weights)} do not fit the channels {', '.join(rankings)}; give each "
            "channel one of at least 0, and one channel more."
        )
    return weights
