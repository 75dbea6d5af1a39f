"""Which words stand in a field of which item, such as its title, and how much a query's words say.

It is BM25 of the items that are asked about, as Lucene computes it, with every word counted once in
a text: a few thousand items behind the beams need no search over all.

Shapes: `N` items, `V` words, `n` items that are asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.ragged import ragged_offsets, ragged_ranges
from genrecall.native.arrays import at, check_rows, plain, size
from genrecall.native.library import library
from genrecall.queries.vocabulary import Vocabulary
from genrecall.text.normalize import read_words

_FILE: Final = "words_of_{}.npz"
_K1: Final = 0.5
_B: Final = 0.5


class FieldWords:
    """The words of one field of each item, by their place in a vocabulary.

    Args:
        vocabulary: numbers them.
        ids: of all texts, each word of a text once, ascending, int32 `[total]`.
        offsets: where each text begins, int64 `[N + 1]`.
    """

    def __init__(
        self, vocabulary: Vocabulary, ids: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> None:
        self.ids, self.offsets = plain(ids, np.int32), plain(offsets, np.int64)
        self._stemmer, self._number = vocabulary.stemmer, vocabulary.number

    @classmethod
    def of(cls, texts: Sequence[str], vocabulary: Vocabulary) -> FieldWords:
        """Number the words of texts, all of which the vocabulary has."""
        number = vocabulary.number
        words = [
            sorted({number[word] for word in read_words(text, vocabulary.stemmer)})
            for text in texts
        ]
        ids = np.array([word for of_text in words for word in of_text], dtype=np.int32)
        return cls(vocabulary, ids, ragged_offsets([len(of_text) for of_text in words]))

    @classmethod
    def load(cls, artifact: Artifact, field: str, vocabulary: Vocabulary) -> FieldWords:
        """Read what `save` wrote into an artifact."""
        with np.load(artifact.file(_FILE.format(field)), allow_pickle=False) as stored:
            return cls(vocabulary, stored["ids"], stored["offsets"])

    def save(self, folder: Path, field: str) -> None:
        """Write into an existing folder."""
        np.savez(folder / _FILE.format(field), ids=self.ids, offsets=self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def with_texts(self, texts: Sequence[str], vocabulary: Vocabulary) -> FieldWords:
        """The same with more texts behind these; the vocabulary has their words behind its own."""
        more = FieldWords.of(texts, vocabulary)
        offsets = np.concatenate([self.offsets, self.offsets[-1] + more.offsets[1:]])
        return FieldWords(vocabulary, np.concatenate([self.ids, more.ids]), offsets)

    @cached_property
    def rarity(self) -> NDArray[np.float32]:
        """What a word says by itself, float32 `[V]`."""
        texts = np.bincount(self.ids, minlength=len(self._number))
        return np.log1p((len(self) - texts + 0.5) / (texts + 0.5)).astype(np.float32)

    @cached_property
    def discount(self) -> NDArray[np.float32]:
        """By what the words of each text are divided: more for a long one, float32 `[N]`."""
        lengths = np.diff(self.offsets)
        share = lengths / max(lengths.mean(), 1.0) if len(lengths) else lengths
        return (1 + _K1 * (1 - _B + _B * share)).astype(np.float32)

    def words(self, text: str) -> NDArray[np.int64]:
        """The words of a query that the vocabulary has, each once, ascending."""
        asked = set(read_words(text, self._stemmer)) & self._number.keys()
        return np.array(sorted(self._number[word] for word in asked), dtype=np.int64)

    def scores(self, text: str, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """BM25 of some items, float32 `[n]`.

        Args:
            text: of the query, as it is read.
            rows: catalog rows, `[n]`.
        """
        numbers = self.words(text)
        scores = np.zeros(len(rows), dtype=np.float32)
        if not len(numbers) or not len(rows):
            return scores
        if (found := library()) is not None:
            check_rows(rows, len(self))
            rows, says = plain(rows, np.int32), self.rarity[numbers]
            found.shared_words(
                *(at(self.ids), at(self.offsets), at(rows), size(len(rows))),
                *(at(numbers), at(says), size(len(says)), at(self.discount), at(scores)),
            )
            return scores
        starts, counts = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        ids = self.ids[ragged_ranges(starts, counts)]
        place = np.minimum(np.searchsorted(numbers, ids), len(numbers) - 1)
        said = np.where(numbers[place] == ids, self.rarity[numbers][place], 0.0)
        summed = np.concatenate([[0.0], np.cumsum(said, dtype=np.float64)])
        ends = np.cumsum(counts)
        scores[:] = (summed[ends] - summed[ends - counts]) / self.discount[rows]
        return scores
