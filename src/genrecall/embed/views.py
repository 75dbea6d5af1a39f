"""Several views of a shop's texts as one encoder.

A view is an encoder that has learned its words apart from the others. Their unit vectors stand side
by side, each times the root of its weight, so that the product of two joined vectors is the
weighted mean of the views' cosines.

Shapes: `n` texts, `D` size of the joined vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.encoder import Encoder
from genrecall.embed.static import StaticVectors
from genrecall.foundation.arguments import texts as list_of_texts
from genrecall.foundation.ragged import Bags
from genrecall.text.subwords import SubwordTokenizer

STATIC_WEIGHT: Final = 6 / 7
"""Of the static view beside the shop's own, which has 1. See docs/decisions/views.md."""

_SHARE: Final = STATIC_WEIGHT / (1 + STATIC_WEIGHT)

Vectors = NDArray[np.float32]


class Views:
    """The shop's own encoder and a static view, behind the `Encoder` protocol.

    The shop's tokenizer tells which texts hold a known subword; the others have zeros.

    Args:
        own: the encoder that was made for the shop.
        static: word vectors that nobody trained on it.
    """

    def __init__(self, own: Encoder, static: StaticVectors) -> None:
        self._own, self._static = own, static

    @property
    def dim(self) -> int:
        """Size `D` of the joined vectors."""
        return self._own.dim + self._static.dim

    @property
    def weight(self) -> float:
        """See `Encoder.weight`: what those of its views have together."""
        return self._own.weight + STATIC_WEIGHT

    @property
    def tokenizer(self) -> SubwordTokenizer:
        """Cuts text into the shop's own subwords."""
        return self._own.tokenizer

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of queries; see `Encoder.encode`."""
        return self._joined(texts, self._own.encode)

    def encode_cut(self, texts: Sequence[str], bags: Bags) -> Vectors:
        """Unit vectors of queries whose features are known; see `Encoder.encode_cut`."""
        return self._joined(texts, lambda given: self._own.encode_cut(given, bags))

    def encode_items(self, titles: Sequence[str]) -> Vectors:
        """Unit vectors of titles; see `Encoder.encode_items`."""
        return self._joined(titles, self._own.encode_items)

    def _joined(self, texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors]) -> Vectors:
        texts = list_of_texts("texts", texts, such_as="['running shoes']")
        own = encode(texts)
        joined = np.empty((len(texts), self.dim), dtype=np.float32)
        np.multiply(own, np.float32((1 - _SHARE) ** 0.5), out=joined[:, : self._own.dim])
        static = self._static.encode(texts)
        static[~own.any(axis=1)] = 0.0
        np.multiply(static, np.float32(_SHARE**0.5), out=joined[:, self._own.dim :])
        return joined
