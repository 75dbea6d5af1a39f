"""The control without SIDs: exact search with the generator's own vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from genrecall.channels.base import Ranking, Request
from genrecall.channels.dense import DenseChannel, Vectors
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.learned_order import AskedQuery, LearnedOrder
from genrecall.channels.topk import top_k
from genrecall.evaluate.names import TWO_VIEWS
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.offline.generated import GeneratedAnswers


class ExactSearch:
    """All items compared with what the generator makes of a query; a `Channel` for these requests.

    As many items as the beams of the generative channel should hold stand in the order that it
    gives its items, where one was learned; beams that hold more give it more to order. Where its
    look-ahead counts how often items were chosen, the search counts it as much.

    Args:
        generated: has read the requests.
    """

    name: Final = TWO_VIEWS

    def __init__(self, generated: GeneratedAnswers) -> None:
        self._generated, self._items = generated, generated.channel.items
        channels = generated.channel.channels
        self._drawn = np.array([_drawn(channel) for channel in channels], dtype=np.float32)
        vectors = self._items.views
        generator = channels[0].generator
        if self._drawn.any() and isinstance(generator, CompactGenerator):
            assert generator.prior is not None
            vectors = vectors.beside(generator.prior[:, None])
        self._width = vectors.shape[1]
        self._search = DenseChannel(
            self._items, encode=self._encode, vectors=vectors, name=self.name
        )

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""
        channels = self._generated.channel.channels
        if channels[0].learned is None:
            return self._search.rank(requests, k)
        found = self._search.rank(requests, channels[0].depth(k))
        for fold, places in self._generated.channel.folds(requests):
            learned = channels[fold].learned
            assert learned is not None
            for place in places.tolist():
                query = self._generated.asked(requests[place])
                found[place] = self._ordered(learned, query, found[place], k)
        return found

    def _encode(self, requests: Sequence[Request]) -> Vectors:
        """Queries, and what the prior counts beside them."""
        queries = self._generated.encode(requests)
        if queries.shape[1] == self._width:
            return queries
        drawn = np.empty((len(queries), 1), dtype=np.float32)
        for fold, places in self._generated.channel.folds(requests):
            drawn[places] = self._drawn[fold]
        # A query without a known word means nothing, however often something is chosen.
        return np.concatenate([queries, drawn * queries.any(axis=1, keepdims=True)], axis=1)

    def _ordered(
        self, learned: LearnedOrder, query: AskedQuery, ranking: Ranking, k: int
    ) -> Ranking:
        rows = ranking.rows
        no_beam = np.zeros(len(rows), dtype=np.float32)
        scores = learned.scores(query, self._items.views, rows, no_beam)
        ordered = top_k(rows, scores.astype(np.float32), k)
        return Ranking(ordered.rows, ordered.scores, known=ranking.known)


def _drawn(channel: GenerativeChannel) -> float:
    """What a unit of the prior counts in the look-ahead of a channel, in cosine similarity."""
    if not isinstance(channel.generator, CompactGenerator):
        return 0.0
    serving = channel.generator.serving
    return serving.weights.prior * serving.temperature
