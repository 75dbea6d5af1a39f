"""Counts of words and of their neighbours in columns, of which a query reads a few.

A shop has tens of thousands of words. An object for each is slow to make, and most are never asked
for; so are the pairs of neighbours, which only a query with an unknown word asks for.

Shapes: `V` words, `P` pairs of neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Word(NamedTuple):
    """One word.

    Attributes:
        form: as items write it most often; as queries do where no item has it.
        items: of how many the title, the brand or an attribute has it.
        queries: in how many distinct training queries.
        texts: in how many distinct longer texts of items, such as descriptions.
    """

    form: str
    items: int
    queries: int
    texts: int = 0


class WordTable(Mapping[str, Word]):
    """Words by their stems.

    Args:
        stems: distinct, `[V]`.
        forms: of each.
        counts: `items`, `queries` and `texts` of each, int32 `[V, 3]`.

    Attributes:
        number: place of each stem.
        forms: as given.
        counts: as given.
    """

    def __init__(
        self, stems: Sequence[str], forms: Sequence[str], counts: NDArray[np.int32]
    ) -> None:
        self.number = dict(zip(stems, range(len(stems)), strict=True))
        self.forms, self.counts = forms, counts

    @classmethod
    def of(cls, words: Mapping[str, Word]) -> WordTable:
        """The same out of single words, in their order."""
        counts = [word[1:] for word in words.values()]
        return cls(
            list(words),
            [word.form for word in words.values()],
            np.array(counts, dtype=np.int32).reshape(-1, 3),
        )

    def __getitem__(self, stem: str) -> Word:
        at = self.number[stem]
        return Word(self.forms[at], *self.counts[at].tolist())

    def __contains__(self, stem: object) -> bool:
        return stem in self.number

    def __iter__(self) -> Iterator[str]:
        return iter(self.number)

    def __len__(self) -> int:
        return len(self.number)

    @property
    def total(self) -> int:
        """Words of items, each once for each item that has it."""
        return int(self.counts[:, 0].sum())

    def in_items(self, least: int) -> list[str]:
        """Stems of the words that so many items have, or more."""
        enough = self.counts[:, 0] >= least
        return [stem for stem, told in zip(self.number, enough.tolist(), strict=True) if told]


class Neighbours:
    """How often a word stands before another, by their places in a table of words.

    Args:
        first: the words before, int32 `[P]`.
        second: the words behind them, int32 `[P]`.
        count: in how many texts they stand so, int32 `[P]`.
    """

    def __init__(
        self, first: NDArray[np.int32], second: NDArray[np.int32], count: NDArray[np.int32]
    ) -> None:
        self.first, self.second, self.count = first, second, count

    @classmethod
    def of(cls, pairs: Mapping[tuple[str, str], int], number: Mapping[str, int]) -> Neighbours:
        """Pairs of stems by the places of these; a pair with a word that has none is left out."""
        return cls._of_places(
            {
                (number[first], number[second]): n
                for (first, second), n in pairs.items()
                if first in number and second in number
            }
        )

    def times(self, pair: tuple[int, int]) -> int:
        """Of two words, by their places; 0 where the first never stands before the second."""
        return self.counts.get(pair, 0)

    @cached_property
    def counts(self) -> dict[tuple[int, int], int]:
        """By both places."""
        pairs = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return dict(zip(pairs, self.count.tolist(), strict=True))

    def and_those_of(self, more: Neighbours, places: NDArray[np.int32]) -> Neighbours:
        """The same with further ones.

        Args:
            more: by the places of another table.
            places: where each word of that table stands in the one of these.
        """
        counts = dict(self.counts)
        for first, second, n in zip(
            places[more.first].tolist(),
            places[more.second].tolist(),
            more.count.tolist(),
            strict=True,
        ):
            counts[first, second] = counts.get((first, second), 0) + n
        return self._of_places(counts)

    @classmethod
    def _of_places(cls, counts: Mapping[tuple[int, int], int]) -> Neighbours:
        places = np.array(list(counts), dtype=np.int32).reshape(-1, 2)
        count = np.array(list(counts.values()), dtype=np.int32)
        return cls(places[:, 0], places[:, 1], count)
