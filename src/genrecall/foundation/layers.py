"""Layers of small networks in NumPy: what torch has trained answers without it.

Weights have the names that torch gives them. Shapes: `n` rows, `W` width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.native.arrays import at, plain, size
from genrecall.native.library import library

Rows = NDArray[np.float32]
Weights = Mapping[str, Any]
"""Arrays of floats by name, such as `norm.weight`."""

_TINY: Final = np.float32(1e-5)  # of torch's layer norm


def linear(x: Rows, of: Weights, name: str) -> Rows:
    """`x Wᵀ + b`, `[n, W]` to `[n, W']`; without a bias where it has none."""
    y: Rows = x @ of[f"{name}.weight"].T
    bias = of.get(f"{name}.bias")
    return y if bias is None else y + bias


def layer_norm(x: Rows, of: Weights, name: str) -> Rows:
    """Rows less their mean, over their deviation; then weight and bias."""
    left = x - x.mean(axis=1, keepdims=True)
    variance = np.square(left).mean(axis=1, keepdims=True)
    y: Rows = left / np.sqrt(variance + _TINY) * of[f"{name}.weight"] + of[f"{name}.bias"]
    return y


def gelu(x: Rows) -> Rows:
    """`x Φ(x)`, Φ being the normal distribution."""
    if (found := library()) is not None:
        x, y = plain(x, np.float32), np.empty(x.shape, dtype=np.float32)
        found.gelu(at(x), size(x.size), at(y))
        return y
    from scipy.special import erf  # recall does not wait for it where there is the library

    z: Rows = np.float32(0.5) * x * (1 + erf(x * np.float32(0.5**0.5)))
    return z


def two_layers(x: Rows, of: Weights, first: str, second: str) -> Rows:
    """A linear layer, GELU, and another linear layer."""
    return linear(gelu(linear(x, of, first)), of, second)
