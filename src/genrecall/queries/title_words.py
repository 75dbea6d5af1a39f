"""Which words stand in which title, and how much a query's words say for an item.

It is BM25 of the items that are asked about, as Lucene computes it, with every word counted once in
a title: a few thousand items behind the beams need no search over all.

Shapes: `N` items, `V` words, `n` items that are asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.ragged import ragged_offsets, ragged_ranges
from genrecall.queries.vocabulary import Vocabulary
from genrecall.text.normalize import read_words

_FILE: Final = "title_words.npz"
_K1: Final = 0.5
_B: Final = 0.5


class TitleWords:
    """The words of each title, by their place in a vocabulary.

    Args:
        vocabulary: numbers them.
        ids: of all titles, each word of a title once, int32 `[total]`.
        offsets: where each title begins, int64 `[N + 1]`.
    """

    def __init__(
        self, vocabulary: Vocabulary, ids: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> None:
        self._vocabulary, self._ids, self._offsets = vocabulary, ids, offsets
        self._number = vocabulary.number
        lengths = np.diff(offsets)
        self._lengths = (lengths / max(lengths.mean(), 1.0) if len(lengths) else lengths).astype(
            np.float32
        )

    @classmethod
    def of(cls, titles: Sequence[str], vocabulary: Vocabulary) -> TitleWords:
        """Number the words of titles, all of which the vocabulary has."""
        words = [
            sorted({vocabulary.number[word] for word in read_words(title, vocabulary.stemmer)})
            for title in titles
        ]
        ids = np.array([word for of_title in words for word in of_title], dtype=np.int32)
        return cls(vocabulary, ids, ragged_offsets([len(of_title) for of_title in words]))

    @classmethod
    def load(cls, artifact: Artifact, vocabulary: Vocabulary) -> TitleWords:
        """Read what `save` wrote into an artifact."""
        with np.load(artifact.file(_FILE), allow_pickle=False) as stored:
            return cls(vocabulary, stored["ids"], stored["offsets"])

    def save(self, folder: Path) -> None:
        """Write into an existing folder."""
        np.savez(folder / _FILE, ids=self._ids, offsets=self._offsets)

    def __len__(self) -> int:
        return len(self._lengths)

    def with_titles(self, titles: Sequence[str], vocabulary: Vocabulary) -> TitleWords:
        """The same with more titles behind these; the vocabulary has their words behind its own."""
        more = TitleWords.of(titles, vocabulary)
        offsets = np.concatenate([self._offsets, self._offsets[-1] + more._offsets[1:]])
        return TitleWords(vocabulary, np.concatenate([self._ids, more._ids]), offsets)

    def scores(self, text: str, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """BM25 of some items, float32 `[n]`.

        Args:
            text: of the query, as it is read.
            rows: catalog rows, `[n]`.
        """
        asked = set(read_words(text, self._vocabulary.stemmer)) & self._number.keys()
        scores = np.zeros(len(rows), dtype=np.float32)
        if not asked or not len(rows):
            return scores
        told = sorted((self._number[word], self._rarity(word)) for word in asked)
        numbers, rarity = np.array([n for n, _ in told]), np.array([r for _, r in told])
        starts, counts = self._offsets[rows], self._offsets[rows + 1] - self._offsets[rows]
        ids = self._ids[ragged_ranges(starts, counts)]
        place = np.minimum(np.searchsorted(numbers, ids), len(numbers) - 1)
        found = np.where(numbers[place] == ids, rarity[place], 0.0)
        summed = np.concatenate([[0.0], np.cumsum(found)])
        ends = np.cumsum(counts)
        matched = summed[ends] - summed[ends - counts]
        scores[:] = matched / (1 + _K1 * (1 - _B + _B * self._lengths[rows]))
        return scores

    def _rarity(self, word: str) -> float:
        titles = self._vocabulary.words[word].titles
        return float(np.log1p((len(self) - titles + 0.5) / (titles + 0.5)))
