"""Reading by the weights of the compact family in NumPy: what serves needs no torch.

It computes what `model.py: CompactModel` and `shopper.py: ShopperModel` compute, from the very
memory of their weights where they are there, so that it reads as they do while they are trained.

Shapes: `Q` prompts, `n` texts, `W` width, `D` size of both views, `C` chosen items of all prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.layers import (
    Rows,
    gelu,
    layer_norm,
    linear,
)
from genrecall.foundation.ragged import Bags, ragged_logsumexp, ragged_sums
from genrecall.foundation.text_encoder import Layers, TextEncoder
from genrecall.foundation.unit import scale_to_unit
from genrecall.generator.compact.context import Context
from genrecall.generator.compact.trained import CompactWeights


@dataclass(frozen=True, eq=False)
class CompactReader:
    """Texts and shoppers to hidden states and views.

    Attributes:
        weights: trained ones, or such as are trained now.
    """

    weights: CompactWeights

    @property
    def dim(self) -> int:
        """Size of the own vectors."""
        return self._encode.dim

    @cached_property
    def _encode(self) -> TextEncoder:
        return TextEncoder(self.weights.arrays, Layers("encoder.0", "encoder.1", "encoder.3"))

    def texts(self, bags: Bags) -> tuple[Rows, Rows]:
        """Hidden states of texts `[n, W]`, and own unit vectors, zeros of one without a feature."""
        hidden, own = self._encode(bags)
        own[bags.counts == 0] = 0.0
        return hidden, own

    def shoppers(self, hidden: Rows, views: Rows, context: Context) -> tuple[Rows, Rows]:
        """Queries to what these shoppers mean by them: `[Q, W]`, `[Q, D]` to both moved."""
        of, counts, owner = self.weights.arrays, context.counts, context.prompt
        leaf, age = of["shopper.leaf.weight"][context.leaves], of["shopper.age.weight"][context.age]
        tokens = leaf + linear(context.views, of, "shopper.item") + age
        tokens = layer_norm(tokens, of, "shopper.norm")  # (C, W)
        known = np.diff(context.offsets)
        asked = hidden + ragged_sums(of["shopper.pair.weight"][context.pairs], known)
        learned = linear(asked, of, "shopper.query")[owner] * linear(tokens, of, "shopper.key")
        near = (views[owner] * context.views).sum(axis=1) * of["shopper.nearness"]
        weight = _softmax(learned.sum(axis=1) / np.float32(hidden.shape[1] ** 0.5) + near, counts)
        taste = ragged_sums(weight[:, None] * tokens, counts)
        both = layer_norm(np.concatenate([asked, taste], axis=1), of, "shopper.step.0")
        step = gelu(linear(both, of, "shopper.step.1"))
        drawn = ragged_sums(weight[:, None] * context.views, counts)
        pulled = views + of["shopper.pull"] * drawn
        moved = pulled + linear(step, of, "shopper.move_views")
        scale_to_unit(moved)
        return hidden + linear(step, of, "shopper.move_hidden"), moved


def _softmax(scores: Rows, counts: NDArray[np.int64]) -> Rows:
    """Over runs of the given lengths, some of them empty."""
    filled = counts[counts > 0]
    shares: Rows = np.exp(scores - np.repeat(ragged_logsumexp(scores, filled), filled))
    return shares
