"""Encoders of texts that are trained with torch and answer without it.

The mean of the vectors of a text's features, normalized; to it is added what two layers make of it,
and a projection of that is the text's unit vector. Few texts are encoded in one call of the library
in C, of many each layer takes all together. Shapes: `n` texts, `W` width, `D` vector size.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.layers import Rows, Weights, layer_norm, linear, two_layers
from genrecall.foundation.ragged import Bags
from genrecall.foundation.unit import scale_to_unit
from genrecall.native.arrays import at, is_plain, size
from genrecall.native.bags import bag_means
from genrecall.native.library import library

TABLE: Final = "embedding.weight"
"""Name of the features' vectors, nearly all of the weights."""

_FEW: Final = 8  # texts; of more a product of matrices is faster
_POINTERS: Final = ("norm", "inner", "first", "second")


class _Encoder(ctypes.Structure):
    """As in `texts.c`."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("width", "dim")),
        *((f"{name}{of}", ctypes.c_void_p) for name in _POINTERS for of in ("", "_bias")),
        ("project", ctypes.c_void_p),
    ]


class Layers(NamedTuple):
    """What the layers of an encoder are called.

    Attributes:
        inner: norm of what the two layers read; None for none.
        first: of the two layers.
        second: likewise.
    """

    inner: str | None
    first: str
    second: str


class TextEncoder:
    """Features of texts to hidden states and unit vectors.

    Args:
        weights: trained ones, or such as are trained now: they are read where they are. Besides
            the `layers` they have `norm`, `project` and `TABLE`.
        layers: names of the others.
    """

    def __init__(self, weights: Weights, layers: Layers) -> None:
        self._weights, self._layers = weights, layers
        self._native = self._pointers()

    @property
    def dim(self) -> int:
        """`D`."""
        return len(self._weights["project.weight"])

    def __call__(self, bags: Bags) -> tuple[Rows, Rows]:
        """Hidden states `[n, W]` and unit vectors `[n, D]` of texts, by their features."""
        means, found = bag_means(self._weights[TABLE], *bags), library()
        if len(means) > _FEW or found is None or self._native is None:
            return self._together(means)
        room = np.empty((3, means.shape[1]), dtype=np.float32)
        hidden = np.empty_like(means)
        vectors = np.empty((len(means), self.dim), dtype=np.float32)
        native = ctypes.byref(self._native)
        found.encode_texts(native, at(means), size(len(means)), at(room), at(hidden), at(vectors))
        return hidden, vectors

    def _together(self, means: Rows) -> tuple[Rows, Rows]:
        of, (inner, first, second) = self._weights, self._layers
        bag = layer_norm(means, of, "norm")
        hidden = bag + two_layers(layer_norm(bag, of, inner) if inner else bag, of, first, second)
        vectors = linear(hidden, of, "project")
        scale_to_unit(vectors)
        return hidden, vectors

    def _pointers(self) -> _Encoder | None:
        """The weights for the library; None where it would read them otherwise than they are."""
        names = dict(zip(_POINTERS, ("norm", *self._layers), strict=True))
        arrays = {"project": self._weights["project.weight"]}
        for place, name in names.items():
            if name is not None:
                arrays[place] = self._weights[f"{name}.weight"]
                arrays[f"{place}_bias"] = self._weights[f"{name}.bias"]
        if not all(_is_read(array) for array in arrays.values()):
            return None
        width, dim = arrays["norm"].shape[0], self.dim
        square = arrays["first"].shape == arrays["second"].shape == (width, width)
        where = {name: array.ctypes.data for name, array in arrays.items()}
        return _Encoder(width=width, dim=dim, **where) if square else None


def _is_read(array: NDArray[Any]) -> bool:
    return is_plain(array) and array.dtype == np.float32
