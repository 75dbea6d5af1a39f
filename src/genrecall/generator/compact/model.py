"""The `compact` family: a subword encoder with an autoregressive head over the three codes.

A query's subwords give a hidden state `h`; each level adds the code before it and scores the next:

    logits_l = w · head_l(h + e_1[code_1] + …) + a · feature_l(prefix + code)

where heads are linear, so that of what one says only `head_l(h)` depends on the query: it is the
same under all prefixes. The features are the look-ahead of `look_ahead.py`, and `w` and `a` are
weights. The softmax is over the codes that continue a SID; no others are ever scored.

The look-ahead sees every text twice: by the vector of stage `embed`, and by a vector that the
generator makes of its own hidden state. Both models have learned their words independently, and
what they agree on is right more often than what either says.

Shapes: `Q` prompts, `R` prefixes, `C` their children, `W` width, `D` vector size, `n` texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.foundation.blocks import blocks
from genrecall.foundation.ragged import Bags
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.steady import LayerNorm, rows_of
from genrecall.generator.compact.following import Following
from genrecall.generator.compact.shopper import ShopperModel
from genrecall.generator.compact.trained import CompactWeights
from genrecall.generator.prompts import Pair
from genrecall.learning.bags import bag_tensors


class CompactModel(nn.Module):
    """The weights of the compact family.

    Args:
        space: codebook sizes.
        n_features: rows of the subword embedding table.
        width: size `W` of the hidden state.
        dim: size `D'` of the generator's own vectors.
        own_share: of their cosine in the look-ahead; the rest is that of stage `embed`'s.

    Attributes:
        shopper: reads profile and history; None before stage user+query→SID.
        pairs: pairs (field, value) of profiles that it knows.
    """

    def __init__(
        self, *, space: SidSpace, n_features: int, width: int, dim: int, own_share: float = 0.5
    ) -> None:
        super().__init__()
        self.space, self.own_share = space, own_share
        self.embedding = nn.EmbeddingBag(n_features, width, mode="mean", sparse=True)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.norm = LayerNorm(width)
        self.encoder = _block(width, width)
        self.code = nn.ModuleList([nn.Embedding(size, width) for size in space.sizes[:-1]])
        self.head = nn.ModuleList([nn.Linear(width, size) for size in space.sizes])
        self.project = nn.Linear(width, dim, bias=False)
        self.shopper: ShopperModel | None = None
        self.pairs: tuple[Pair, ...] = ()

    @classmethod
    def of(cls, weights: CompactWeights, *, space: SidSpace) -> CompactModel:
        """A model with trained weights, which it does not share."""
        arrays = weights.arrays.items()
        given = {name: torch.from_numpy(of.astype(np.float32)) for name, of in arrays}
        table, own = given["embedding.weight"], given["project.weight"]
        model = cls(
            space=space,
            n_features=1,  # nearly all of the weights: not drawn at random first
            width=table.shape[1],
            dim=len(own),
            own_share=weights.own_share,
        )
        model.embedding = nn.EmbeddingBag.from_pretrained(
            table, freeze=False, mode="mean", sparse=True
        )
        if weights.reads_shoppers:
            model.read_shoppers(
                weights.pairs,
                dim=given["shopper.item.weight"].shape[1],
                n_leaves=len(given["shopper.leaf.weight"]),
                length=weights.length,
            )
        model.load_state_dict(given)
        return model

    @property
    def weights(self) -> CompactWeights:
        """As arrays in the memory of the model: they follow while it is trained."""
        arrays = {name: of.detach().numpy() for name, of in self.state_dict().items()}
        length = 0 if self.shopper is None else self.shopper.length
        return CompactWeights(arrays, self.own_share, self.pairs, length)

    def read_shoppers(
        self, pairs: Sequence[Pair], *, dim: int, n_leaves: int, length: int
    ) -> ShopperModel:
        """Let the model read profile and history, from weights that are drawn now.

        Args:
            pairs: of profiles.
            dim: size of both views of an item together.
            n_leaves: SIDs in use.
            length: chosen items at most.
        """
        width = self.embedding.embedding_dim
        self.pairs = tuple(pairs)
        self.shopper = ShopperModel(
            width=width, dim=dim, n_leaves=n_leaves, n_pairs=len(pairs), length=length
        )
        return self.shopper

    def encode(self, ids: Tensor, offsets: Tensor) -> Tensor:
        """Features `[total]` with offsets `[Q]` to hidden states `[Q, W]`."""
        bag = self.norm(self.embedding(ids, offsets))
        hidden: Tensor = bag + self.encoder(bag)
        return hidden

    def vectors(self, hidden: Tensor) -> Tensor:
        """The generator's own unit vectors of texts: `[n, W]` to `[n, D]`."""
        return F.normalize(self.project(hidden), dim=-1)

    def extend(self, level: int, hidden: Tensor, codes: Tensor) -> Tensor:
        """Append the codes of `level` to prefixes: `[R, W]`, `[R]` to `[R, W]`."""
        code: Tensor = self.code[level](codes)
        return hidden + code

    def head_of(self, level: int) -> nn.Linear:
        """That of a level."""
        head = self.head[level]
        assert isinstance(head, nn.Linear)
        return head

    def heads(self, hidden: Tensor, following: Following) -> Tensor:
        """What the heads say of the codes that may follow prefixes: `[R, W]` to `[C]`."""
        head, codes = self.head_of(following.level), following.code
        prefix, nothing = following.prefix, torch.zeros(0)
        if following.many:
            ends = following.lengths.cumsum(0).tolist()
            said, first = [], 0
            for rows in blocks(len(hidden), head.out_features):
                some = slice(first, first := ends[rows.stop - 1])
                said.append(head(hidden[rows])[prefix[some] - rows.start, codes[some]])
            return torch.cat([nothing, *said])
        said = [
            (rows_of(hidden, prefix[some]) * rows_of(head.weight, codes[some])).sum(1)
            for some in blocks(len(codes), hidden.shape[1])
        ]
        return torch.cat([nothing, *said]) + head.bias[codes]


def _block(size: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        LayerNorm(size), nn.Linear(size, width), nn.GELU(), nn.Linear(width, width)
    )


def follow_bags(model: CompactModel, bags: Bags) -> tuple[Tensor, Tensor]:
    """Hidden states and the generator's own unit vectors of texts, with gradients.

    Returns:
        Float32 `[n, W]`, and float32 `[n, D]` with zeros for a text without a feature.
    """
    hidden = model.encode(*bag_tensors(bags))
    known = torch.from_numpy(bags.counts > 0)
    return hidden, torch.where(known[:, None], model.vectors(hidden), 0.0)


def follow_views(first: NDArray[np.float32], own: Tensor, own_share: float) -> Tensor:
    """As `views.py: join_views`, with gradients into the own vectors: float32 `[n, D + D']`."""
    scaled = torch.from_numpy(first) * (1 - own_share) ** 0.5
    return torch.cat([scaled, own * own_share**0.5], dim=1)
