"""What shoppers chose together: items that others chose beside what this shopper has chosen.

Item–item collaborative filtering by cosine (Sarwar et al., WWW 2001): where `c_ij` shoppers chose
both of two items, and `c_i` and `c_j` each of them, one gets `c_ij / sqrt(c_i c_j)` from the other
in a history. Where the query is the name of a category, only its items are answered.

Shapes: `N` items, `U` shoppers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from genrecall.channels.base import Ranking, Request, check_requests
from genrecall.channels.recall import RecallChannel
from genrecall.channels.topk import top_k
from genrecall.data.shoppers import Shopper, long_choices
from genrecall.data.tables import Searches
from genrecall.foundation.ragged import bags_by_group, take_bags
from genrecall.index.live import LiveItems
from genrecall.queries.reader import AS_TYPED, QueryReader
from genrecall.text.normalize import query_key

_MOST_CHOICES: Final = 100
"""Of a shopper, the latest: pairs grow with their square."""
_AGAIN: Final = 0.01
_NOTHING: Final = 1e-6  # what rounding leaves of an item's cosine with itself


class CoChoiceChannel(RecallChannel):
    """Items that were chosen by those who chose what the shopper has chosen.

    Without a history, or one that nobody shares, the answer is empty.

    Args:
        searches: of the training split.
        items: what can be answered with.
        reader: what it takes a query to say.
        leaves_out_chosen: whether what a shopper has chosen is not answered again.
    """

    name: Final = "co_choice"

    def __init__(
        self,
        searches: Searches,
        items: LiveItems,
        *,
        reader: QueryReader = AS_TYPED,
        leaves_out_chosen: bool = False,
    ) -> None:
        self.items, self.reader = items, reader
        self._leaves_out_chosen = leaves_out_chosen
        self._by_shopper = by_shopper(searches, len(items))
        self._by_item = self._by_shopper.tocsc()
        self._category = _categories(items)

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""
        check_requests(requests, k)
        return [self._rank(request, k) for request in requests]

    def _rank(self, request: Request, k: int) -> Ranking:
        row_of = self.items.catalog.row_of
        history = (request.shopper or Shopper()).history
        chosen = np.array(sorted({row_of[item] for item in history if item in row_of}), dtype=int)
        if not len(chosen):
            return Ranking.of_nothing()
        scores = self._cosines(chosen)
        if self._leaves_out_chosen:
            scores[chosen] = 0.0
        if (mask := self.items.mask(request.filters)) is not None:
            scores = np.where(mask, scores, np.float32(0))
        named = self._category.get(query_key(self.reader.read(request.query).text))
        if named is not None:
            inside = np.zeros_like(scores)
            inside[named] = scores[named]
            scores = inside
        rows = np.flatnonzero(scores)
        return top_k(rows, scores[rows], k)

    def _cosines(self, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """Summed cosines of all items with some, but for those of an item with itself, `[N]`.

        By those who chose them, since a matrix of all pairs is too large for a large shop.
        """
        columns = self._by_item[:, chosen]
        shoppers = np.asarray(columns.sum(axis=1)).ravel()  # (U,)
        who = np.flatnonzero(shoppers)
        scores = np.asarray(shoppers[who] @ self._by_shopper[who]).ravel().astype(np.float32)
        scores[chosen] -= np.asarray(columns.multiply(columns).sum(axis=0)).ravel()
        return np.where(np.abs(scores) < _NOTHING, np.float32(0), scores)


def chosen_again(searches: Searches) -> bool:
    """Whether shoppers choose again what they have chosen before, as for one choice in a hundred.

    Args:
        searches: of the training split.
    """
    choices = long_choices(searches)
    distinct = choices.select("user_id", "row").n_unique()
    return distinct < (1 - _AGAIN) * choices.height


def by_shopper(searches: Searches, n: int) -> sparse.csr_array:
    """Who chose what, `[U, N]`; each item's column has length one.

    Args:
        searches: of the training split.
        n: items `N`.
    """
    latest = (
        long_choices(searches)
        .group_by("user_id", "row")
        .agg(pl.col("time").max())
        .sort("user_id", "time", "row")
        .group_by("user_id", maintain_order=True)
        .tail(_MOST_CHOICES)
    )
    user = latest["user_id"].rle_id().to_numpy().astype(np.int64)
    row = latest["row"].to_numpy().astype(np.int64)
    ones = np.ones(len(row), dtype=np.float32)
    chosen = sparse.csr_array((ones, (user, row)), shape=(int(user.max(initial=-1)) + 1, n))
    scale = 1 / np.sqrt(np.maximum(np.asarray(chosen.sum(axis=0)).ravel(), 1.0))
    return chosen.multiply(scale[None, :].astype(np.float32)).tocsr()


def _categories(items: LiveItems) -> dict[str, NDArray[np.int64]]:
    """The items of each category, by the key of its name and of the path to it."""
    number: dict[tuple[str, ...], int] = {}
    paths = items.catalog.categories
    of_item = [number.setdefault(path or (), len(number)) for path in paths]
    inside = bags_by_group(np.array(of_item, np.int64), len(number))
    named: dict[str, set[int]] = {}
    for path, place in number.items():
        for depth in range(1, len(path) + 1):
            for name in (path[depth - 1], " ".join(path[:depth])):
                named.setdefault(query_key(name), set()).add(place)
    return {
        name: np.sort(take_bags(inside, np.array(sorted(places), np.int64)).ids)
        for name, places in named.items()
    }
