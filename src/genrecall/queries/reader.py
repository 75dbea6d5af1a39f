"""What a query is taken to say: spelling first, then synonyms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from genrecall.queries.spelling import Change, Speller
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.vocabulary import Vocabulary

_KEPT: Final = 10_000  # readings; most searches are of few queries


class ReadQuery(NamedTuple):
    """A query as channels read it.

    Attributes:
        text: what they read.
        changes: what was changed, in order; empty where it is as typed.
    """

    text: str
    changes: tuple[Change, ...] = ()


class QueryReader:
    """Reads queries in front of all channels; without speller and synonyms, as they are typed.

    Args:
        speller: None to leave spelling alone.
        synonyms: None for none.
    """

    def __init__(self, speller: Speller | None = None, synonyms: Synonyms | None = None) -> None:
        self._speller, self._synonyms = speller, synonyms
        self._cached = lru_cache(_KEPT)(self.read_anew)

    def read(self, query: str) -> ReadQuery:
        """What channels read of a query."""
        return self._cached(query)

    def texts(self, queries: Sequence[str]) -> list[str]:
        """What channels read of several."""
        return [self.read(query).text for query in queries]

    def over(self, vocabulary: Vocabulary) -> QueryReader:
        """The same by another vocabulary."""
        return make_reader(vocabulary, self._synonyms, spelling=self._speller is not None)

    def read_anew(self, query: str) -> ReadQuery:
        """The same, although it may have been read before."""
        text, changes = query, list[Change]()
        if self._speller is not None:
            text, changes = self._speller.correct(text)
        if self._synonyms is not None:
            text, named = self._synonyms.apply(text)
            changes += [Change(*change) for change in named]
        return ReadQuery(text, tuple(changes))


def make_reader(
    vocabulary: Vocabulary, synonyms: Synonyms | None, *, spelling: bool
) -> QueryReader:
    """What reads the queries of a shop.

    Args:
        vocabulary: of the shop.
        synonyms: None for none; their words are no slips.
        spelling: whether slips are corrected.
    """
    known = set() if synonyms is None else synonyms.words
    return QueryReader(Speller(vocabulary, known) if spelling else None, synonyms)


AS_TYPED: Final = QueryReader()
"""Changes nothing."""
