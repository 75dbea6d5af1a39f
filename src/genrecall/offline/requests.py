"""The requests of an evaluation: each distinct one is answered once, and its answer spread.

Shapes: `M` searches.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Channel, Ranking, Request
from genrecall.data.histories import shoppers_at
from genrecall.data.shop_data import ShopData
from genrecall.data.shoppers import HISTORY, Shopper
from genrecall.data.tables import Searches, SplitName

Answer = TypeVar("Answer")

RequestKey = tuple[str, Shopper | None, str]


def request_key(request: Request) -> RequestKey:
    """What tells one request of an evaluation from another; filters as a log tells them."""
    filters = json.dumps(request.filters, sort_keys=True) if request.filters else ""
    return request.query, request.shopper, filters


class DistinctRequests:
    """Distinct requests, and which of them each search makes.

    Args:
        requests: of each search, `[M]`.

    Attributes:
        distinct: the requests without repetitions.
        place: which of them each search makes, int64 `[M]`.
    """

    def __init__(self, requests: Sequence[Request]) -> None:
        first: dict[RequestKey, Request] = {}
        keys = [request_key(request) for request in requests]
        for key, request in zip(keys, requests, strict=True):
            first.setdefault(key, request)
        number = {key: place for place, key in enumerate(first)}
        self.place = np.array([number[key] for key in keys], dtype=np.int64)
        self.distinct = list(first.values())

    def spread(self, answers: Sequence[Answer]) -> list[Answer]:
        """Answers of the distinct requests to those of the searches."""
        return [answers[place] for place in self.place.tolist()]

    def ask(self, channel: Channel, k: int) -> list[Ranking]:
        """The channel's answer to each search, at most `k` items."""
        return self.spread(channel.rank(self.distinct, k))


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
    def reads_shoppers(self) -> bool:
        """Whether some model reads the shopper."""
        return self.personalised is not self.anonymous


def make_questions(
    shop: ShopData, split: SplitName, rows: NDArray[np.int64], *, shoppers: bool
) -> Questions:
    """The requests of some searches of a split.

    Args:
        shop: the searches, and who made them.
        split: which part of it.
        rows: which searches of the split, int64 `[M]`.
        shoppers: whether a model reads them.

    Raises:
        DataError: a history holds what its search could not know.
    """
    measured = Searches(shop.searches.of(split).frame[rows])
    anonymous = requests_of(shop, measured, split, shoppers=False)
    if not shoppers:
        return Questions(anonymous, anonymous)
    return Questions(anonymous, requests_of(shop, measured, split, shoppers=True))


def requests_of(
    shop: ShopData,
    searches: Searches,
    split: SplitName,
    *,
    shoppers: bool,
    filters: bool = True,
) -> DistinctRequests:
    """Searches of a split as requests.

    Args:
        shop: the searches, and who made them.
        searches: some of the split.
        split: of them.
        shoppers: whether a model reads who searched.
        filters: whether they are asked with what they were filtered by.

    Raises:
        DataError: a history holds what its search could not know.
    """
    nothing = [None] * len(searches)
    known = shoppers_at(shop, searches, split, length=HISTORY) if shoppers else nothing
    filtered_by = searches.filters if filters else nothing
    # A shopper of whom nothing is known is nobody: such a search is anonymous.
    return DistinctRequests(
        [
            Request(query, shopper if shopper != Shopper() else None, of_search)
            for query, shopper, of_search in zip(searches.queries, known, filtered_by, strict=True)
        ]
    )
