"""Floats of 16 bits on disk: half the room, and more than what is trained knows.

Numbers too small for a normal half are 0, so that both forms of reading them are alike and fast.
Shapes: `N` rows of `D` numbers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.layers import Weights
from genrecall.native.arrays import Numbers

_SMALLEST: Final = np.finfo(np.float16).tiny
_KINDS: Final = {"F16": np.float16, "F32": np.float32}


def to_halves(numbers: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """Round to 16 bits.

    Raises:
        ConfigError: a number that is none, or beyond 65,504.

    >>> to_halves(np.array([1.0, 1e-6])).tolist()
    [1.0, 0.0]
    """
    with np.errstate(over="ignore"):
        halves = numbers.astype(np.float16)
    if not np.isfinite(halves).all():
        raise ConfigError(
            "a trained weight or vector is no finite number of 16 bits: training went astray. "
            "Lower the learning rates."
        )
    halves[np.abs(halves) < _SMALLEST] = 0
    return halves


def with_halves(weights: Weights, names: Collection[str]) -> Weights:
    """Weights with those of some names in halves."""
    return {name: to_halves(of) if name in names else of for name, of in weights.items()}


def append_rows(rows: Numbers, more: NDArray[np.float32]) -> Numbers:
    """More rows behind others, in what these are kept in."""
    if not len(more):
        return rows
    return np.concatenate([rows, to_halves(more) if rows.dtype == np.float16 else more])


def map_rows(file: Path) -> NDArray[Any]:
    """An array as it lies on disk: pages are read when they are needed, and shared."""
    # As a plain array over the same pages: every slice of a memmap is slow to make.
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def map_weights(file: Path) -> Weights:
    """The tensors of a file in the format of safetensors, as they lie on disk; see `map_rows`."""
    with file.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        header: Mapping[str, Any] = json.loads(stream.read(size))
    data = np.asarray(np.memmap(file, dtype=np.uint8, mode="r", offset=8 + size))
    weights = {}
    for name, told in header.items():
        if name != "__metadata__":
            first, end = told["data_offsets"]
            weights[name] = data[first:end].view(_KINDS[told["dtype"]]).reshape(told["shape"])
    return weights
