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

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_model
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.blocks import blocks
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.files import write_json
from genrecall.foundation.ragged import Bags
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.steady import LayerNorm, rows_of
from genrecall.generator.compact.following import Following
from genrecall.generator.compact.shopper import ShopperModel
from genrecall.generator.prompts import Pair
from genrecall.learning.bags import bag_tensors

_SETTINGS: Final = "compact.json"
_WEIGHTS: Final = "compact.safetensors"
_AT_ONCE: Final = 8192  # titles encoded together: bounds the memory


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
    def load(cls, artifact: Artifact, *, space: SidSpace) -> CompactModel:
        """Read what `save` wrote.

        Raises:
            ArtifactError: the weights are of another SID space.
        """
        settings = artifact.read_json(_SETTINGS)
        if settings["space"] != space.digest:
            raise ArtifactError(
                f"{artifact.path} was trained for another SID space than the catalog's "
                f"{space.sizes}. Run the generator stage again."
            )
        weights = load_file(artifact.file(_WEIGHTS))
        model = cls(
            space=space,
            n_features=1,
            width=settings["width"],
            dim=settings["dim"],
            own_share=settings["own_share"],
        )
        # The table is nearly all of the weights: it is taken as read, not drawn at random first.
        model.embedding = nn.EmbeddingBag.from_pretrained(
            weights["embedding.weight"], freeze=False, mode="mean", sparse=True
        )
        if shopper := settings["shopper"]:
            model.pairs = tuple((field, value) for field, value in shopper["pairs"])
            model.shopper = ShopperModel(
                width=settings["width"],
                n_pairs=len(model.pairs),
                **{key: shopper[key] for key in ("dim", "n_leaves", "length")},
            )
        model.load_state_dict(weights)
        return model

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

    def save(self, folder: Path) -> None:
        """Write sizes and weights into a new folder."""
        folder.mkdir()
        settings = {
            "space": self.space.digest,
            "width": self.embedding.embedding_dim,
            "dim": self.project.out_features,
            "own_share": self.own_share,
            "shopper": None
            if self.shopper is None
            else {
                "dim": self.shopper.item.in_features,
                "n_leaves": self.shopper.leaf.num_embeddings,
                "length": self.shopper.length,
                "pairs": self.pairs,
            },
        }
        write_json(folder / _SETTINGS, settings)
        save_model(self, str(folder / _WEIGHTS))

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


def read_bags(model: CompactModel, bags: Bags) -> tuple[Tensor, NDArray[np.float32]]:
    """Hidden states and the generator's own unit vectors of texts.

    Returns:
        Float32 `[n, W]`, and float32 `[n, D]` with zeros for a text without a feature.
    """
    with torch.inference_mode():
        hidden, vectors = follow_bags(model, bags)
    return hidden, vectors.numpy()


def follow_bags(model: CompactModel, bags: Bags) -> tuple[Tensor, Tensor]:
    """As `read_bags`, with gradients: float32 `[n, W]` and `[n, D]`."""
    hidden = model.encode(*bag_tensors(bags))
    known = torch.from_numpy(np.diff(bags.offsets) > 0)
    return hidden, torch.where(known[:, None], model.vectors(hidden), 0.0)


def own_vectors(
    model: CompactModel, rows: range, cut: Callable[[range], Bags]
) -> NDArray[np.float32]:
    """The generator's own unit vectors of the titles of many items, float32 `[n, D]`.

    Args:
        model: the weights.
        rows: the items' places in the catalog, `n` in a row.
        cut: features of the titles of some of them.
    """
    vectors = np.empty((len(rows), model.project.out_features), dtype=np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        _, found = read_bags(model, cut(rows[start : start + _AT_ONCE]))
        vectors[start : start + len(found)] = found
    return vectors


def join_views(
    first: NDArray[np.float32], own: NDArray[np.float32], own_share: float
) -> NDArray[np.float32]:
    """Two unit vectors of each text as one; their products are a weighted mean of both cosines.

    Args:
        first: of stage `embed`, `[n, D]`.
        own: of the generator, `[n, D']`.
        own_share: of its cosine.

    Returns:
        Float32 `[n, D + D']`.
    """
    joined = np.empty((len(first), first.shape[1] + own.shape[1]), dtype=np.float32)
    np.multiply(first, np.float32((1 - own_share) ** 0.5), out=joined[:, : first.shape[1]])
    np.multiply(own, np.float32(own_share**0.5), out=joined[:, first.shape[1] :])
    return joined


def follow_views(first: NDArray[np.float32], own: Tensor, own_share: float) -> Tensor:
    """As `join_views`, with gradients into the generator's vectors: float32 `[n, D + D']`."""
    scaled = torch.from_numpy(first) * (1 - own_share) ** 0.5
    return torch.cat([scaled, own * own_share**0.5], dim=1)
