"""Arrays as the library takes them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32] | NDArray[np.float16]
"""What tables and vectors are kept in."""


def at(array: NDArray[Any]) -> ctypes.c_void_p:
    """Where an array lies; somebody has to keep it there."""
    return ctypes.c_void_p(array.ctypes.data)


def size(n: int) -> ctypes.c_int64:
    """A number of numbers."""
    return ctypes.c_int64(n)


def check_rows(rows: NDArray[Any], n: int) -> None:
    """Refuse rows that are not there: C would read what lies beside the table.

    Raises:
        IndexError: a row below 0 or beyond the last.
    """
    if len(rows) and (rows.min() < 0 or rows.max() >= n):
        raise IndexError(f"rows {rows.min()} to {rows.max()} of a table of {n}")


def is_plain(array: NDArray[Any]) -> bool:
    """Whether a matrix is of floats that the library reads, one row after another."""
    return bool(array.flags.c_contiguous) and array.dtype in (np.float32, np.float16)


def plain(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """An array one number after another, copied only if it is not so."""
    return np.ascontiguousarray(array, dtype=dtype)
