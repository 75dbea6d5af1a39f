"""Training searches that no model is trained on: what views of texts are weighed by.

They are set apart as validation is: the latest searches where the log is split by time, so that
queries come back; all searches of some queries where it is split by query, so that these are
unseen; and of shoppers' sequences, whose category-path queries are few, those of some shoppers.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.splits import draw_of_query
from genrecall.data.tables import Searches
from genrecall.text.normalize import query_keys

_SHARE: Final = 0.05
_MOST: Final = 2000  # a handful of weights is known well enough from these


class HeldOut(NamedTuple):
    """The training searches, divided.

    Attributes:
        kept: to train on.
        held: to weigh by.
    """

    kept: Searches
    held: Searches


def hold_out(searches: Searches, by: Literal["query", "time", "shopper"]) -> HeldOut:
    """Set a few training searches apart: about 5 % of them, and 2,000 at most.

    Args:
        searches: of the training split.
        by: the latest ones, or all of some queries or shoppers.
    """
    frame = searches.frame
    most = min(_SHARE * len(frame), _MOST)
    if by == "time":
        times = frame["time"].to_numpy()
        held = times > np.sort(times)[len(times) - 1 - int(most)] if len(times) else times > 0
    elif by == "query":
        # Queries are equal where the models read the same words.
        keys = query_keys(frame["query"].fill_null("").to_list())
        held = _some(pl.Series(keys, dtype=pl.String), most)
    else:
        held = _some(frame["user_id"].fill_null(""), most)
    return HeldOut(Searches(frame.filter(~held)), Searches(frame.filter(pl.Series(held))))


def _some(units: pl.Series, most: float) -> NDArray[np.bool_]:
    """All rows of the units that a hash draws, bool `[M]`: about `most` rows.

    A unit that holds as many by itself is never drawn: it would leave too little to train on.
    """
    share = most / max(len(units), 1)
    held = [
        unit
        for unit, rows in units.value_counts(name="rows").rows()
        if rows <= most and draw_of_query(unit, "held out") < share
    ]
    return units.is_in(held).to_numpy()
