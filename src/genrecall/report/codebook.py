"""How the items spread over the codes of each level and over the SIDs.

Shapes: `N` items.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.sid import LEVELS, SidTable

_POINTS: Final = 200  # of a curve of codes
_BARS: Final = 60  # of the histogram


def describe_codebook(table: SidTable) -> dict[str, Any]:
    """Count the items of codes and SIDs.

    Returns:
        `levels`: for each level `codes` (of the space), `used`, and the items of its codes, the
        largest first, as `items` at `rank`, at most 200 of them; `items_per_sid`: `sids` that hold
        at least `items` and fewer than the next `items`.
    """
    levels = []
    for level in range(LEVELS):
        counts = np.bincount(table.codes[:, level], minlength=table.space.sizes[level])
        counts = np.sort(counts[counts > 0])[::-1]
        rank = np.unique(np.linspace(0, len(counts) - 1, _POINTS).round().astype(np.int64))
        levels.append(
            {
                "codes": table.space.sizes[level],
                "used": len(counts),
                "rank": (rank + 1).tolist(),
                "items": counts[rank].tolist(),
            }
        )
    return {"levels": levels, "items_per_sid": _histogram(table.sizes)}


def _histogram(sizes: NDArray[np.int64]) -> dict[str, list[int]]:
    width = -(-int(sizes.max()) // _BARS)
    count = np.bincount((sizes - 1) // width)
    return {"items": (np.arange(len(count)) * width + 1).tolist(), "sids": count.tolist()}
