"""Health of a SID table: what its codes and clusters look like.

Pure numpy. Shapes: `N` items, `S` distinct SIDs, `c_s` items of SID `s`, `d` width of the latents.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.artifact import Json
from genrecall.foundation.groups import group_means, squared_distances
from genrecall.foundation.ragged import run_starts
from genrecall.foundation.sid import LEVELS, SidTable
from genrecall.quantize.quantizer import Vectors, sid_centroids


class Wanted(NamedTuple):
    """What the table was made for.

    Attributes:
        sizes: codes per level before cluster size control, `(K1, K2, K3)`.
        reserve: how many level-1 codes have no category; all of them where categories are off.
        items_per_sid: items wanted in a SID.
        t_max: most items of a SID.
    """

    sizes: tuple[int, int, int]
    reserve: int
    items_per_sid: int
    t_max: int


class Level(NamedTuple):
    """Codes of one level. Of level 3 the quantizer's own: the groups of a split SID count once.

    Attributes:
        codes: how many there are.
        used: how many have an item.
        waiting: level-1 codes without a category, while no item is without one.
        dead: the other codes without an item.
        entropy: of the code of a random item, in bits.
        perplexity: `2^entropy`, as many equally frequent codes would have it.
        unexplained: share of the variance of the latents that is left among items with the same
            codes up to this level; of level 3 among items of a SID.
    """

    codes: int
    used: int
    waiting: int
    dead: int
    entropy: float
    perplexity: float
    unexplained: float


class ItemsPerSid(NamedTuple):
    """Sizes of the clusters.

    Attributes:
        mean: N / S.
        weighted: `Σ c² / Σ c`, the size of the cluster of a random item: what a beam brings.
        p50: median over the SIDs.
        p99: 99th percentile over the SIDs.
        max: the largest.
    """

    mean: float
    weighted: float
    p50: float
    p99: float
    max: int

    @classmethod
    def of(cls, sizes: NDArray[np.int64]) -> ItemsPerSid:
        """From the items of each SID, `[S]`."""
        return cls(
            mean=float(sizes.mean()),
            weighted=float(np.square(sizes).sum() / sizes.sum()),
            p50=float(np.median(sizes)),
            p99=float(np.quantile(sizes, 0.99)),
            max=int(sizes.max()),
        )


class Distances(NamedTuple):
    """Of the items to their SID, see `distances`; 0 where every SID has one item.

    Attributes:
        p50: median.
        p95: 95th percentile.
        p99: 99th percentile.
        far: share of the items at 1 or more.
    """

    p50: float
    p95: float
    p99: float
    far: float


class CategorySizes(NamedTuple):
    """The categories that have a level-1 code, or would have one.

    Attributes:
        n: how many have items.
        unknown: share of the items without one.
        largest: share of the items in the largest one.
    """

    n: int
    unknown: float
    largest: float


@dataclass(frozen=True)
class Health:
    """Figures of one SID table; with its warnings the `quantize` part of `metrics.json`.

    Attributes:
        items: N.
        wanted: what the table was made for.
        codes_used: codes of the frozen space with an item, per level.
        codes: codes of the frozen space, per level.
        levels: the quantizer's codes.
        sids: distinct SIDs, S.
        items_per_sid: sizes of the clusters.
        oversized: SIDs with more than `t_max` items.
        singletons: share of the SIDs that hold one item.
        category_purity: share of the items of known category whose SID is mostly of their
            category, `Σ_s max_k n_sk / Σ_sk n_sk`; 1 for a catalog without categories.
        mixed: SIDs with items of more than one known category.
        categories: their sizes.
        distance: how far items are from their SID.
        entropy: of the SID of a random item, in bits.
        perplexity: `2^entropy`, as many equally large SIDs would have it.
    """

    items: int
    wanted: Wanted
    codes_used: tuple[int, int, int]
    codes: tuple[int, int, int]
    levels: tuple[Level, Level, Level]
    sids: int
    items_per_sid: ItemsPerSid
    oversized: int
    singletons: float
    category_purity: float
    mixed: int
    categories: CategorySizes
    distance: Distances
    entropy: float
    perplexity: float

    def as_json(self) -> Json:
        """Plain values for `metrics.json`."""
        named = ("wanted", "items_per_sid", "categories", "distance")
        return {
            **asdict(self),
            **{name: getattr(self, name)._asdict() for name in named},
            "levels": [level._asdict() for level in self.levels],
        }


def measure_health(
    table: SidTable, categories: NDArray[np.int32], *, latents: Vectors, wanted: Wanted
) -> Health:
    """Measure a SID table.

    Args:
        table: SID of each item.
        categories: category code of each item, int `[N]`, -1 where unknown.
        latents: of the same items, float32 `[N, d]`.
        wanted: what the table was made for.
    """
    sizes = table.sizes
    entropy = _entropy(sizes)
    used = [len(np.unique(table.codes[:, level])) for level in range(LEVELS)]
    distance = distances(table, latents)
    p50, p95, p99 = np.quantile(distance, (0.5, 0.95, 0.99)).tolist()
    known = categories[categories >= 0]
    in_category = np.bincount(known)
    purity, mixed = _purity(table.sid_of_item, categories)
    one, two, three = _levels(table, categories, latents=latents, wanted=wanted)
    return Health(
        items=len(table.codes),
        wanted=wanted,
        codes_used=(used[0], used[1], used[2]),
        codes=table.space.sizes,
        levels=(one, two, three),
        sids=len(sizes),
        items_per_sid=ItemsPerSid.of(sizes),
        oversized=int((sizes > wanted.t_max).sum()),
        singletons=float((sizes == 1).mean()),
        category_purity=purity,
        mixed=mixed,
        categories=CategorySizes(
            n=int((in_category > 0).sum()),
            unknown=1 - len(known) / len(categories),
            largest=float(in_category.max(initial=0) / len(categories)),
        ),
        distance=Distances(p50, p95, p99, far=float((distance >= 1).mean())),
        entropy=entropy,
        perplexity=float(2**entropy),
    )


def distances(table: SidTable, latents: Vectors) -> NDArray[np.float64]:
    """How far each item is from the others of its SID, float64 `[N]`.

    `‖z − m‖² / mean ‖z − z̄‖²` with `m` the mean latent of the others of its SID: below 1 the SID
    says something about the item. 0 for an item that is alone.
    """
    sid = table.sid_of_item
    n = table.sizes[sid]
    means = sid_centroids(latents, table)
    # The mean without the item itself is farther from it by c / (c − 1).
    leave_out = np.where(n > 1, n / np.maximum(n - 1, 1), 0.0)
    squared = squared_distances(latents, means, sid) * np.square(leave_out)
    relative: NDArray[np.float64] = squared / (_variance(latents) or 1.0)
    return relative


def purity_of_sids(
    sid_of_item: NDArray[np.int64], categories: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """SIDs with items of known category, how many such items, and how many of the largest one."""
    known = categories >= 0
    pairs, counts = np.unique(
        np.stack([sid_of_item[known], categories[known]]), axis=1, return_counts=True
    )
    if not len(counts):
        return counts, counts, counts
    starts = run_starts(pairs[0])
    return pairs[0, starts], np.add.reduceat(counts, starts), np.maximum.reduceat(counts, starts)


def _purity(sid_of_item: NDArray[np.int64], categories: NDArray[np.int32]) -> tuple[float, int]:
    _, n_known, n_largest = purity_of_sids(sid_of_item, categories)
    if not len(n_known):
        return 1.0, 0
    return float(n_largest.sum() / n_known.sum()), int((n_largest < n_known).sum())


def _levels(
    table: SidTable, categories: NDArray[np.int32], *, latents: Vectors, wanted: Wanted
) -> list[Level]:
    codes = table.codes.copy()
    codes[:, 2] %= wanted.sizes[2]  # group g of a split SID has the third code c3 + K3 · g
    _, k2, k3 = table.space.sizes
    packed, variance, found = table.packed, _variance(latents), []
    for level, (size, rest) in enumerate(zip(wanted.sizes, (k2 * k3, k3, 1), strict=True)):
        counts = np.bincount(codes[:, level], minlength=size)
        used, entropy = int((counts > 0).sum()), _entropy(counts[counts > 0])
        waiting = 0
        if level == 0 and (categories >= 0).all() and wanted.reserve < size:
            waiting = min(size - used, wanted.reserve)
        _, prefix = np.unique((packed // rest)[table.sid_of_item], return_inverse=True)
        means = group_means(latents, prefix, int(prefix.max()) + 1)
        unexplained = float(squared_distances(latents, means, prefix).mean()) / (variance or 1.0)
        found.append(
            Level(
                codes=size,
                used=used,
                waiting=waiting,
                dead=size - used - waiting,
                entropy=entropy,
                perplexity=float(2**entropy),
                unexplained=unexplained,
            )
        )
    return found


def _variance(latents: Vectors) -> float:
    one_group = np.zeros(len(latents), dtype=np.int64)
    return float(squared_distances(latents, latents.mean(0)[None], one_group).mean())


def _entropy(counts: NDArray[np.int64]) -> float:
    share = counts / counts.sum()
    return abs(float(-(share * np.log2(share)).sum()))  # one value would give -0
