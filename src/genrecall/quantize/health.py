"""Health of a SID table: codes used, items per SID, purity, entropy, and what to do about trouble.

Pure numpy. Shapes: `N` items, `S` distinct SIDs, `c_s` items of SID `s`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.artifact import Json
from genrecall.sid import SidTable


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


@dataclass(frozen=True)
class Health:
    """Figures of one SID table; the `quantize` part of `metrics.json`.

    Attributes:
        codes_used: codes with an item, per level.
        codes: codes of the space, per level.
        sids: distinct SIDs, S.
        items_per_sid: sizes of the clusters.
        singletons: share of the SIDs that hold one item.
        category_purity: share of the items of known category whose SID is mostly of their
            category, `Σ_s max_k n_sk / Σ_sk n_sk`; 1 for a catalog without categories.
        entropy: of the SID of a random item, in bits.
        perplexity: `2^entropy`, as many equally large SIDs would have it.
    """

    codes_used: tuple[int, int, int]
    codes: tuple[int, int, int]
    sids: int
    items_per_sid: ItemsPerSid
    singletons: float
    category_purity: float
    entropy: float
    perplexity: float

    def as_json(self) -> Json:
        """Plain values for `metrics.json`."""
        return {**asdict(self), "items_per_sid": self.items_per_sid._asdict()}

    def warnings(self, *, t_max: int) -> list[str]:
        """What looks wrong and what helps; empty for a healthy table.

        Args:
            t_max: most items of a SID that was asked for.
        """
        found = []
        if self.sids == 1 or self.perplexity < self.sids / 4:
            found.append(
                f"the SIDs have collapsed: {self.sids:,} of them hold the items like "
                f"{self.perplexity:,.0f} equally large ones. Check that the item vectors differ, "
                "lower quantize.training.learning_rate, or set quantize.training.epochs to 0."
            )
        for level in (0, 1):  # level 3 holds a code per group of the largest SID: mostly empty
            used, size = self.codes_used[level], self.codes[level]
            if used < size / 2:
                found.append(
                    f"level {level + 1} uses {used:,} of its {size:,} codes: its codebook has "
                    "collapsed, or is larger than the catalog needs. "
                    + (
                        "Lower quantize.reserve."
                        if level == 0
                        else "Lower quantize.k2, or raise quantize.training.restart_below."
                    )
                )
        if self.items_per_sid.max > t_max:
            found.append(
                f"the largest SID holds {self.items_per_sid.max:,} items, more than "
                f"t_max={t_max:,}: quantize.clusters.g_max binds. Raise it, or raise quantize.k2 "
                "and quantize.k3."
            )
        if self.singletons > 0.3:
            found.append(
                f"{self.singletons:.0%} of the SIDs hold one item, and a beam spent on one is "
                "wasted. Raise quantize.items_per_sid or quantize.clusters.merge_below, or lower "
                "quantize.k2 and quantize.k3."
            )
        if self.category_purity < 0.8:
            found.append(
                f"category purity is {self.category_purity:.2f}: SIDs mix categories. Turn on "
                "quantize.use_category, or lower quantize.items_per_sid."
            )
        return found


def measure_health(table: SidTable, categories: NDArray[np.int32]) -> Health:
    """Measure a SID table.

    Args:
        table: SID of each item.
        categories: category code of each item, int `[N]`, -1 where unknown.
    """
    sizes = table.sizes
    share = sizes / sizes.sum()
    entropy = abs(float(-(share * np.log2(share)).sum()))  # one SID would give -0
    used = [len(np.unique(table.codes[:, level])) for level in range(3)]
    return Health(
        codes_used=(used[0], used[1], used[2]),
        codes=table.space.sizes,
        sids=len(sizes),
        items_per_sid=ItemsPerSid(
            mean=float(sizes.mean()),
            weighted=float(np.square(sizes).sum() / sizes.sum()),
            p50=float(np.median(sizes)),
            p99=float(np.quantile(sizes, 0.99)),
            max=int(sizes.max()),
        ),
        singletons=float((sizes == 1).mean()),
        category_purity=_purity(table.sid_of_item, categories),
        entropy=entropy,
        perplexity=float(2**entropy),
    )


def _purity(sid_of_item: NDArray[np.int64], categories: NDArray[np.int32]) -> float:
    known = categories >= 0
    if not known.any():
        return 1.0
    pairs, counts = np.unique(
        np.stack([sid_of_item[known], categories[known]]), axis=1, return_counts=True
    )
    starts = np.flatnonzero(np.diff(pairs[0], prepend=-1))
    return float(np.maximum.reduceat(counts, starts).sum() / known.sum())
