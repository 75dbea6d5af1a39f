"""The lexical channel: BM25 over titles.

Shapes: `N` items, `V` distinct words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import bm25s
import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking, Request, check_requests
from genrecall.channels.config import LexicalConfig
from genrecall.channels.recall import RecallChannel
from genrecall.channels.topk import top_k
from genrecall.index.live import LiveItems
from genrecall.queries.reader import AS_TYPED, QueryReader
from genrecall.text.normalize import read_words


class LexicalChannel(RecallChannel):
    """Items that share words with the query, by BM25 as Lucene computes it.

    A query without a word of the catalog has an empty answer.

    Args:
        items: what can be answered with; their titles are searched.
        config: parameters of BM25.
        reader: what it takes a query to say.
    """

    name: Final = "bm25"

    def __init__(
        self,
        items: LiveItems,
        config: LexicalConfig,
        *,
        reader: QueryReader = AS_TYPED,
    ) -> None:
        self.items, self.reader = items, reader
        self._stemmer = config.stemmer
        self._number: dict[str, int] = {}  # of each word, in order of appearance
        documents = [
            [self._number.setdefault(word, len(self._number)) for word in self._words(title)]
            for title in items.catalog.titles
        ]
        self._scores = bm25s.BM25(k1=config.k1, b=config.b, method="lucene", backend="numpy")
        if self._number:
            self._scores.index((documents, self._number), show_progress=False)

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""
        check_requests(requests, k)
        return [self._rank(request, k) for request in requests]

    def _rank(self, request: Request, k: int) -> Ranking:
        mask = self.items.mask(request.filters)
        words = self._words(self.reader.read(request.query).text)
        numbers = [self._number[word] for word in words if word in self._number]
        if not numbers:
            return Ranking.of_nothing()
        scores: NDArray[np.float32] = self._scores.get_scores_from_ids(np.array(numbers))  # (N,)
        matches = scores > 0 if mask is None else (scores > 0) & mask
        rows = np.flatnonzero(matches)
        return top_k(rows, scores[rows], k)

    def _words(self, text: str) -> list[str]:
        return read_words(text, self._stemmer)
