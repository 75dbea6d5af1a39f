"""Blocks of rows: a long computation holds a bounded part of its numbers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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
    height = max(min(_ROWS, _NUMBERS // max(width, 1)), 1)
    return (slice(start, min(start + height, n)) for start in range(0, n, height))
