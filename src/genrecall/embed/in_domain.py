"""The in-domain view: an encoder that is trained on the shop's own titles and log.

It averages a text's subword and word-pair embeddings, which then pass one residual block and a
projection. It has two towers that share all weights: in product search, queries are made of title
words.

Shapes: `n` texts, `D` vector size.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from genrecall.foundation.ragged import Bags
from genrecall.foundation.steady import LayerNorm

_WEIGHTS: Final = "two_tower.safetensors"


class TwoTower(nn.Module):
    """Bags of features to unit vectors.

    Args:
        n_features: rows of the embedding table.
        width: size of an embedding.
        dim: size `D` of the vectors.
    """

    def __init__(self, *, n_features: int, width: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(n_features, width, mode="mean", sparse=True)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.norm = LayerNorm(width)
        self.block = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.project = nn.Linear(width, dim, bias=False)

    def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
        """Features `[total]` with offsets `[n]` to unit vectors `[n, D]`."""
        bag = self.norm(self.embedding(ids, offsets))  # (n, width)
        return F.normalize(self.project(bag + self.block(bag)), dim=-1)  # (n, D)


class InDomainView:
    """The trained two-tower encoder.

    Args:
        model: turns features of the shop's tokenizer into vectors.
    """

    def __init__(self, model: TwoTower) -> None:
        self.model = model.eval()

    @classmethod
    def load(cls, artifact: Artifact) -> InDomainView:
        """Read the view that `save` wrote into an artifact."""
        weights = load_file(artifact.file(_WEIGHTS))
        table, project = weights["embedding.weight"], weights["project.weight"]
        model = TwoTower(n_features=1, width=table.shape[1], dim=len(project))
        # The table is nearly all of the weights: it is taken as read, not drawn at random first.
        model.embedding = nn.EmbeddingBag.from_pretrained(
            table, freeze=False, mode="mean", sparse=True
        )
        model.load_state_dict(weights)
        return cls(model)

    def save(self, folder: Path) -> None:
        """Write the weights into an existing folder."""
        save_model(self.model, str(folder / _WEIGHTS))

    @property
    def dim(self) -> int:
        """See `View.dim`."""
        return int(self.model.project.out_features)

    def encode(self, texts: Sequence[str], bags: Bags) -> NDArray[np.float32]:
        """Unit vectors of queries or titles; see `View.encode`."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for rows in blocks(len(texts)):
            first, end = bags.offsets[rows.start], bags.offsets[rows.stop]
            block = Bags(bags.ids[first:end], bags.offsets[rows.start : rows.stop + 1] - first)
            with torch.inference_mode():
                vectors[rows] = self.model(*bag_tensors(block)).numpy()
        return vectors

    def encode_items(self, titles: Sequence[str], bags: Bags) -> NDArray[np.float32]:
        """Unit vectors of titles: the towers share all weights, so as of queries."""
        return self.encode(titles, bags)


def bag_tensors(bags: Bags) -> tuple[Tensor, Tensor]:
    """Features `[total]` and where each text starts, `[n]`, as an embedding bag takes them."""
    return torch.from_numpy(bags.ids), torch.from_numpy(bags.offsets[:-1])
