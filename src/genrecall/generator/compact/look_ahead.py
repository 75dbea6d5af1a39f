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

Shapes: `Q` queries, `S` SIDs, `G` groups of one level, `D` vector size, `n_l` nodes of trie level
`l`, `n` nodes of prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.foundation.blocks import blocks
from genrecall.foundation.eight_bits import EightBits
from genrecall.foundation.groups import group_sums
from genrecall.foundation.ragged import ragged_ranges
from genrecall.foundation.runs import logsumexp_runs
from genrecall.foundation.steady import rows_of
from genrecall.foundation.trie import Trie
from genrecall.index.centroids import SidGroups

Vectors = NDArray[np.float32]

_VARIANCE: Final = 0.005  # v: of cosines, a unit of spread
_CLOSELY: Final = 256  # first codes that are told by all of their groups
_LOOKED_UP: Final = 16  # one product with so many vectors costs what looking up one of them does


class LookAhead:
    """Vectors of SIDs and of groups of SIDs.

    Args:
        trie: the SIDs in use.
        means: normalized mean item vector of each SID, float32 `[S, D]`.
        log_counts: logarithm of the items of each SID, `[S]`.
        groups: of the SIDs under each prefix; None for each SID by itself, which is exact and
            costs what the catalog is large.
        temperature: τ, in units of cosine similarity.

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
    ) -> None:
        self.trie, self.temperature = trie, temperature
        self._means, self._groups = means, groups
        self.closely = _CLOSELY if groups else trie.n_nodes[0]
        spread = _VARIANCE / (2 * temperature**2)
        each = groups or SidGroups.alone(trie)
        first, second = (
            Told.of_groups(means, log_counts, of_sid, offsets, spread, rounded=groups is not None)
            for of_sid, offsets in zip(each.of_sid, each.offsets, strict=True)
        )
        first_code, one_each = trie.path(np.arange(len(trie)))[:, 0], np.arange(trie.n_nodes[0] + 1)
        self.whole = Told.of_groups(means, log_counts, first_code, one_each, spread)
        leaves = Told.of(means, log_counts.astype(np.float32), np.arange(len(trie) + 1))
        self.levels = (first, second, leaves)

    def counting(self, log_counts: NDArray[np.floating[Any]]) -> LookAhead:
        """The same with other counts of the SIDs, by their logarithms, `[S]`."""
        return LookAhead(
            self.trie, self._means, log_counts, self._groups, temperature=self.temperature
        )

    def __call__(self, queries: Tensor) -> Ahead:
        """What it says of queries, `[Q, D]`. Gradients flow into them."""
        return Ahead(self, queries / self.temperature)

    def of_first_codes(self, scaled: Tensor) -> Tensor:
        """Of all first codes; of queries over the temperature, `[Q, D]` to `[Q, n_0]`."""
        first = self.levels[0]
        said = logsumexp_runs(first.of_all(scaled).T, first.lengths).T
        if said.shape[1] <= self.closely:
            return said
        whole = self.whole.of_all(scaled)
        best = whole.detach().topk(self.closely, dim=1).indices
        return whole.scatter(1, best, said.gather(1, best))


@dataclass(frozen=True, eq=False)
class Ahead:
    """What the look-ahead says of `Q` queries; not normalized.

    Attributes:
        look_ahead: which one.
        scaled: the queries, over the temperature, `[Q, D]`.
    """

    look_ahead: LookAhead
    scaled: Tensor

    @cached_property
    def first(self) -> Tensor:
        """Of all first codes, `[Q, n_0]`."""
        return self.look_ahead.of_first_codes(self.scaled)

    def of(self, level: int, prompt: Tensor, node: Tensor) -> Tensor:
        """Of some nodes of a level, each for its prompt: int64 `[n]` both, to float32 `[n]`."""
        if level == 0:
            return self.first[prompt, node]
        return self.look_ahead.levels[level].of_nodes(self.scaled, prompt, node)

    def of_sids(self) -> Tensor:
        """Of all SIDs, `[Q, S]`."""
        return self.look_ahead.levels[-1].of_all(self.scaled)


@dataclass(frozen=True, eq=False)
class Told:
    """What tells the nodes of a level: one vector or more of each.

    Attributes:
        vectors: float32 `[G, D]`.
        eight: the same in eight bits; None where they are kept as they are.
        bias: added to the product with a scaled query, float32 `[G]`.
        offsets: where those of each node start, int64 `[n_l + 1]`.
        lengths: how many each node has, int64 `[n_l]`.
    """

    vectors: Tensor
    eight: EightBits | None
    bias: Tensor
    offsets: NDArray[np.int64]
    lengths: Tensor

    @classmethod
    def of(
        cls,
        vectors: Vectors,
        bias: Vectors,
        offsets: NDArray[np.int64],
        *,
        eight: EightBits | None = None,
    ) -> Told:
        """From numpy arrays."""
        lengths = torch.from_numpy(np.diff(offsets))
        return cls(torch.from_numpy(vectors), eight, torch.from_numpy(bias), offsets, lengths)

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
        vectors = group_sums(means * share[:, None], of_sid, n_groups, dtype=torch.float32).numpy()
        apart = np.maximum(1 - np.square(vectors).sum(axis=1), 0)
        bias = (np.log(total) + top + spread * apart).astype(np.float32)
        if not rounded:
            return cls.of(vectors, bias, offsets)
        eight = EightBits.of(vectors)
        return cls.of(eight.vectors, bias, offsets, eight=eight)

    def of_all(self, scaled: Tensor) -> Tensor:
        """Of every vector: `[Q, D]` to `[Q, G]`."""
        return torch.addmm(self.bias, scaled, self.vectors.T)

    def of_nodes(self, scaled: Tensor, prompt: Tensor, node: Tensor) -> Tensor:
        """Of some nodes, each for its prompt: `[Q, D]`, int64 `[n]` both, to `[n]`."""
        lengths = self.lengths[node]
        at = node.numpy()
        row = torch.from_numpy(ragged_ranges(self.offsets[at], lengths.numpy()))
        asker = prompt.repeat_interleave(lengths)
        if len(self.bias) * len(scaled) <= _LOOKED_UP * len(row):
            said = self.of_all(scaled)[asker, row]
        else:
            products = [
                (rows_of(scaled, asker[some]) * rows_of(self.vectors, row[some])).sum(1)
                for some in blocks(len(row), scaled.shape[1])
            ]
            said = torch.cat([scaled.new_zeros(0), *products]) + self.bias[row]
        return said if len(said) == len(node) else logsumexp_runs(said, lengths)


def log_sizes(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """`log n_s` for all SIDs, float32 `[S]`; of one without an item, small but finite."""
    return np.log(np.maximum(counts, 1e-3)).astype(np.float32)
