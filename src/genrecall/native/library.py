"""The library, if there is one."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from typing import Final

_LIBRARY: Final = "genrecall.native._library"
_VERSION: Final = 10
"""As in `walk.c`; one more where a function or structure of the library changes."""


@cache
def library() -> ctypes.CDLL | None:
    """The built library; None where there was no compiler, or it is of another version."""
    spec = find_spec(_LIBRARY)
    if spec is None or spec.origin is None:
        return None
    try:
        found = ctypes.CDLL(spec.origin)
        if found.library_version() != _VERSION:
            return None
        found.scratch_bytes.restype = found.search.restype = ctypes.c_int64
        found.gelu.restype = found.encode_texts.restype = None
        found.bag_means.restype = found.bag_means_of_halves.restype = None
        found.row_products.restype = found.row_products_of_halves.restype = None
        found.shared_words.restype = None
        found.read_prompts.restype = found.append_codes.restype = None
        found.matrix_products.restype = None
        found.scratch_floats.restype = ctypes.c_int64
    except (OSError, AttributeError):  # damaged, or of another version of the package
        return None
    return found
