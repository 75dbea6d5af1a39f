"""Queries and titles to unit vectors of one space: what every encoder does, and the in-domain one.

The in-domain encoder averages a text's subword and word-pair embeddings, which then pass one
residual block and a projection. It has two towers that share all weights: in product search,
queries are made of title words.

Shapes: `n` texts, `D` vector size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_model
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.foundation.arguments import texts as list_of_texts
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.blocks import blocks
from genrecall.foundation.files import write_json
from genrecall.foundation.ragged import Bags
from genrecall.foundation.steady import LayerNorm
from genrecall.text.subwords import SUBWORDS, SubwordTokenizer

_SETTINGS: Final = "encoder.json"
_WEIGHTS: Final = "encoder.safetensors"


class Encoder(Protocol):
    """Texts to unit vectors.

    A text without a subword that the shop's tokenizer knows gives zeros, whatever the encoder.

    Raises:
        RequestError: what is to be encoded is no list of texts, such as a single one.
    """

    @property
    def dim(self) -> int:
        """Vector size `D`."""

    @property
    def weight(self) -> float:
        """How much its vectors count beside those of another view, which has 1."""

    @property
    def tokenizer(self) -> SubwordTokenizer:
        """Cuts text into the shop's own subwords."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of queries, float32 `[n, D]`."""

    def encode_cut(self, texts: Sequence[str], bags: Bags) -> NDArray[np.float32]:
        """Unit vectors of queries that the tokenizer has cut before, float32 `[n, D]`.

        Args:
            texts: `[n]`.
            bags: their features.
        """

    def encode_items(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of titles, float32 `[n, D]`."""


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


class TextEncoder:
    """The trained encoder with its tokenizer.

    Args:
        tokenizer: cuts text into features.
        model: turns features into vectors.

    Attributes:
        weight: see `Encoder.weight`.
    """

    weight: Final = 1.0

    def __init__(self, tokenizer: SubwordTokenizer, model: TwoTower) -> None:
        self.tokenizer = tokenizer
        self.model = model.eval()

    @classmethod
    def load(cls, artifact: Artifact) -> TextEncoder:
        """Read the encoder that `save` wrote into an artifact."""
        settings = artifact.read_json(_SETTINGS)
        tokenizer = SubwordTokenizer.load(
            artifact.file(SUBWORDS),
            pair_buckets=settings["pair_buckets"],
            stemmer=settings["stemmer"],
        )
        weights = load_file(artifact.file(_WEIGHTS))
        model = TwoTower(n_features=1, width=settings["width"], dim=settings["dim"])
        # The table is nearly all of the weights: it is taken as read, not drawn at random first.
        model.embedding = nn.EmbeddingBag.from_pretrained(
            weights["embedding.weight"], freeze=False, mode="mean", sparse=True
        )
        model.load_state_dict(weights)
        return cls(tokenizer, model)

    def save(self, folder: Path) -> None:
        """Write subwords, sizes and weights into an existing folder."""
        self.tokenizer.save(folder / SUBWORDS)
        settings = {
            "pair_buckets": self.tokenizer.pair_buckets,
            "stemmer": self.tokenizer.stemmer,
            "width": self.model.embedding.embedding_dim,
            "dim": self.dim,
        }
        write_json(folder / _SETTINGS, settings)
        save_model(self.model, str(folder / _WEIGHTS))

    @property
    def dim(self) -> int:
        """Vector size `D`."""
        return int(self.model.project.out_features)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of queries or titles; see `Encoder.encode`."""
        texts = list_of_texts("texts", texts, such_as="['running shoes']")
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for rows in blocks(len(texts)):
            vectors[rows] = self.encode_bags(self.tokenizer.bags(texts[rows]))
        return vectors

    def encode_cut(
        self,
        texts: Sequence[str],  # noqa: ARG002
        bags: Bags,
    ) -> NDArray[np.float32]:
        """Unit vectors of queries whose features are known; see `Encoder.encode_cut`."""
        return self.encode_bags(bags)

    def encode_items(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of titles: the towers share all weights, so as of queries."""
        return self.encode(titles)

    def encode_bags(self, bags: Bags) -> NDArray[np.float32]:
        """Unit vectors of texts that were cut into features before."""
        counts = np.diff(bags.offsets)
        vectors = np.empty((len(counts), self.dim), dtype=np.float32)
        for rows in blocks(len(counts)):
            first, end = bags.offsets[rows.start], bags.offsets[rows.stop]
            block = Bags(bags.ids[first:end], bags.offsets[rows.start : rows.stop + 1] - first)
            with torch.inference_mode():
                vectors[rows] = self.model(*bag_tensors(block)).numpy()
        vectors[counts == 0] = 0.0
        return vectors


def bag_tensors(bags: Bags) -> tuple[Tensor, Tensor]:
    """Features `[total]` and where each text starts, `[n]`, as an embedding bag takes them."""
    return torch.from_numpy(bags.ids), torch.from_numpy(bags.offsets[:-1])
