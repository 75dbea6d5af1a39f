"""The lexical channel: BM25 over titles, and over other texts of items by what each counts.

Shapes: `N` items, `V` distinct words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import bm25s
import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking, Request, check_requests
from genrecall.channels.config import LexicalConfig
from genrecall.channels.recall import RecallChannel
from genrecall.channels.topk import top_k
from genrecall.data.texts import TITLE, field_texts
from genrecall.index.live import LiveItems
from genrecall.queries.reader import AS_TYPED, QueryReader
from genrecall.text.normalize import read_words


class LexicalChannel(RecallChannel):
    """Items that share words with the query, by BM25 as Lucene computes it.

    The scores of several fields are added up by weight. A query without a word of the catalog has
    an empty answer.

    Args:
        items: what can be answered with.
        config: parameters of BM25.
        weights: what each field that is searched counts, by name; titles alone when None.
        reader: what it takes a query to say.
    """

    name: Final = "bm25"

    def __init__(
        self,
        items: LiveItems,
        config: LexicalConfig,
        *,
        weights: Mapping[str, float] | None = None,
        reader: QueryReader = AS_TYPED,
    ) -> None:
        self.items, self.reader = items, reader
        self._stemmer = config.stemmer
        self._fields = [
            _Field(field_texts(items.catalog.frame, name), config, weight)
            for name, weight in (weights or {TITLE: 1.0}).items()
        ]

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""
        check_requests(requests, k)
        return [self._rank(request, k) for request in requests]

    def _rank(self, request: Request, k: int) -> Ranking:
        mask = self.items.mask(request.filters)
        words = read_words(self.reader.read(request.query).text, self._stemmer)
        of_fields = [found for field in self._fields if (found := field.scores(words)) is not None]
        if not of_fields:
            return Ranking.of_nothing()
        scores: NDArray[np.float32] = np.sum(of_fields, axis=0)  # (N,)
        matches = scores > 0 if mask is None else (scores > 0) & mask
        rows = np.flatnonzero(matches)
        return top_k(rows, scores[rows], k)


class _Field:
    """Words of one field of all items.

    Args:
        texts: of the items.
        config: parameters of BM25.
        weight: what it counts.
    """

    def __init__(self, texts: Sequence[str], config: LexicalConfig, weight: float) -> None:
        self._number: dict[str, int] = {}  # of each word, in order of appearance
        self._weight = np.float32(weight)
        documents = [
            [
                self._number.setdefault(word, len(self._number))
                for word in read_words(text, config.stemmer)
            ]
            for text in texts
        ]
        self._scores = bm25s.BM25(k1=config.k1, b=config.b, method="lucene", backend="numpy")
        if self._number:
            self._scores.index((documents, self._number), show_progress=False)

    def scores(self, words: Sequence[str]) -> NDArray[np.float32] | None:
        """Weighted scores of all items, float32 `[N]`; None where none of the words is known."""
        numbers = [self._number[word] for word in words if word in self._number]
        if not numbers:
            return None
        found: NDArray[np.float32] = self._scores.get_scores_from_ids(np.array(numbers))
        return self._weight * found
