"""Blocks of rows: a long computation holds a bounded part of its numbers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROWS: Final = 4096
_NUMBERS: Final = 1 << 24
"""64 MiB of float32."""


def blocks(n: int, width: int = 1) -> Iterator[slice]:
    """Cut `n` rows into blocks, in order.

    Args:
        n: rows.
        width: numbers that are computed for each of them; of many, a block has fewer rows.

    >>> list(blocks(5000))
    [slice(0, 4096, None), slice(4096, 5000, None)]
    >>> [rows.stop - rows.start for rows in blocks(100, width=1 << 18)]
    [64, 36]
    """
    height = _height(width)
    return (slice(start, min(start + height, n)) for start in range(0, n, height))


def list_blocks(offsets: NDArray[np.int64], width: int = 1) -> Iterator[slice]:
    """Cut lists that lie one behind the other into blocks, no list in two of them.

    Args:
        offsets: where each list starts, and where the last ends, `[n + 1]`.
        width: numbers that are computed for each entry; a longer list is a block of its own.

    >>> list(list_blocks(np.array([0, 3000, 4000, 9000])))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    first, height = 0, _height(width)
    while first < len(offsets) - 1:
        fit = int(np.searchsorted(offsets, offsets[first] + height, side="right")) - 1
        yield slice(first, first := max(fit, first + 1))


def _height(width: int) -> int:
    return max(min(_ROWS, _NUMBERS // max(width, 1)), 1)
