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
from numpy.typing import NDArray
from safetensors.numpy import save_file

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.blocks import blocks
from genrecall.foundation.halves import map_weights, with_halves
from genrecall.foundation.layers import Weights
from genrecall.foundation.ragged import Bags
from genrecall.foundation.text_encoder import TABLE, Layers, TextEncoder

_WEIGHTS: Final = "two_tower.safetensors"


class InDomainView:
    """The trained two-tower encoder.

    Args:
        weights: of `embed/training/two_tower.py: TwoTower`, by the names that it gives them.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self._encode = TextEncoder(weights, Layers(None, "block.0", "block.2"))

    @classmethod
    def load(cls, artifact: Artifact) -> InDomainView:
        """Read the view that `save` wrote into an artifact."""
        return cls(map_weights(artifact.file(_WEIGHTS)))

    @classmethod
    def of_trained(cls, weights: Weights) -> InDomainView:
        """With weights as they serve: the table in halves."""
        return cls(with_halves(weights, (TABLE,)))

    def save(self, folder: Path) -> None:
        """Write the weights into an existing folder."""
        save_file(dict(self.weights), folder / _WEIGHTS)

    @property
    def dim(self) -> int:
        """See `View.dim`."""
        return self._encode.dim

    def encode(self, texts: Sequence[str], bags: Bags) -> NDArray[np.float32]:
        """Unit vectors of queries or titles; see `View.encode`."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for rows in blocks(len(texts)):
            first, end = bags.offsets[rows.start], bags.offsets[rows.stop]
            block = Bags(bags.ids[first:end], bags.offsets[rows.start : rows.stop + 1] - first)
            _, vectors[rows] = self._encode(block)
        return vectors

    def encode_items(self, titles: Sequence[str], bags: Bags) -> NDArray[np.float32]:
        """Unit vectors of titles: the towers share all weights, so as of queries."""
        return self.encode(titles, bags)
