"""Arrays as the library takes them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray


def at(array: NDArray[Any]) -> ctypes.c_void_p:
    """Where an array lies; somebody has to keep it there."""
    return ctypes.c_void_p(array.ctypes.data)


def size(n: int) -> ctypes.c_int64:
    """A number of numbers."""
    return ctypes.c_int64(n)


def plain(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """An array one number after another, copied only if it is not so."""
    return np.ascontiguousarray(array, dtype=dtype)
