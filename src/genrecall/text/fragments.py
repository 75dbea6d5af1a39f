"""Pseudo-queries: a few words of a title, as a shopper might type them.

They let a shop without a log train, and keep a small log from being learned by heart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import ragged_offsets, ragged_ranges
from genrecall.text.subwords import Words

_LONGEST_SPAN = 4
_LONGEST_SUBSET = 5


class Fragments(NamedTuple):
    """Words chosen from texts.

    Attributes:
        words: word numbers, one fragment after another, int64 `[total]`.
        offsets: where each fragment starts, int64 `[n + 1]`.
    """

    words: NDArray[np.int64]
    offsets: NDArray[np.int64]


def draw_fragments(words: Words, texts: NDArray[np.int64], rng: np.random.Generator) -> Fragments:
    """One fragment of each given text: of the first half some of its words, of the others a span.

    Args:
        words: the texts cut into words.
        texts: text numbers, int64 `[n]`.
        rng: where chance comes from.
    """
    half = len(texts) // 2
    subset = _draw_subsets(words, texts[:half], rng)
    span = _draw_spans(words, texts[half:], rng)
    return Fragments(
        words=np.concatenate([subset.words, span.words]),
        offsets=np.concatenate([subset.offsets, subset.offsets[-1] + span.offsets[1:]]),
    )


def drop_words(
    words: Words, texts: NDArray[np.int64], rng: np.random.Generator, *, share: float
) -> Fragments:
    """The given texts with a share of their words left out."""
    counts = words.word_offsets[texts + 1] - words.word_offsets[texts]
    chosen = ragged_ranges(words.word_offsets[texts], counts)
    owner = np.repeat(np.arange(len(texts)), counts)
    kept = rng.random(len(chosen)) >= share
    return Fragments(chosen[kept], ragged_offsets(np.bincount(owner[kept], minlength=len(texts))))


def _draw_spans(words: Words, texts: NDArray[np.int64], rng: np.random.Generator) -> Fragments:
    counts = words.word_offsets[texts + 1] - words.word_offsets[texts]
    length = np.minimum(rng.integers(1, _LONGEST_SPAN + 1, size=len(texts)), counts)
    start = (rng.random(len(texts)) * (counts - length + 1)).astype(np.int64)
    chosen = ragged_ranges(words.word_offsets[texts] + start, length)
    return Fragments(chosen, ragged_offsets(length))


def _draw_subsets(words: Words, texts: NDArray[np.int64], rng: np.random.Generator) -> Fragments:
    counts = words.word_offsets[texts + 1] - words.word_offsets[texts]
    wanted = rng.integers(1, _LONGEST_SUBSET + 1, size=len(texts))
    chosen = ragged_ranges(words.word_offsets[texts], counts)
    owner = np.repeat(np.arange(len(texts)), counts)
    # The words with the smallest random numbers of each text, in the text's order.
    order = np.lexsort((rng.random(len(chosen)), owner))
    rank = np.arange(len(chosen)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = np.zeros(len(chosen), dtype=np.bool_)
    kept[order[rank < wanted[owner]]] = True
    return Fragments(chosen[kept], ragged_offsets(np.bincount(owner[kept], minlength=len(texts))))
