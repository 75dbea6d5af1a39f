"""Words that a shop does not know, read as those that were likely meant: a noisy channel.

What was meant is likely if the shop's items and queries have it often, most of all beside the
words around it; that it was typed so is likely if few likely slips make it. A word may also be two
that were written together, or with its neighbour be one that was written apart (Kernighan et al., A
Spelling Correction Program Based on a Noisy Channel Model, COLING 1990). And it may be meant as it
is: words that the shop does not know exist.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from genrecall.queries.changes import Change, rewrite
from genrecall.queries.edits import distance
from genrecall.queries.vocabulary import Vocabulary
from genrecall.text.normalize import normalize, read_words

if TYPE_CHECKING:
    from genrecall.queries.near_words import NearWords

_LEAST_LETTERS: Final = 4
"""Shorter words are left alone: too much is near them."""

_LEAST_QUERIES: Final = 5
"""Of distinct training queries make a word that no item has one that is known."""

_LEAST_ITEMS: Final = 2
"""Of items that have it make a word one that is corrected to: a title may be misspelt, too."""

_SLIP: Final = 4.5
"""What a slip costs, in units of log-probability."""

_MOST_SLIPS: Final = 0.34
"""Of a word's letters."""

_JOINED: Final = 0.5
"""Slips that it is to write two words as one, or one as two."""

_UNKNOWN: Final = (0.01, 2e-8)
"""Items that a word counts as much as of which nothing is known, at least, and as a share of all
words of items. It is meant as it is typed where all that is near is less likely; of such
corrections one in six is right."""

_OF_LANGUAGE: Final = (10.0, 5e-6)
"""The same of a word that the language is known to have."""

_WEIGHT_OF_QUERIES: Final = 3
"""Items that a query counts as much as: it is typed by many."""

_MOST_CANDIDATES: Final = 60
_MOST_UNKNOWN: Final = 8
"""Unknown words of a query that are looked at: a long text of them is no slip, and each is compared
with all known words."""

_LAST_LETTER: Final = "\u052f"  # of the scripts with letter case: Latin, Greek, Cyrillic


class _Reading(NamedTuple):
    """One way to read a word."""

    score: float
    words: tuple[str, ...]
    takes: int = 1  # typed words that it stands for, from this one on
    before: int = 0  # and so many before it


class Speller:
    """Corrects queries by a vocabulary.

    Args:
        vocabulary: of the shop.
        known: stems of further words that are no slips, such as those of a synonyms file.
        language: stems of words that the language has: they may be slips, less likely than others.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        known: Collection[str] = (),
        language: Container[str] = (),
    ) -> None:
        self._vocabulary, self._known = vocabulary, frozenset(known)
        self._language = language

    def prepare(self) -> None:
        """Make now what is otherwise made when a query first has an unknown word."""
        self._vocabulary.prepare()
        _ = self._written

    @cached_property
    def _written(self) -> NearWords:
        """The words that may be meant."""
        # Queries without an unknown word do not wait for rapidfuzz.
        from genrecall.queries.near_words import NearWords

        return NearWords(
            word
            for word in self._vocabulary.words.in_items(_LEAST_ITEMS)
            if len(word) >= _LEAST_LETTERS - 1 and _spelt(word)
        )

    def over(self, vocabulary: Vocabulary) -> Speller:
        """The same by another vocabulary."""
        return Speller(vocabulary, self._known, self._language)

    def knows(self, word: str) -> bool:
        """Whether an item is named by a stem, or so many queries have it that it is no slip."""
        if word in self._known:
            return True
        told = self._vocabulary.words.get(word)
        return told is not None and (told.items > 0 or told.queries >= _LEAST_QUERIES)

    def has_any(self, query: str) -> bool:
        """Whether an item, or several queries, have any word of a query."""
        stems = read_words(query, self._vocabulary.stemmer)
        return any(stem in self._vocabulary.words or stem in self._known for stem in stems)

    def correct(self, query: str) -> tuple[str, list[Change]]:
        """The query as it was likely meant, and what was changed.

        A query whose words are known stays as it is, to the letter.
        """
        typed = normalize(query).split()
        stems = [self._vocabulary.stem(word) for word in typed]
        if all(map(self.knows, stems)):
            return query, []
        read: list[str] = []
        changes: list[Change] = []
        at = unknown = 0
        while at < len(typed):
            known = self.knows(stems[at])
            unknown += not known
            if known or unknown > _MOST_UNKNOWN:
                best = None
            else:
                best = max(self._readings(typed, stems, at, read), default=None)
            if best is None:
                read.append(typed[at])
                at += 1
                continue
            if best.words == (stems[at],):
                words = [typed[at]]
            else:
                words = [self._vocabulary.words[word].form for word in best.words]
                first = at - best.before
                changes.append(Change(" ".join(typed[first : at + best.takes]), " ".join(words)))
                del read[len(read) - best.before :]
            read += words
            at += best.takes
        return rewrite(query, changes, " ".join(read)), changes

    def _readings(
        self, typed: list[str], stems: list[str], at: int, read: list[str]
    ) -> Iterator[_Reading]:
        """Ways to read an unknown word."""
        before = self._vocabulary.stem(read[-1]) if read else None
        after = stems[at + 1] if at + 1 < len(stems) else None
        if after is not None and (joined := self._joined(typed[at], typed[at + 1])):
            yield _Reading(self._likely(joined) - _SLIP * _JOINED, (joined,), takes=2)
        if read and read[-1] == typed[at - 1] and (joined := self._joined(read[-1], typed[at])):
            yield _Reading(self._likely(joined) - _SLIP * _JOINED, (joined,), before=1)
        word = stems[at]
        if len(word) < _LEAST_LETTERS or not _spelt(word):
            return
        least, share = _OF_LANGUAGE if word in self._language else _UNKNOWN
        yield _Reading(math.log(max(least / self._vocabulary.total, share)), (word,))
        if word in self._vocabulary.words:  # of a few queries, or of descriptions: perhaps no slip
            beside = self._beside(before, word) + self._beside(word, after)
            texts = self._vocabulary.words[word].texts
            yield _Reading(self._likely(word, texts) + beside, (word,))
        for known, slips in self._near(word):
            score = self._likely(known) - _SLIP * slips
            yield _Reading(
                score + self._beside(before, known) + self._beside(known, after), (known,)
            )
        for cut in range(2, len(word) - 1):
            first, second = map(self._vocabulary.stem, (word[:cut], word[cut:]))
            together = self._vocabulary.pair(first, second)
            if together and (min(cut, len(word) - cut) > 2 or together > 20):
                likely = math.log(together / self._vocabulary.total)
                score = likely - _SLIP * _JOINED + self._beside(before, first)
                yield _Reading(score, (first, second))

    def _joined(self, first: str, second: str) -> str | None:
        """The known word that two make; None for none."""
        joined = self._vocabulary.stem(first + second)
        told = joined in self._vocabulary.words and self.knows(joined) and _spelt(joined)
        return joined if told else None

    def _near(self, word: str) -> Iterator[tuple[str, float]]:
        """Known words that few slips are away, and how many."""
        most = 1 if len(word) <= 4 else 2 if len(word) <= 9 else 3
        found = [
            (edits - self._likely(known) / _SLIP, known)
            for known, edits in self._written.within(word, most)
        ]
        for _, known in sorted(found)[:_MOST_CANDIDATES]:
            slips = distance(word, known)
            if slips <= _MOST_SLIPS * len(word) + 0.3:
                yield known, slips

    def _likely(self, word: str, texts: int = 0) -> float:
        """Log-probability of a stem that stands in so many texts beside items and queries."""
        told = self._vocabulary.words[word]
        count = told.items + _WEIGHT_OF_QUERIES * told.queries + texts
        return math.log((count + 0.1) / self._vocabulary.total)

    def _beside(self, first: str | None, second: str | None) -> float:
        """How much likelier words are because they stand side by side."""
        if first is None or second is None:
            return 0.0
        return math.log1p(self._vocabulary.pair(first, second))


def _spelt(word: str) -> bool:
    """Whether a word is made of letters of which one may be a slip."""
    return word.isalpha() and max(word) <= _LAST_LETTER
