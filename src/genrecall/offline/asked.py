"""The requests of an evaluation: each distinct one is answered once, and its answer spread.

Shapes: `M` searches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import polars as pl

from genrecall.channels.base import Request
from genrecall.data.histories import check_histories, histories_of
from genrecall.data.shoppers import Shopper, Shoppers
from genrecall.data.tables import Catalog, Searches, SplitName

Answer = TypeVar("Answer")


class Asked:
    """Distinct requests, and which of them each search makes.

    Args:
        requests: of each search, `[M]`.

    Attributes:
        distinct: the requests without repetitions.
        place: which of them each search makes, int64 `[M]`.
    """

    def __init__(self, requests: Sequence[Request]) -> None:
        number: dict[tuple[str, Shopper | None], int] = {}
        places = [number.setdefault((r.query, r.shopper), len(number)) for r in requests]
        self.place = np.array(places, dtype=np.int64)
        self.distinct = [Request(query, shopper) for query, shopper in number]

    def spread(self, answers: Sequence[Answer]) -> list[Answer]:
        """Answers of the distinct requests to those of the searches."""
        return [answers[place] for place in self.place.tolist()]


def shoppers_of(
    searches: Searches,
    split: SplitName,
    *,
    catalog: Catalog,
    users: pl.DataFrame | None,
    length: int,
) -> list[Shopper]:
    """Who made each search of a split, as known when it was made; aligned with `searches.of`.

    Args:
        searches: of all splits.
        split: whose shoppers.
        catalog: the items.
        users: columns of `USERS`; None where nothing is known of them.
        length: most items of a history, the latest.

    Raises:
        DataError: a history holds what its search could not know.
    """
    measured = searches.of(split).frame
    histories = histories_of(searches, split, limit=length)
    check_histories(histories, measured["time"])
    known = Shoppers(users, None)
    ids, rows = catalog.item_ids, histories.rows.tolist()
    cuts = histories.offsets.tolist()
    profiles = {
        user: known.at(user, limit=0).profile
        for user in measured["user_id"].drop_nulls().unique().to_list()
    }
    return [
        Shopper(profiles.get(user, ()), tuple(ids[row] for row in rows[first:end]))
        for user, first, end in zip(measured["user_id"], cuts, cuts[1:], strict=False)
    ]
