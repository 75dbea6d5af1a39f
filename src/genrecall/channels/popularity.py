"""What was chosen most often after the same query: the plainest personalisation-free baseline.

On category-path queries it is popularity within the category.

Shapes: `Q` requests, `S` SIDs, `B` beams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking, Request, check_requests
from genrecall.channels.recall import RecallChannel
from genrecall.data.tables import Searches
from genrecall.index.live import LiveItems
from genrecall.queries.reader import AS_TYPED, QueryReader
from genrecall.text.normalize import query_key


class PopularityChannel(RecallChannel):
    """Items by the gain that they had in training searches of the same query.

    Queries are the same where the models read the same words (`query_key`). One that training never
    saw has an empty answer.

    Args:
        searches: of the training split.
        items: what can be answered with.
        reader: what it takes a query to say.
    """

    name: Final = "popularity"

    def __init__(
        self, searches: Searches, items: LiveItems, *, reader: QueryReader = AS_TYPED
    ) -> None:
        self.items, self.reader = items, reader
        spelled = {query: query_key(query) for query in set(searches.queries)}
        gains: dict[str, dict[int, float]] = {}
        for query, rows, of_rows in zip(
            searches.queries, searches.positives, searches.gains, strict=True
        ):
            of_query = gains.setdefault(spelled[query], {})
            for row, gain in zip(rows.tolist(), of_rows.tolist(), strict=True):
                of_query[row] = of_query.get(row, 0.0) + gain
        self._gains = {
            query: (
                np.array(list(of_query), dtype=np.int32),
                np.array(list(of_query.values()), dtype=np.float32),
            )
            for query, of_query in gains.items()
        }

    def __contains__(self, query: object) -> bool:
        return isinstance(query, str) and self._key(query) in self._gains

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""
        check_requests(requests, k)
        return [self._rank(request, k) for request in requests]

    def _rank(self, request: Request, k: int) -> Ranking:
        rows, gains = self._passing(request)
        order = np.lexsort((rows, -gains))[:k]
        return Ranking(rows[order], gains[order], known=request.query in self)

    def generate(self, requests: Sequence[Request], beam: int) -> NDArray[np.int64]:
        """SIDs by the summed gain of their live items: int64 `[Q, B]`, filled up with -1."""
        leaves = np.full((len(requests), beam), -1, dtype=np.int64)
        sid_of_item = self.items.table.sid_of_item
        for place, request in enumerate(requests):
            rows, gains = self._passing(request)
            sids, of_row = np.unique(sid_of_item[rows], return_inverse=True)
            order = np.argsort(-np.bincount(of_row, weights=gains), kind="stable")[:beam]
            leaves[place, : len(order)] = sids[order]
        return leaves

    def _key(self, query: str) -> str:
        """What tells the query apart; one that was searched as it is is not read otherwise."""
        typed = query_key(query)
        return typed if typed in self._gains else query_key(self.reader.read(query).text)

    def _passing(self, request: Request) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Live items that were chosen after the query and pass the filters, with their gains."""
        nothing = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        rows, gains = self._gains.get(self._key(request.query), nothing)
        mask = self.items.mask(request.filters)
        return (rows, gains) if mask is None else (rows[mask[rows]], gains[mask[rows]])
