"""Look-ahead features: what the vectors of the items say about each prefix of the SID tree.

Every SID `s` stands for the normalized mean vector `m_s` of its `n_s` items. For a query vector `q`

    z_s = q · m_s / τ + log n_s
    feature(prefix) = logsumexp of z_s over the SIDs under the prefix

so a first code is judged by its best SIDs, not by an average that blurs them. Of a first code and
of a second-level node this is told by a few groups `g` of their SIDs (`index/centroids.py`), of
which a query sees only the mean vector `c_g` of their items:

    z_g = q · c_g / τ + log n_g + v · (1 - |c_g|²) / 2τ²

The last term is the second cumulant of `q · m_s / τ` within a group whose cosines to a query vary
by `v` times their spread `1 - |c_g|²`: the best of a spread group is above its mean. Where each SID
is a group of its own, spread is nothing and the feature exact. Of the first codes only the best by
one vector of all their SIDs are told by all of their groups.

Vectors follow the live catalog without training the generator again. Where items do not all count
the same, `n_s` is the sum of what they count.

Shapes: `S` SIDs, `G` groups of one level, `D` vector size, `n_l` nodes of trie level `l`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.blocks import list_blocks
from genrecall.foundation.eight_bits import EightBits
from genrecall.foundation.ragged import Bags, bags_by_group
from genrecall.foundation.trie import Trie
from genrecall.index.centroids import SidGroups
from genrecall.native.bags import bag_means

Vectors = NDArray[np.float32]

_VARIANCE: Final = 0.005  # v: of cosines, a unit of spread
_CLOSELY: Final = 128  # first codes that are told by all of their groups


class LookAhead:
    """Vectors of SIDs and of groups of SIDs.

    Args:
        trie: the SIDs in use.
        means: normalized mean item vector of each SID, float32 `[S, D]`.
        log_counts: logarithm of the items of each SID, `[S]`.
        groups: of the SIDs under each prefix; None for each SID by itself, which is exact and
            costs what the catalog is large.
        temperature: τ, in units of cosine similarity.
        leaves: the means as they are kept, where that is known already; None to make it.

    Attributes:
        closely: first codes that are told by all of their groups.
        levels: what tells the nodes of each level.
        whole: what tells first codes by one vector.
    """

    def __init__(
        self,
        trie: Trie,
        means: Vectors,
        log_counts: NDArray[np.floating[Any]],
        groups: SidGroups | None,
        *,
        temperature: float,
        leaves: Vectors | EightBits | None = None,
    ) -> None:
        self.trie, self.temperature = trie, temperature
        self.closely = _CLOSELY if groups else trie.n_nodes[0]
        spread = _VARIANCE / (2 * temperature**2)
        each = groups or SidGroups.alone(trie)
        first, second = (
            Told.of_groups(means, log_counts, of_sid, offsets, spread, rounded=groups is not None)
            for of_sid, offsets in zip(each.of_sid, each.offsets, strict=True)
        )
        first_code, one_each = trie.path(np.arange(len(trie)))[:, 0], np.arange(trie.n_nodes[0] + 1)
        self.whole = Told.of_groups(means, log_counts, first_code, one_each, spread)
        if leaves is None:
            leaves = means if groups is None else EightBits.of(means)
        sids = Told(leaves, log_counts.astype(np.float32), np.arange(len(trie) + 1))
        self.levels = (first, second, sids)


@dataclass(frozen=True, eq=False)
class Told:
    """What tells the nodes of a level: one vector or more of each.

    Attributes:
        kept: the vectors, as they are or in eight bits a number, `[G, D]`.
        bias: added to the product with a scaled query, float32 `[G]`.
        offsets: where those of each node start, int64 `[n_l + 1]`.
    """

    kept: Vectors | EightBits
    bias: Vectors
    offsets: NDArray[np.int64]

    @cached_property
    def vectors(self) -> Vectors:
        """The vectors as floats, `[G, D]`; the library in C needs none of those in eight bits."""
        return self.kept.vectors if isinstance(self.kept, EightBits) else self.kept

    def rows(self, at: NDArray[np.int64]) -> Vectors:
        """Some of the vectors as floats, `[n, D]`."""
        return self.kept.of_rows(at) if isinstance(self.kept, EightBits) else self.kept[at]

    @classmethod
    def of_codes(cls, vectors: Vectors) -> Told:
        """One vector of each, in eight bits, `[K, W]`."""
        bias = np.zeros(len(vectors), dtype=np.float32)
        return cls(EightBits.of(vectors), bias, np.arange(len(vectors) + 1))

    @classmethod
    def of_groups(
        cls,
        means: Vectors,
        log_counts: NDArray[np.floating[Any]],
        of_sid: NDArray[np.int64],
        offsets: NDArray[np.int64],
        spread: float,
        *,
        rounded: bool = True,
    ) -> Told:
        """By the mean vectors of groups, weighed by items, and how many items they have.

        Args:
            means: of the SIDs.
            log_counts: of their items.
            of_sid: group of each SID.
            offsets: where the groups of each node start.
            spread: added for all of a group's spread.
            rounded: to eight bits a number.
        """
        n_groups = int(offsets[-1])
        # Counts may be far apart: within a group they are taken relative to its largest.
        top = np.full(n_groups, -np.inf)
        np.maximum.at(top, of_sid, log_counts)
        counts = np.exp(log_counts - top[of_sid])
        total = np.bincount(of_sid, counts, minlength=n_groups)
        share = (counts / total[of_sid]).astype(np.float32)
        vectors = _weighed_sums(means, share, bags_by_group(of_sid, n_groups))
        apart = np.maximum(1 - np.square(vectors).sum(axis=1), 0)
        bias = (np.log(total) + top + spread * apart).astype(np.float32)
        return cls(EightBits.of(vectors) if rounded else vectors, bias, offsets)


def _weighed_sums(means: Vectors, share: Vectors, bags: Bags) -> Vectors:
    """Sum of the vectors of each group, each by its share: `[S, D]`, `[S]` to `[G, D]`."""
    vectors = np.empty((len(bags.offsets) - 1, means.shape[1]), dtype=np.float32)
    for groups in list_blocks(bags.offsets, means.shape[1]):
        offsets = bags.offsets[groups.start : groups.stop + 1]
        sids = bags.ids[offsets[0] : offsets[-1]]
        weighed = means[sids] * share[sids][:, None]
        sizes = np.diff(offsets).astype(np.float32)
        of = bag_means(weighed, np.arange(len(sids)), offsets - offsets[0])
        vectors[groups] = of * sizes[:, None]
    return vectors


def log_sizes(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """`log n_s` for all SIDs, float32 `[S]`; of one without an item, small but finite."""
    return np.log(np.maximum(counts, 1e-3)).astype(np.float32)
