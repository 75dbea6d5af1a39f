"""Views that nobody trained on the shop: what they read is turned towards what the shop needs.

A linear map for queries and one for titles: both turn the vectors so that the shop's titles need
few numbers, and draw queries to what was relevant to them (`training/maps.py`).

Shapes: `n` texts, `R` size of what is read, `D` size of the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.blocks import blocks
from genrecall.foundation.ragged import Bags
from genrecall.foundation.unit import scale_to_unit

MAPS: Final = "maps.safetensors"

Vectors = NDArray[np.float32]


class Reader(Protocol):
    """Texts to unit vectors, whatever the shop; zeros where nothing is read in a text."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Of queries, float32 `[n, R]`."""

    def encode_items(self, titles: Sequence[str]) -> Vectors:
        """Of titles, float32 `[n, R]`."""


class Maps(NamedTuple):
    """What a shop makes of vectors that are read.

    Attributes:
        query: for queries, float32 `[R, D]`.
        item: for titles, `[R, D]`.
    """

    query: Vectors
    item: Vectors

    @classmethod
    def load(cls, artifact: Artifact) -> Maps:
        """Read what `save` wrote into an artifact."""
        return cls(**load_file(artifact.file(MAPS)))

    def save(self, folder: Path) -> None:
        """Write into an existing folder."""
        save_file(self._asdict(), folder / MAPS)


class FrozenView:
    """A reader and the maps of a shop.

    Args:
        reader: reads texts.
        maps: what becomes of that.
    """

    def __init__(self, reader: Reader, maps: Maps) -> None:
        self._reader, self._maps = reader, maps

    @property
    def dim(self) -> int:
        """See `View.dim`."""
        return int(self._maps.item.shape[1])

    def encode(self, texts: Sequence[str], bags: Bags) -> Vectors:  # noqa: ARG002
        """See `View.encode`."""
        return mapped(self._reader.encode(texts), self._maps.query)

    def encode_items(self, titles: Sequence[str], bags: Bags) -> Vectors:  # noqa: ARG002
        """See `View.encode_items`."""
        return mapped(self._reader.encode_items(titles), self._maps.item)


def mapped(read: Vectors, by: Vectors) -> Vectors:
    """Vectors `[n, R]` through a map `[R, D]`, of length one again, or zero as before."""
    vectors = np.empty((len(read), by.shape[1]), dtype=np.float32)
    for rows in blocks(len(read), read.shape[1]):
        vectors[rows] = read[rows] @ by
        scale_to_unit(vectors[rows])
    return vectors
