"""The library, if there is one."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from typing import Final

_LIBRARY: Final = "genrecall.native._library"


@cache
def library() -> ctypes.CDLL | None:
    """The built library; None where the package was installed without a compiler."""
    spec = find_spec(_LIBRARY)
    if spec is None or spec.origin is None:
        return None
    found = ctypes.CDLL(spec.origin)
    found.scratch_bytes.restype = found.search.restype = ctypes.c_int64
    found.gelu.restype = None
    found.bag_means.restype = found.row_products.restype = found.shared_words.restype = None
    return found
