"""How stable SIDs are when a tokenizer is made anew. Pure numpy.

Shapes: `N` items after, `M` items before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import run_starts
from genrecall.foundation.sid import Codes


class Stability(NamedTuple):
    """What became of the SIDs of the items that were there before and after.

    Attributes:
        items: how many there are.
        moved: share of them whose SID is another; 0 without any.
        regrouped: share of them that left their group: that are not in the SID that took most items
            of their old one. Unlike `moved` it does not depend on how codes are numbered.
    """

    items: int
    moved: float
    regrouped: float


def rows_before(before: Sequence[str], after: Sequence[str]) -> NDArray[np.int64]:
    """Row in `before` of each item of `after`, by item id, -1 for a new item: int64 `[N]`.

    >>> rows_before(["a", "b"], ["b", "c", "a"]).tolist()
    [1, -1, 0]
    """
    row = {item_id: number for number, item_id in enumerate(before)}
    return np.array([row.get(item_id, -1) for item_id in after], dtype=np.int64)


def sid_stability(before: Codes, after: Codes, rows: NDArray[np.int64]) -> Stability:
    """Compare the SIDs of two catalogs.

    Args:
        before: int32 `[M, 3]`.
        after: int32 `[N, 3]`.
        rows: row in `before` of each item of `after`, int64 `[N]`, -1 for a new one.

    >>> before = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]])
    >>> after = np.array([[0, 2, 0], [0, 2, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]])
    >>> sid_stability(before, after, np.array([0, 1, 2, 3, -1]))
    Stability(items=4, moved=0.75, regrouped=0.25)
    """
    common = rows >= 0
    old, new = before[rows[common]], after[common]
    if not len(old):
        return Stability(0, 0.0, 0.0)
    _, group = np.unique(old, axis=0, return_inverse=True)
    pairs, counts = np.unique(np.column_stack([group, new]), axis=0, return_counts=True)
    starts = run_starts(pairs[:, 0])
    together = np.maximum.reduceat(counts, starts).sum()
    return Stability(
        items=len(old),
        moved=float((old != new).any(1).mean()),
        regrouped=float(1 - together / len(old)),
    )
