"""The requests of an evaluation: each distinct one is answered once, and its answer spread.

Shapes: `M` searches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.channels.base import Channel, Ranking, Request
from genrecall.data import stage as data_stage
from genrecall.data.histories import check_histories, histories_of
from genrecall.data.shoppers import HISTORY, Shopper, Shoppers
from genrecall.data.tables import Catalog, Searches, SplitName
from genrecall.foundation.artifact import Artifact

Answer = TypeVar("Answer")


class DistinctRequests:
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

    def ask(self, channel: Channel, k: int) -> list[Ranking]:
        """The channel's answer to each search, at most `k` items."""
        return self.spread(channel.rank(self.distinct, k))


class SearchLog(NamedTuple):
    """What a shop has recorded.

    Attributes:
        searches: of all splits.
        users: columns of `USERS`; None where nothing is known of the shoppers.
    """

    searches: Searches
    users: pl.DataFrame | None = None

    @classmethod
    def load(cls, data: Artifact) -> SearchLog:
        """What a run has read: the output of its stage `data`."""
        _, searches = data_stage.load(data)
        shoppers = data_stage.load_shoppers(data)
        return cls(searches, None if shoppers is None else shoppers.users)


class Questions(NamedTuple):
    """The measured searches as requests.

    Attributes:
        anonymous: without the shopper.
        personalised: with what was known of the shopper at each search; the same as `anonymous`
            where no model reads shoppers.
    """

    anonymous: DistinctRequests
    personalised: DistinctRequests

    @property
    def tell_shoppers(self) -> bool:
        """Whether some model is told who searches."""
        return self.personalised is not self.anonymous


def make_questions(
    log: SearchLog, split: SplitName, rows: NDArray[np.int64], *, catalog: Catalog, tell: bool
) -> Questions:
    """The requests of some searches of a split.

    Args:
        log: what was recorded.
        split: which part of it is asked.
        rows: which searches of the split, int64 `[M]`.
        catalog: the items.
        tell: whether a model reads shoppers.

    Raises:
        DataError: a history holds what its search could not know.
    """
    every = log.searches.of(split).queries
    queries = [every[row] for row in rows.tolist()]
    anonymous = DistinctRequests([Request(query) for query in queries])
    if not tell:
        return Questions(anonymous, anonymous)
    shoppers = shoppers_of(log, split, catalog=catalog, length=HISTORY)
    made_by = [shoppers[row] for row in rows.tolist()]
    # Nobody is told of a shopper of whom nothing is known.
    told = [
        Request(query, shopper if shopper != Shopper() else None)
        for query, shopper in zip(queries, made_by, strict=True)
    ]
    return Questions(anonymous, DistinctRequests(told))


def shoppers_of(
    log: SearchLog, split: SplitName, *, catalog: Catalog, length: int
) -> list[Shopper]:
    """Who made each search of a split, as known when it was made; aligned with `searches.of`.

    Args:
        log: what was recorded.
        split: whose shoppers.
        catalog: the items.
        length: most items of a history, the latest.

    Raises:
        DataError: a history holds what its search could not know.
    """
    measured = log.searches.of(split).frame
    histories = histories_of(log.searches, split, limit=length)
    check_histories(histories, measured["time"])
    known = Shoppers(log.users, None)
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
