"""The codes that may follow prefixes, those that continue a SID; no others are ever scored.

Shapes: `R` prefixes, `C` codes that may follow them, one prefix after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from genrecall.foundation.runs import log_softmax_runs
from genrecall.foundation.trie import Trie

_LOOKED_UP: Final = 16  # one product with so many codes costs what looking up one of them does


@dataclass(frozen=True, eq=False)
class Following:
    """What may follow `R` prefixes.

    Attributes:
        level: of the codes.
        prefix: which prefix a code follows, int64 `[C]`, not decreasing.
        node: its trie node, int64 `[C]`.
        code: int64 `[C]`.
        lengths: how many follow each prefix, int64 `[R]`.
        many: whether so many of a level's codes follow a prefix, as a rule, that it is cheaper to
            score all of them and take those.
    """

    level: int
    prefix: Tensor
    node: Tensor
    code: Tensor
    lengths: Tensor
    many: bool

    @classmethod
    def of(cls, trie: Trie, level: int, parents: Tensor) -> Following:
        """What follows trie nodes of the level above, int64 `[R]`; 0 for the root."""
        parent = parents.numpy()
        prefix, node, code = map(torch.from_numpy, trie.children(level, parent))
        lengths = torch.from_numpy(trie.n_children(level, parent))
        usual = trie.n_nodes[level] / (trie.n_nodes[level - 1] if level else 1)
        many = trie.space.sizes[level] <= _LOOKED_UP * usual
        return cls(level, prefix, node, code, lengths, many)

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Over the codes of each prefix: `[C]` to `[C]`."""
        return log_softmax_runs(logits, self.lengths)
