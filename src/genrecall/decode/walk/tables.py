"""What a walk down the tree reads of a generator, in flat arrays.

Shapes: `S` SIDs, `D` vector size, `W` width, `n_l` nodes and `K_l` codes of level `l`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie
from genrecall.generator.compact.following import Following
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.look_ahead import Told
from genrecall.generator.compact.weights import LevelWeights

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WalkTables:
    """Of one generator with its weights.

    Attributes:
        trie: the SIDs in use.
        whole: what tells first codes by one vector.
        levels: what tells the nodes of each level.
        closely: first codes that are told by all of their groups.
        heads: of each level, float32 `[K_l, W]`.
        constant: what a head says of a node whatever the query, float32 `[n_l]` of each level.
        weights: of heads and look-ahead.
    """

    trie: Trie
    whole: Told
    levels: tuple[Told, Told, Told]
    closely: int
    heads: tuple[Floats, ...]
    constant: tuple[Floats, ...]
    weights: LevelWeights

    @classmethod
    def of(cls, generator: CompactGenerator) -> WalkTables:
        """Those of a generator, with the weights that it has now."""
        ahead, model, trie = generator.look_ahead, generator.model, generator.trie
        constant = []
        with torch.inference_mode():
            heads = tuple(model.head_of(level).weight.numpy().copy() for level in range(LEVELS))
            prefix = torch.zeros(1, heads[0].shape[1])  # of the nodes of a level, for no query
            for level in range(LEVELS):
                following = Following.of(trie, level, torch.arange(len(prefix)))
                constant.append(model.heads(prefix, following).numpy())
                if level < LEVELS - 1:
                    prefix = model.extend(level, prefix[following.prefix], following.code)
        weights = generator.serving.weights
        return cls(trie, ahead.whole, ahead.levels, ahead.closely, heads, tuple(constant), weights)
