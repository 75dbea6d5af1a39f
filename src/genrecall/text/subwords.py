"""Texts to bags of features: subwords of a BPE learned on the shop's own text, and word pairs.

A feature is a row of one embedding table: first the `V` subwords, then `H` hashed pairs of
neighbouring words, then `G` hashed runs of letters. The latter are features of queries alone, whose
words are spelt in more ways than those of titles. Bags are ragged: `ids` holds the features of all
texts one after another, `offsets` where each text starts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import BpeTrainer

from genrecall.foundation.blocks import blocks
from genrecall.foundation.ragged import (
    Bags,
    join_bags,
    make_bags,
    ragged_offsets,
    ragged_owners,
    ragged_ranges,
)
from genrecall.text.normalize import Stemmer, normalize, read_words, stem

SUBWORDS: Final = "subwords.json"
"""File of an artifact that holds the subword model."""

_UNKNOWN: Final = "[UNK]"
_START: Final = "▁"
"""Stands before each word, so that its beginning is told from the same letters inside a word. The
library's own marks for that make training differ from run to run: where pairs are equally frequent,
it prefers those whose marked letters it happened to see first."""


_RUN: Final = 3  # letters
_LEAST_LETTERS: Final = 4  # of a word that is read by its runs, too


class CutWord(NamedTuple):
    """A word.

    Attributes:
        pieces: numbers of its subwords.
        runs: numbers of its runs of letters.
        hash: of its stem.
    """

    pieces: list[int]
    runs: list[int]
    hash: int

    def features(self, *, typed: bool) -> list[int]:
        """In titles, or as shoppers type it."""
        return self.pieces + self.runs if typed else self.pieces


@dataclass(frozen=True, eq=False)
class Words:
    """Texts cut into words, each word into subwords; the form that fragments are drawn from.

    Attributes:
        pieces: features of all words, int64 `[total]`.
        piece_offsets: where each word starts in `pieces`, int64 `[words + 1]`.
        hashes: hash of each word, int64 `[words]`.
        word_offsets: where each text starts among the words, int64 `[n + 1]`.
    """

    pieces: NDArray[np.int64]
    piece_offsets: NDArray[np.int64]
    hashes: NDArray[np.int64]
    word_offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.word_offsets) - 1

    @classmethod
    def typed(cls, cut: Sequence[CutWord]) -> Words:
        """Words of no text, as shoppers type them."""
        features = [word.features(typed=True) for word in cut]
        return cls(
            pieces=np.array([feature for of in features for feature in of], dtype=np.int64),
            piece_offsets=ragged_offsets([len(of) for of in features]),
            hashes=np.array([word.hash for word in cut], dtype=np.int64),
            word_offsets=np.zeros(1, dtype=np.int64),
        )


class SubwordTokenizer:
    """Cuts normalized text into features.

    Args:
        bpe: a trained subword model.
        pair_buckets: rows for hashed word pairs; 0 for none.
        stemmer: brings the forms of a word together.
        run_buckets: rows for hashed runs of letters; 0 for none.
    """

    def __init__(
        self, bpe: Tokenizer, *, pair_buckets: int, stemmer: Stemmer, run_buckets: int = 0
    ) -> None:
        self._bpe = bpe
        self._silent = {bpe.token_to_id(token) for token in (_UNKNOWN, _START)}
        self.pair_buckets, self.run_buckets = pair_buckets, run_buckets
        self.stemmer = stemmer
        self._cache: dict[str, CutWord] = {}

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocabulary: int,
        pair_buckets: int,
        stemmer: Stemmer,
        run_buckets: int = 0,
    ) -> SubwordTokenizer:
        """Learn the subwords of `texts`; equal texts give equal subwords."""
        bpe = Tokenizer(BPE(unk_token=_UNKNOWN))
        bpe.pre_tokenizer = WhitespaceSplit()
        trainer = BpeTrainer(
            vocab_size=vocabulary,
            min_frequency=2,
            special_tokens=[_UNKNOWN],
            show_progress=False,
        )
        spelled = (" ".join(_START + word for word in read_words(text, stemmer)) for text in texts)
        bpe.train_from_iterator(spelled, trainer)
        return cls(bpe, pair_buckets=pair_buckets, stemmer=stemmer, run_buckets=run_buckets)

    @classmethod
    def load(
        cls, path: Path, *, pair_buckets: int, stemmer: Stemmer, run_buckets: int
    ) -> SubwordTokenizer:
        """Read what `save` wrote."""
        bpe = Tokenizer.from_file(str(path))
        return cls(bpe, pair_buckets=pair_buckets, stemmer=stemmer, run_buckets=run_buckets)

    def save(self, path: Path) -> None:
        """Write the subword model as JSON."""
        self._bpe.save(str(path))

    @property
    def n_subwords(self) -> int:
        """Size `V` of the subword vocabulary."""
        return int(self._bpe.get_vocab_size())

    @property
    def n_features(self) -> int:
        """Rows of the embedding table: `V + H + G`."""
        return self.n_subwords + self.pair_buckets + self.run_buckets

    def words(self, texts: Sequence[str], *, typed: bool = False) -> Words:
        """Normalize texts and cut them into words and features.

        A word of letters that were never seen has no subword and is left out.

        Args:
            texts: to cut.
            typed: whether they are queries. The words, and their order, are the same.
        """
        pieces: list[int] = []
        piece_counts: list[int] = []
        hashes: list[int] = []
        word_counts: list[int] = []
        for text in texts:
            words = [cut for cut in self.cut(normalize(text).split()) if cut.pieces]
            word_counts.append(len(words))
            for word in words:
                features = word.features(typed=typed)
                pieces += features
                piece_counts.append(len(features))
                hashes.append(word.hash)
        return Words(
            pieces=np.array(pieces, dtype=np.int64),
            piece_offsets=ragged_offsets(piece_counts),
            hashes=np.array(hashes, dtype=np.int64),
            word_offsets=ragged_offsets(word_counts),
        )

    def known_words(self, texts: Sequence[str]) -> list[str]:
        """The words of `words(texts)`, normalized, in its order."""
        return [w for text in texts for w in normalize(text).split() if self._word(w).pieces]

    def cut(self, words: Sequence[str]) -> list[CutWord]:
        """Normalized words, each on its own."""
        return [self._word(word) for word in words]

    def bags(self, texts: Sequence[str], *, typed: bool = False) -> Bags:
        """Features of texts; see `words`."""
        parts = (self.words(texts[rows], typed=typed) for rows in blocks(len(texts)))
        cut = [self.gather(w, np.arange(len(w.hashes)), w.word_offsets) for w in parts]
        return cut[0] if len(cut) == 1 else join_bags(make_bags([]), *cut)

    def gather(self, words: Words, chosen: NDArray[np.int64], offsets: NDArray[np.int64]) -> Bags:
        """Features of texts made of chosen words.

        Args:
            words: where the words come from.
            chosen: word numbers of all texts one after another, `[total]`.
            offsets: where each text starts in `chosen`, `[n + 1]`.
        """
        starts = words.piece_offsets[chosen]
        counts = words.piece_offsets[chosen + 1] - starts
        ids = words.pieces[ragged_ranges(starts, counts)]
        hashes = words.hashes[chosen]
        if len(offsets) == 2:  # one text, as a search has: all is in order
            ids = np.concatenate([ids, self._pairs(hashes[:-1], hashes[1:])])
            return Bags(ids, np.array([0, len(ids)]))
        text_of = ragged_owners(offsets[1:] - offsets[:-1])
        together = np.flatnonzero(text_of[1:] == text_of[:-1])
        ids = np.concatenate([ids, self._pairs(hashes[together], hashes[together + 1])])
        owner = np.concatenate([np.repeat(text_of, counts), text_of[together]])
        if not self.pair_buckets:
            owner = owner[: len(ids)]
        sizes = np.bincount(owner, minlength=len(offsets) - 1)
        return Bags(ids[np.argsort(owner, kind="stable")], ragged_offsets(sizes))

    def gather_texts(self, words: Words, chosen: NDArray[np.int64]) -> Bags:
        """Features of some of the texts that were cut, by their numbers, `[n]`."""
        starts = words.word_offsets[chosen]
        counts = words.word_offsets[chosen + 1] - starts
        return self.gather(words, ragged_ranges(starts, counts), ragged_offsets(counts))

    def _pairs(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
        """Features of neighbouring words, by their hashes; none without buckets for them."""
        if not self.pair_buckets:
            return left[:0]
        return self.n_subwords + (left * 1_000_003 + right) % self.pair_buckets

    def _word(self, word: str) -> CutWord:
        known = self._cache.get(word)
        if known is None:
            stemmed = stem(word, self.stemmer)
            encoded = self._bpe.encode(_START + stemmed).ids
            pieces = [piece for piece in encoded if piece not in self._silent]
            runs = self._runs(stemmed) if pieces else []
            known = self._cache[word] = CutWord(pieces, runs, zlib.crc32(stemmed.encode()))
            if len(self._cache) > 500_000:  # a service must not grow with what people type
                self._cache.clear()
        return known

    def _runs(self, word: str) -> list[int]:
        """Runs of letters, of which the first and the last hold the end of the word."""
        if not self.run_buckets or len(word) < _LEAST_LETTERS:
            return []
        marked, first = f"<{word}>", self.n_subwords + self.pair_buckets
        runs = (marked[at : at + _RUN] for at in range(len(marked) - _RUN + 1))
        return [first + zlib.crc32(run.encode()) % self.run_buckets for run in runs]
