"""Training searches that no model is trained on: what views of texts are weighed by.

They are set apart as validation is: the latest searches where the log has times, so that queries
come back; else all searches of some queries, so that these are unseen. Category-path queries are
few, so of them some shoppers' searches are.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from genrecall.data.splits import draw_of_query
from genrecall.data.tables import Searches

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


def hold_out(searches: Searches, *, category_paths: bool) -> HeldOut:
    """Set a few training searches apart: 5 %, and 2,000 or so at most.

    Args:
        searches: of the training split.
        category_paths: whether their queries are category-path queries.
    """
    frame = searches.frame
    share = min(_SHARE, _MOST / max(len(searches), 1))
    if len(searches) and frame["time"].null_count() == 0:
        times = frame["time"].to_numpy()
        held = times > np.sort(times)[int(len(times) * (1 - share))]
    else:
        units = frame["user_id" if category_paths else "query"].fill_null("")
        drawn = {unit: draw_of_query(unit, "held out") < share for unit in units.unique()}
        held = np.array([drawn[unit] for unit in units.to_list()], dtype=np.bool_)
    return HeldOut(Searches(frame.filter(~held)), Searches(frame.filter(pl.Series(held))))
