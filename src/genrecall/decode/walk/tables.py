"""What a walk down the tree reads of a generator, in flat arrays.

Shapes: `S` SIDs, `D` vector size, `W` width, `n_l` nodes and `K_l` codes of level `l`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrecall.decode.base import damaged_weights
from genrecall.foundation.blocks import blocks
from genrecall.foundation.layers import Weights
from genrecall.foundation.ragged import ragged_owners
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie
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
        heads: what tells the codes of each level, a vector of `[K_l, W]` each.
        constant: what a head says of a node whatever the query, float32 `[n_l]` of each level.
        weights: of heads and look-ahead.
    """

    trie: Trie
    whole: Told
    levels: tuple[Told, Told, Told]
    closely: int
    heads: tuple[Told, ...]
    constant: tuple[Floats, ...]
    weights: LevelWeights

    @classmethod
    def of(cls, generator: CompactGenerator) -> WalkTables:
        """Those of a generator, with the weights that it has now.

        Raises:
            RequestError: a weight of heads or codes is no finite number.
        """
        ahead, trie, arrays = generator.look_ahead, generator.trie, generator.weights.arrays
        # Rounded to eight bits, they would look like any others.
        of_codes = (of for name, of in arrays.items() if name.startswith(("head.", "code.")))
        if not all(np.isfinite(of).all() for of in of_codes):
            raise damaged_weights()
        heads = tuple(Told.of_codes(arrays[f"head.{level}.weight"]) for level in range(LEVELS))
        constant = tuple(_constants(trie, arrays))
        weights = generator.serving.weights
        return cls(trie, ahead.whole, ahead.levels, ahead.closely, heads, constant, weights)


def _constants(trie: Trie, arrays: Weights) -> Iterator[Floats]:
    """What the head of each level says of its nodes by the codes before them, `[n_l]`.

    A hidden state is the sum of the query's and of these codes, and heads are linear.
    """
    prefix = np.zeros((1, arrays["head.0.weight"].shape[1]), dtype=np.float32)
    for level in range(LEVELS):
        head, code = arrays[f"head.{level}.weight"], trie.codes[level]
        constant = arrays[f"head.{level}.bias"][code]
        parent = ragged_owners(np.diff(trie.offsets[level]))
        for some in blocks(len(code), 2 * head.shape[1]):
            constant[some] += (prefix[parent[some]] * head[code[some]]).sum(axis=1)
        yield constant
        if level < LEVELS - 1:
            prefix = prefix[parent] + arrays[f"code.{level}.weight"][code]
