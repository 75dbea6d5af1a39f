"""Recall, nDCG, reciprocal rank and the like: pure functions of rankings and relevant items.

Everything follows from one thing, the rank of each target in its search's list (`target_ranks`);
lists of catalog rows give item recall, lists of SID positions (beams) give the hit rate of CQ-SID,
arXiv 2605.14434, §4. Measures come per search, so that averages, slices and intervals are taken
elsewhere (`bootstrap`). A search whose list is empty scores 0; none is dropped.

Shapes: `M` searches, `P` targets of all searches together, `B` beams, `S` distinct SIDs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import ragged_owners, rank_in_run

IntArray = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

ABSENT: Final = np.iinfo(np.int64).max
"""Rank of a target that is not in its search's list."""

_AT_ONCE: Final = 4096  # lists side by side, and targets compared with them: bounds the memory


@dataclass(frozen=True, eq=False)
class TargetRanks:
    """Where the targets of each search stand in its list.

    Attributes:
        rank: position in the list, 0 is best, `ABSENT` when not in it, int64 `[P]`.
        search: which search the target belongs to, int64 `[P]`, not decreasing.
        n_targets: targets of each search, int64 `[M]`, each at least 1.
        gain: how relevant each target is, above 0, float64 `[P]`.
    """

    rank: NDArray[np.int64]
    search: NDArray[np.int64]
    n_targets: NDArray[np.int64]
    gain: Floats

    def found(self, k: int) -> NDArray[np.int64]:
        """How many targets of each search are among its first `k`: int64 `[M]`."""
        return np.bincount(self.search[self.rank < k], minlength=len(self.n_targets))


def target_ranks(
    lists: Sequence[IntArray],
    targets: Sequence[IntArray],
    gains: Sequence[NDArray[np.floating[Any]]] | None = None,
) -> TargetRanks:
    """Find every search's targets in its list.

    Args:
        lists: catalog rows or SID positions of each search, best first; negative entries are
            padding. A value that stands twice counts at its first place.
        targets: the relevant ones of each search, in the same terms, not negative. A value that
            stands twice counts twice: two relevant items with one SID are two targets.
        gains: how relevant each of them is, above 0; None for 1 each.

    Raises:
        ValueError: another number of lists or gains than of targets, or a search without a target.

    >>> ranks = target_ranks([np.array([7, 3, 5])], [np.array([5, 9])])
    >>> ranks.rank.tolist() == [2, ABSENT]
    True
    """
    n_targets = np.array([len(rows) for rows in targets], dtype=np.int64)
    if len(lists) != len(targets):
        raise ValueError(f"{len(lists)} lists for {len(targets)} searches; give one list a search.")
    if len(targets) and n_targets.min() < 1:
        raise ValueError(
            f"search {int(n_targets.argmin())} has no target; leave such searches out and count "
            "them (`Searches.of` does)."
        )
    gain = np.ones(int(n_targets.sum()))
    if gains is not None:
        gain = np.concatenate([np.empty(0), *gains]).astype(np.float64)
        if len(gains) != len(targets) or len(gain) != n_targets.sum():
            raise ValueError(f"{len(gain)} gains for {n_targets.sum()} targets; give one each.")
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(targets), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found.append(_ranks_in(_pad(lists[part]), targets[part], n_targets[part]))
    return TargetRanks(np.concatenate(found), ragged_owners(n_targets), n_targets, gain)


def recall(ranks: TargetRanks, k: int) -> Floats:
    """Share of each search's targets among its first `k`: float64 `[M]`.

    `recall@k = |targets ∩ list[:k]| / |targets|`. Over beams this is `hit@beam` averaged per
    search.

    >>> lists = [np.array([7, 3, 5]), np.array([1])]
    >>> ranks = target_ranks(lists, targets=[np.array([5, 9]), np.array([1])])
    >>> recall(ranks, 3)
    array([0.5, 1. ])
    """
    return ranks.found(k) / ranks.n_targets


def recall_at(
    lists: Sequence[IntArray],
    targets: Sequence[IntArray],
    at: Iterable[int],
    *,
    name: str = "recall@",
) -> dict[str, Floats]:
    """Share of each search's targets among the first so many of its list: float64 `[M]` by name.

    Args:
        lists: as for `target_ranks`.
        targets: likewise.
        at: how many of a list.
        name: what stands before that number.

    >>> recall_at([np.array([7, 3, 5])], [np.array([5, 9])], (1, 3))
    {'recall@1': array([0.]), 'recall@3': array([0.5])}
    """
    ranks = target_ranks(lists, targets)
    return {f"{name}{k}": recall(ranks, k) for k in at}


def hit(ranks: TargetRanks, k: int) -> Floats:
    """Whether any target of a search is among its first `k`: float64 `[M]` of 0 and 1.

    `hit@k = [targets ∩ list[:k] ≠ ∅]`.

    >>> hit(target_ranks([np.array([7, 3, 5])], [np.array([5, 9])]), 2)
    array([0.])
    """
    return (ranks.found(k) > 0).astype(np.float64)


def ndcg(ranks: TargetRanks, k: int) -> Floats:
    """Normalized discounted cumulative gain of each search's first `k`: float64 `[M]`.

    `nDCG@k = DCG@k / IDCG@k`, `DCG@k = Σ gain(r) / log2(r + 1)` over the places `r ≤ k`, counted
    from 1, at which a target stands; `IDCG@k` is that of the targets in the order of their gains
    (Järvelin and Kekäläinen 2002, with linear gains as trec_eval's `ndcg_cut`).

    >>> ranks = target_ranks([np.array([7, 3, 5])], [np.array([5, 9])], [np.array([1.0, 2.0])])
    >>> round(float(ndcg(ranks, 3)[0] * (2 + 1 / np.log2(3))), 6)  # 5 stands third: 1 / log2(4)
    0.5
    """
    n = len(ranks.n_targets)
    in_list = ranks.rank < k
    dcg = np.bincount(
        ranks.search[in_list],
        weights=ranks.gain[in_list] / np.log2(ranks.rank[in_list] + 2.0),
        minlength=n,
    )
    best = np.lexsort((-ranks.gain, ranks.search))
    place = rank_in_run(ranks.search)  # searches are in order: places within each
    ideal = ranks.gain[best] * (place < k) / np.log2(place + 2.0)
    found: Floats = dcg / np.bincount(ranks.search, weights=ideal, minlength=n)
    return found


def reciprocal_rank(ranks: TargetRanks) -> Floats:
    """One over the place of each search's first target, 0 where it has none: float64 `[M]`.

    Its mean is the mean reciprocal rank (MRR), trec_eval's `recip_rank`.

    >>> reciprocal_rank(target_ranks([np.array([7, 3, 5])], [np.array([5, 3])]))
    array([0.5])
    """
    first = np.full(len(ranks.n_targets), ABSENT)
    np.minimum.at(first, ranks.search, ranks.rank)
    return np.where(first == ABSENT, 0.0, 1.0 / (np.minimum(first, ABSENT - 1) + 1.0))


class CategoryCounts(NamedTuple):
    """Items of each search's list by category.

    Attributes:
        other: those of another category than any target's, int64 `[M]`.
        known: those that can be told: all with a category, of a search of which some target has
            one, int64 `[M]`.
    """

    other: NDArray[np.int64]
    known: NDArray[np.int64]


def other_categories(
    lists: Sequence[IntArray], targets: Sequence[IntArray], categories: IntArray
) -> CategoryCounts:
    """Count the items of each list that are of another category than any of its targets.

    Of the answer to a ranker it says how much is beside the point, which recall does not.

    Args:
        lists: catalog rows of each search.
        targets: those of its relevant items.
        categories: a number for the category of each item, `[N]`; negative where it is unknown.

    >>> categories = np.array([0, 0, 1, -1])
    >>> other_categories([np.array([0, 1, 2, 3])], [np.array([1])], categories)
    CategoryCounts(other=array([1]), known=array([3]))
    """
    other, known = np.zeros((2, len(lists)), dtype=np.int64)
    for search, (rows, relevant) in enumerate(zip(lists, targets, strict=True)):
        wanted = np.unique(categories[relevant])
        wanted = wanted[wanted >= 0]
        found = categories[rows]
        found = found[found >= 0]
        if len(wanted):
            known[search] = len(found)
            other[search] = len(found) - int(np.isin(found, wanted).sum())
    return CategoryCounts(other, known)


def only_here(ranks: TargetRanks, others: Sequence[TargetRanks], k: int) -> Floats:
    """Share of each search's targets that this list has among its first `k` and no other has.

    `only@k = |(targets ∩ list[:k]) − ∪ others[:k]| / |targets|`, float64 `[M]`.

    Raises:
        ValueError: the ranks are of other targets.

    >>> targets = [np.array([5, 9])]
    >>> mine = target_ranks([np.array([5, 9])], targets)
    >>> only_here(mine, [target_ranks([np.array([9])], targets)], k=1000)
    array([0.5])
    """
    alone = ranks.rank < k
    for other in others:
        if not np.array_equal(other.search, ranks.search):
            raise ValueError("the channels were ranked for different targets; give all the same.")
        alone &= other.rank >= k
    found: NDArray[np.int64] = np.bincount(ranks.search[alone], minlength=len(ranks.n_targets))
    return found / ranks.n_targets


def candidates(beams: IntArray, items_per_sid: IntArray, width: int) -> Floats:
    """How many distinct items stand behind the first `width` beams: float64 `[M]`.

    An item has one SID, so this is the sum of the sizes of the distinct SIDs.

    Args:
        beams: SID positions, best first, `[M, B]`; negative entries are padding.
        items_per_sid: how many items each SID has, `[S]`.
        width: beams to look at.

    >>> candidates(np.array([[0, 2, -1], [1, 1, 0]]), np.array([3, 5, 10]), width=2)
    array([13.,  5.])
    """
    first = np.sort(beams[:, :width], axis=1)
    fresh = first >= 0
    fresh[:, 1:] &= first[:, 1:] != first[:, :-1]
    total: Floats = np.where(fresh, items_per_sid[first], 0).sum(axis=1, dtype=np.float64)
    return total


def _ranks_in(
    table: NDArray[np.int64], targets: Sequence[IntArray], n_targets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rank of each target in the row of its search: int64 `[P]`."""
    search, wanted = ragged_owners(n_targets), np.concatenate(targets)
    ranks = []
    for start in range(0, len(wanted), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        same = table[search[part]] == wanted[part, None]  # (targets, longest list)
        ranks.append(np.where(same.any(axis=1), same.argmax(axis=1), ABSENT))
    return np.concatenate(ranks)


def _pad(lists: Sequence[IntArray]) -> NDArray[np.int64]:
    """Lists side by side, filled up with -1: int64 `[M, longest]`."""
    lengths = np.array([len(rows) for rows in lists], dtype=np.int64)
    table = np.full((len(lists), max(lengths.max(initial=0), 1)), -1, dtype=np.int64)
    if len(lists):
        table[np.arange(table.shape[1]) < lengths[:, None]] = np.concatenate(lists)
    return table
