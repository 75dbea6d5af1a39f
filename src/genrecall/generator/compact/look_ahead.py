"""Look-ahead features: what the dense vectors say about each prefix of the SID tree.

Every SID `s` stands for the normalized mean vector `m_s` of its `n_s` items. For a query vector `q`

    z_s = q · m_s / τ + log n_s
    feature(prefix) = logsumexp of z_s over the SIDs under the prefix

so a first code is judged by its best SIDs, not by an average that blurs them. The means can follow
the live catalog without training the generator again. Where items do not all count the same, `n_s`
is the sum of what they count.

Shapes: `Q` queries, `S` SIDs, `D` vector size, `n_l` nodes of trie level `l`, `n` nodes of prompts.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.foundation.runs import sum_runs
from genrecall.foundation.trie import Trie


@dataclass(frozen=True, eq=False)
class Ahead:
    """What the look-ahead says of `Q` queries; not normalized: the best SID of each has 0.

    Attributes:
        features: of all nodes of each level, float32 `[Q, n_l]`.
    """

    features: tuple[Tensor, ...]

    def of(self, level: int, prompt: Tensor, node: Tensor) -> Tensor:
        """Of some nodes of a level, each for its prompt: int64 `[n]` both, to float32 `[n]`."""
        return self.features[level][prompt, node]


class LookAhead:
    """Mean vectors of the SIDs and the sums over prefixes.

    Args:
        trie: the SIDs in use.
        means: normalized mean item vector of each SID, float32 `[S, D]`.
        counts: items of each SID, int64 `[S]`.
        temperature: τ, in units of cosine similarity.
    """

    def __init__(
        self,
        trie: Trie,
        means: NDArray[np.float32],
        counts: NDArray[np.int64],
        *,
        temperature: float,
    ) -> None:
        self.trie = trie
        self.temperature = temperature
        self.means = torch.from_numpy(means)
        self._bias = log_sizes(counts)[:, None]  # (S, 1)
        self._lengths = tuple(torch.from_numpy(np.diff(trie.offsets[level])) for level in (1, 2))

    def counting(self, log_counts: NDArray[np.floating[Any]]) -> LookAhead:
        """The same with other counts of the SIDs, by their logarithms, `[S]`."""
        other = copy.copy(self)
        other._bias = torch.from_numpy(log_counts.astype(np.float32))[:, None]
        return other

    def __call__(self, queries: Tensor) -> Ahead:
        """What it says of queries, `[Q, D]`. Gradients flow into them.

        A prefix whose mass underflows has the logarithm of the least number.
        """
        leaves = torch.addmm(self._bias, self.means, queries.T / self.temperature)  # (S, Q)
        # What is taken off all features of a query alike changes no softmax: it needs no gradient.
        leaves = leaves - leaves.detach().amax(0)
        mass = leaves.exp()
        middle = sum_runs(mass, self._lengths[1])
        first = sum_runs(middle, self._lengths[0])
        return Ahead((_log(first).T, _log(middle).T, leaves.T))


def _log(mass: Tensor) -> Tensor:
    """Logarithm of a mass that may have underflowed; its gradient stays finite."""
    return mass.clamp(min=torch.finfo(mass.dtype).tiny).log()


def log_sizes(counts: NDArray[np.int64]) -> Tensor:
    """`log n_s` for all SIDs, float32 `[S]`; of one without an item, small but finite."""
    return torch.log(torch.from_numpy(counts).float().clamp(min=1e-3))
