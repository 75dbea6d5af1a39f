"""Products of some rows of a matrix with one vector.

Shapes: `N` rows of `D` numbers, `n` of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrecall.native.arrays import Numbers, at, check_rows, is_plain, plain, size
from genrecall.native.library import library


def row_products(
    matrix: Numbers, rows: NDArray[np.integer[Any]], vector: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`matrix[rows] @ vector`, float32 `[n]`; each sum is the same whoever stands beside its row.

    Args:
        matrix: `[N, D]`, halves as `foundation/halves.py` makes them.
        rows: `[n]`.
        vector: float32 `[D]`.
    """
    found = library()
    if found is None or not is_plain(matrix):
        some = matrix[rows].astype(np.float32, copy=False)
        products: NDArray[np.float32] = np.einsum("nd,d->n", some, vector)
        return products
    check_rows(rows, len(matrix))
    rows, vector = plain(rows, np.int32), plain(vector, np.float32)
    products = np.empty(len(rows), dtype=np.float32)
    of = found.row_products if matrix.dtype == np.float32 else found.row_products_of_halves
    of(at(matrix), size(matrix.shape[1]), at(rows), size(len(rows)), at(vector), at(products))
    return products
