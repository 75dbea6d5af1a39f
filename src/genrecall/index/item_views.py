"""Vectors of all items in parts, each kept as it lies on disk.

A part is a matrix of halves or floats; as one they are the parts side by side, each times the root
of its share. A process that serves keeps no copy of them. Shapes: `N` items, `D` size of all parts
together, `n` of the items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import Bags
from genrecall.native.arrays import Numbers
from genrecall.native.bags import bag_means
from genrecall.native.products import row_products

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ItemViews:
    """See above.

    Attributes:
        parts: `[N, D_i]` each.
        scales: what each part is taken by.
    """

    parts: tuple[Numbers, ...]
    scales: tuple[float, ...]

    @classmethod
    def alone(cls, vectors: Numbers) -> ItemViews:
        """Of one part."""
        return cls((vectors,), (1.0,))

    def beside(self, part: Numbers) -> ItemViews:
        """The same with one more part, `[N, D']`."""
        return ItemViews((*self.parts, part), (*self.scales, 1.0))

    @property
    def shape(self) -> tuple[int, int]:
        """`N` and `D`."""
        return len(self.parts[0]), sum(part.shape[1] for part in self.parts)

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, rows: NDArray[np.integer[Any]] | slice) -> Vectors:
        """Some of the vectors, float32 `[n, D]`."""
        return self._joined([part[rows].astype(np.float32) for part in self.parts])

    def products(self, rows: NDArray[np.integer[Any]], vector: Vectors) -> Vectors:
        """Of some of the vectors with one, float32 `[n]`."""
        total, first = np.zeros(len(rows), dtype=np.float32), 0
        for part, scale in zip(self.parts, self.scales, strict=True):
            size = part.shape[1]
            total += row_products(part, rows, vector[first : first + size] * np.float32(scale))
            first += size
        return total

    def means(self, bags: Bags) -> Vectors:
        """Mean vector of each list of items, float32 `[n, D]`."""
        return self._joined([bag_means(part, *bags) for part in self.parts])

    def _joined(self, parts: list[Vectors]) -> Vectors:
        for part, scale in zip(parts, self.scales, strict=True):
            part *= np.float32(scale)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
