"""In which order the items behind the beams are answered, by a named rule.

- `score`: efficiency first, then the beam's log-probability (CQ-SID, arXiv 2605.14434, §5 cuts by
  efficiency score).
- `beam`: the beam's log-probability first, then efficiency.
- `dense`: query·item similarity plus `beam_weight` times the beam's log-probability.
- `learned`: by how much all that speaks for an item has been found to count
  (`channels/learned_order.py`); `dense` where nothing was fitted.

Items that tie in everything stand in catalog order. Shapes: `N` items of the catalog, `n` items
behind the beams of one query.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.foundation.errors import RequestError, unknown_name

ItemOrder = Literal["score", "beam", "dense", "learned"]
ITEM_ORDERS: Final[tuple[str, ...]] = get_args(ItemOrder)

_Floats = NDArray[np.floating[Any]]


class Ordered(NamedTuple):
    """Items, best first.

    Attributes:
        rows: catalog rows, int32 `[n]`.
        scores: by what they were ordered, float32 `[n]`, not increasing.
    """

    rows: Rows
    scores: NDArray[np.float32]


def order_items(
    order: ItemOrder,
    rows: Rows,
    *,
    logprob: _Floats,
    score: _Floats,
    similarity: _Floats | None = None,
    beam_weight: float = 1.0,
) -> Ordered:
    """Order the items behind the beams of one query.

    Args:
        order: the rule.
        rows: catalog rows, each once, int32 `[n]`.
        logprob: log-probability of each item's beam, `[n]`.
        score: efficiency of each item, `[n]`; NaN where unknown, which counts as 0.
        similarity: similarity of query and item, `[n]`, for `dense`; for `learned` what all that
            speaks for it comes to.
        beam_weight: how much a beam's log-probability weighs against the similarity.

    Raises:
        RequestError: an unknown rule, or `dense` or `learned` without `similarity`.

    >>> rows, logprob = np.array([7, 8, 9], dtype=np.int32), np.array([-1.0, -2.0, -2.0])
    >>> order_items("beam", rows, logprob=logprob, score=np.array([0.0, 1.0, 5.0])).rows
    array([7, 9, 8], dtype=int32)
    >>> order_items("score", rows, logprob=logprob, score=np.array([0.0, 1.0, 5.0])).rows
    array([9, 8, 7], dtype=int32)
    """
    if order == "score":
        first, second = np.nan_to_num(score, nan=0.0), logprob
    elif order == "beam":
        first, second = logprob, np.nan_to_num(score, nan=0.0)
    elif order in ("dense", "learned"):
        if similarity is None:
            raise RequestError(f"the item order {order!r} needs the similarity of query and items.")
        weight = beam_weight if order == "dense" else 0.0
        first, second = similarity + weight * logprob, logprob
    else:
        raise RequestError(unknown_name("item order", order, ITEM_ORDERS))
    first = first.astype(np.float32)  # what is answered decides, so that equal scores are ties
    best = np.argsort(-first, kind="stable")
    ordered = first[best]
    ties = (ordered[1:] == ordered[:-1]) | np.isnan(ordered[1:])
    tied = np.flatnonzero(np.append(ties, False) | np.append(False, ties))
    some = best[tied]  # as a rule few, which are put in order among themselves
    best[tied] = some[np.lexsort((rows[some], -second[some], -first[some]))]
    return Ordered(rows=rows[best], scores=first[best])


def fold_variants(items: Ordered, groups: NDArray[np.int64]) -> Ordered:
    """Keep the best item of each group.

    Args:
        items: in order.
        groups: group of each catalog row, `[N]`, from `group_numbers`.

    >>> items = Ordered(np.array([3, 1, 0], dtype=np.int32), np.array([3, 2, 1], dtype=np.float32))
    >>> fold_variants(items, groups=np.array([9, 7, 8, 7])).rows
    array([3, 0], dtype=int32)
    """
    _, first = np.unique(groups[items.rows], return_index=True)
    first.sort()
    return Ordered(rows=items.rows[first], scores=items.scores[first])


def group_numbers(group_id: pl.Series) -> NDArray[np.int64]:
    """Number the groups of items: equal `group_id`, equal number; an item without one is alone.

    >>> group_numbers(pl.Series(["a", None, "a", None])).tolist()
    [0, 1, 0, 3]
    """
    frame = pl.DataFrame({"group": group_id, "row": np.arange(len(group_id))})
    first_row = pl.col("row").min().over("group")
    own_row = pl.when(pl.col("group").is_null()).then("row").otherwise(first_row)
    return frame.select(own_row).to_series().to_numpy()
