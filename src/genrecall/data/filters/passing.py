"""Which items pass what the search beside them was filtered by.

Shapes: `N` items, `n` rows of searches and items.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

MaskOf = Callable[[Mapping[str, Any] | None], Mask | None]
"""Items that pass some filters, bool `[N]`; None for all."""


def passing(filters: pl.Series, items: pl.Series, mask_of: MaskOf) -> Mask:
    """Whether each item passes: bool `[n]`. Equal filters are looked at once.

    Args:
        filters: as in `SEARCHES`, `[n]`.
        items: catalog rows, `[n]`.
        mask_of: which items pass.
    """
    rows, kept = items.to_numpy(), np.ones(len(items), dtype=np.bool_)
    places = pl.DataFrame({"filters": filters}).with_row_index("place")
    for (written,), part in places.partition_by("filters", as_dict=True).items():
        mask = mask_of(None if written is None else json.loads(str(written)))
        if mask is not None:
            place = part["place"].to_numpy()
            kept[place] = mask[rows[place]]
    return kept
