"""What a query is taken to say: spelling first, then synonyms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from genrecall.queries.changes import Change
from genrecall.queries.spelling import Speller
from genrecall.queries.synonyms import Synonyms
from genrecall.queries.vocabulary import Vocabulary

_KEPT: Final = 10_000  # readings; most searches are of few queries


class ReadQuery(NamedTuple):
    """A query as channels read it.

    Attributes:
        text: what they read.
        changes: what was changed, in order; empty where it is as typed.
        known: whether the shop knows any word of it, where that is looked at.
    """

    text: str
    changes: tuple[Change, ...] = ()
    known: bool = True


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

    def prepare(self) -> None:
        """Make now what is otherwise made when a query first needs it."""
        if self._speller is not None:
            self._speller.prepare()

    def over(self, vocabulary: Vocabulary) -> QueryReader:
        """The same by another vocabulary."""
        speller = None if self._speller is None else self._speller.over(vocabulary)
        return QueryReader(speller, self._synonyms)

    def read_anew(self, query: str) -> ReadQuery:
        """The same, although it may have been read before."""
        text, changes, known = query, list[Change](), True
        if self._speller is not None:
            text, changes = self._speller.correct(text)
            known = self._speller.has_any(text)
        if self._synonyms is not None:
            text, named = self._synonyms.apply(text)
            changes += named
        return ReadQuery(text, tuple(changes), known)


AS_TYPED: Final = QueryReader()
"""Changes nothing."""
