"""Vectors in eight bits a number, with one scale each.

Shapes: `n` vectors, `D` numbers of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.blocks import blocks

_MOST = 127


@dataclass(frozen=True, eq=False)
class EightBits:
    """Vectors, rounded.

    Attributes:
        steps: whole numbers of steps, int8 `[n, D]`.
        scale: size of a step of each vector, float32 `[n]`.
    """

    steps: NDArray[np.int8]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> EightBits:
        """Round vectors; the largest number of each is kept.

        >>> EightBits.of(np.array([[1.0, -0.5], [0.0, 0.0]], dtype=np.float32)).steps.tolist()
        [[127, -64], [0, 0]]
        """
        steps = np.empty(vectors.shape, dtype=np.int8)
        scale = np.empty(len(vectors), dtype=np.float32)
        for rows in blocks(*vectors.shape):
            some = vectors[rows]
            scale[rows] = of = np.abs(some).max(axis=1, initial=0.0) / np.float32(_MOST)
            steps[rows] = np.rint(some / np.where(of > 0, of, 1)[:, None])
        return cls(steps, scale)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """What they stand for, float32 `[n, D]`."""
        return self.steps * self.scale[:, None]

    def of_rows(self, at: NDArray[np.int64]) -> NDArray[np.float32]:
        """What some of them stand for.

        >>> EightBits.of(np.array([[1.0], [0.5]], dtype=np.float32)).of_rows(np.array([1])).tolist()
        [[0.5]]
        """
        return self.steps[at] * self.scale[at, None]
