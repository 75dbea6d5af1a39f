"""What a look-ahead says of queries, with gradients: the oracle of the walk that serves.

Shapes: `Q` queries, `S` SIDs, `G` groups of one level, `D` vector size, `n_0` first codes, `n`
nodes of prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import torch
from torch import Tensor

from genrecall.foundation.blocks import blocks
from genrecall.foundation.ragged import ragged_ranges
from genrecall.foundation.runs import logsumexp_runs
from genrecall.foundation.steady import rows_of
from genrecall.generator.compact.look_ahead import LookAhead, Told

_LOOKED_UP: Final = 16  # one product with so many vectors costs what looking up one of them does


@dataclass(frozen=True, eq=False)
class Ahead:
    """What the look-ahead says of `Q` queries; not normalized.

    Attributes:
        look_ahead: which one.
        scaled: the queries, over the temperature, `[Q, D]`.
    """

    look_ahead: LookAhead
    scaled: Tensor

    @classmethod
    def of_queries(cls, look_ahead: LookAhead, queries: Tensor) -> Ahead:
        """Of queries `[Q, D]`. Gradients flow into them."""
        return cls(look_ahead, queries / look_ahead.temperature)

    @cached_property
    def first(self) -> Tensor:
        """Of all first codes, `[Q, n_0]`."""
        told, closely = self.look_ahead.levels[0], self.look_ahead.closely
        lengths = torch.from_numpy(np.diff(told.offsets))
        said = logsumexp_runs(_of_all(told, self.scaled).T, lengths).T
        if said.shape[1] <= closely:
            return said
        whole = _of_all(self.look_ahead.whole, self.scaled)
        best = whole.detach().topk(closely, dim=1).indices
        return whole.scatter(1, best, said.gather(1, best))

    def of(self, level: int, prompt: Tensor, node: Tensor) -> Tensor:
        """Of some nodes of a level, each for its prompt: int64 `[n]` both, to float32 `[n]`."""
        if level == 0:
            return self.first[prompt, node]
        return _of_nodes(self.look_ahead.levels[level], self.scaled, prompt, node)

    def of_sids(self) -> Tensor:
        """Of all SIDs, `[Q, S]`."""
        return _of_all(self.look_ahead.levels[-1], self.scaled)


def _of_all(told: Told, scaled: Tensor) -> Tensor:
    """Of every vector: `[Q, D]` to `[Q, G]`."""
    return torch.addmm(torch.from_numpy(told.bias), scaled, torch.from_numpy(told.vectors).T)


def _of_nodes(told: Told, scaled: Tensor, prompt: Tensor, node: Tensor) -> Tensor:
    """Of some nodes, each for its prompt: `[Q, D]`, int64 `[n]` both, to `[n]`."""
    at = node.numpy()
    counts = told.offsets[at + 1] - told.offsets[at]
    row = torch.from_numpy(ragged_ranges(told.offsets[at], counts))
    lengths = torch.from_numpy(counts)
    asker = prompt.repeat_interleave(lengths)
    if len(told.bias) * len(scaled) <= _LOOKED_UP * len(row):
        said = _of_all(told, scaled)[asker, row]
    else:
        products = [
            (rows_of(scaled, asker[some]) * torch.from_numpy(told.rows(row[some].numpy()))).sum(1)
            for some in blocks(len(row), scaled.shape[1])
        ]
        said = torch.cat([scaled.new_zeros(0), *products]) + torch.from_numpy(told.bias)[row]
    return said if len(said) == len(node) else logsumexp_runs(said, lengths)
