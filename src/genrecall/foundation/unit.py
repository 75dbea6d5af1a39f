"""Vectors of length one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def scale_to_unit(vectors: NDArray[np.float32]) -> None:
    """Bring vectors `[n, D]` to length one, in place; those of zeros stay.

    >>> vectors = np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    >>> scale_to_unit(vectors)
    >>> vectors.round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(lengths, np.finfo(np.float32).tiny)
