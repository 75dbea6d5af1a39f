"""The words that a shop knows: of its items, and of what shoppers type, with their neighbours.

Words are told apart by their stems, as the models read them; each has the form in which items
write it most often.

Shapes: `V` words, `P` pairs of neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from genrecall.foundation.artifact import Artifact
from genrecall.queries.counted import Neighbours, Word, WordTable
from genrecall.text.normalize import Stemmer, normalize, stem

_TYPED_OFTEN: Final = 3
"""Distinct queries that a word must stand in which no item has: a bundle, which may go anywhere,
does not hold what a single shopper typed."""

_WORDS: Final = "words.parquet"
_PAIRS: Final = "pairs.parquet"
_SOURCES: Final = ("items", "queries", "texts")
_OF_PAIRS: Final = ("first", "second", "count")


class Vocabulary:
    """Words by their stems, and how often two stand side by side.

    Args:
        words: by stem.
        pairs: by the places of two stems, in how many titles or queries the first stands before the
            second.
        stemmer: brings the forms of a word together.
    """

    def __init__(self, words: WordTable, pairs: Neighbours, stemmer: Stemmer) -> None:
        self.words, self.stemmer = words, stemmer
        self._pairs = pairs
        self.total = max(words.total, 1)

    @classmethod
    def learn(
        cls,
        titles: Iterable[str],
        queries: Iterable[str],
        texts: Iterable[str] = (),
        names: Iterable[str] = (),
        *,
        stemmer: Stemmer,
    ) -> Vocabulary:
        """Count words, and neighbours in titles and queries.

        Args:
            titles: of the shop.
            queries: distinct training queries.
            texts: distinct longer texts of its items.
            names: what brand and attributes of each item say, in the order of the titles.
            stemmer: brings the forms of a word together.
        """
        counted = _Counted(stemmer)
        for title, name in zip_longest(titles, names, fillvalue=""):
            counted.add("items", title, name)
        for query in queries:
            counted.add("queries", query)
        for text in texts:
            counted.add("texts", text, neighbours=False)
        words = WordTable.of(counted.words())
        return cls(words, Neighbours.of(counted.pairs, words.number), stemmer)

    @classmethod
    def load(cls, artifact: Artifact, *, stemmer: Stemmer) -> Vocabulary:
        """Read what `save` wrote into an artifact."""
        words = pl.read_parquet(artifact.file(_WORDS))
        pairs = pl.read_parquet(artifact.file(_PAIRS))
        counts = np.stack([words[source].to_numpy() for source in _SOURCES], axis=1)
        return cls(
            WordTable(words["stem"].to_list(), words["form"].to_list(), counts),
            Neighbours(*(pairs[name].to_numpy() for name in _OF_PAIRS)),
            stemmer,
        )

    def save(self, folder: Path) -> None:
        """Write into an existing folder."""
        words = {
            "stem": pl.Series(list(self.words), dtype=pl.String),
            "form": pl.Series(self.words.forms, dtype=pl.String),
            **{source: self.words.counts[:, at] for at, source in enumerate(_SOURCES)},
        }
        pl.DataFrame(words).write_parquet(folder / _WORDS)
        # What stands once side by side says nothing, and is most of all pairs.
        told = self._pairs.count > 1
        pairs = {name: getattr(self._pairs, name)[told] for name in _OF_PAIRS}
        pl.DataFrame(pairs).write_parquet(folder / _PAIRS)

    def with_items(
        self, titles: Sequence[str], texts: Iterable[str] = (), names: Iterable[str] = ()
    ) -> Vocabulary:
        """The same with the words of more items; see `learn`."""
        more = Vocabulary.learn(titles, (), texts, names, stemmer=self.stemmer)
        words = dict(self.words)
        for word, told in more.words.items():
            known = words.get(word, Word(told.form, 0, 0))
            words[word] = known._replace(
                items=known.items + told.items, texts=known.texts + told.texts
            )
        grown = WordTable.of(words)  # new ones stand behind these, whose places stay
        places = np.array([grown.number[word] for word in more.words], dtype=np.int32)
        return Vocabulary(grown, self._pairs.and_those_of(more._pairs, places), self.stemmer)

    def prepare(self) -> None:
        """Make now what is otherwise made when neighbours are first asked for."""
        _ = self._pairs.counts

    @property
    def number(self) -> Mapping[str, int]:
        """Place of each stem."""
        return self.words.number

    def pair(self, first: str, second: str) -> int:
        """How often two stems stand side by side; 0 for once."""
        place = self.words.number.get
        found = self._pairs.times((place(first, -1), place(second, -1)))
        return found if found > 1 else 0

    def stem(self, word: str) -> str:
        """What a normalized word is told apart by."""
        return stem(word, self.stemmer)


class _Counted:
    """Words as they are counted.

    Args:
        stemmer: brings the forms of a word together.

    Attributes:
        pairs: see `Vocabulary`.
    """

    def __init__(self, stemmer: Stemmer) -> None:
        self._stemmer = stemmer
        self._forms: dict[str, dict[str, Counter[str]]] = {source: {} for source in _SOURCES}
        self._counts: dict[str, Counter[str]] = {source: Counter() for source in _SOURCES}
        self.pairs: Counter[tuple[str, str]] = Counter()

    def add(self, source: str, text: str, name: str = "", *, neighbours: bool = True) -> None:
        """One text of a source, and what stands beside it."""
        written, beside = normalize(text).split(), normalize(name).split() if name else []
        stems = [stem(word, self._stemmer) for word in (*written, *beside)]
        self._counts[source].update(dict.fromkeys(stems, 1))
        if neighbours:  # dicts keep the order in which things came; sets have another in each run
            self.pairs.update(dict.fromkeys(pairwise(stems[: len(written)]), 1))
        forms = self._forms[source]
        for word, form in zip(stems, (*written, *beside), strict=True):
            forms.setdefault(word, Counter())[form] += 1

    def words(self) -> dict[str, Word]:
        """All of them, in the form that the first of the sources has which knows a word."""
        forms: dict[str, Counter[str]] = {}
        for source in _SOURCES:
            forms |= {word: form for word, form in self._forms[source].items() if word not in forms}
        items, queries, texts = (self._counts[source] for source in _SOURCES)
        return {
            word: Word(_most_written(written), items[word], queries[word], texts[word])
            for word, written in forms.items()
            if items[word] or texts[word] or queries[word] >= _TYPED_OFTEN
        }


def _most_written(forms: Counter[str]) -> str:
    """The most frequent form; of equally frequent ones the first in the alphabet."""
    return min(forms, key=lambda form: (-forms[form], form))
