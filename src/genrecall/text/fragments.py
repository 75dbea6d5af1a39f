"""Pseudo-queries: a few words of a title, as a shopper might type them.

They let a shop without a log train, and keep a small log from being learned by heart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import (
    Bags,
    filter_bags,
    join_bags,
    ragged_offsets,
    ragged_owners,
    ragged_ranges,
    rank_in_run,
)
from genrecall.text.subwords import Words

_LONGEST_SPAN = 4
_LONGEST_SUBSET = 5


def draw_fragments(words: Words, texts: NDArray[np.int64], rng: np.random.Generator) -> Bags:
    """One fragment of each given text: of the first half some of its words, of the others a span.

    What comes out are numbers of words, a list for each text.

    Args:
        words: the texts cut into words.
        texts: text numbers, int64 `[n]`.
        rng: where chance comes from.
    """
    half = len(texts) // 2
    subset = _draw_subsets(words, texts[:half], rng)
    span = _draw_spans(words, texts[half:], rng)
    return join_bags(subset, span)


def drop_words(
    words: Words, texts: NDArray[np.int64], rng: np.random.Generator, *, share: float
) -> Bags:
    """The given texts with a share of their words left out: numbers of words, a list for each."""
    counts = words.word_offsets[texts + 1] - words.word_offsets[texts]
    chosen = Bags(ragged_ranges(words.word_offsets[texts], counts), ragged_offsets(counts))
    return filter_bags(chosen, rng.random(len(chosen.ids)) >= share)


def _draw_spans(words: Words, texts: NDArray[np.int64], rng: np.random.Generator) -> Bags:
    counts = words.word_offsets[texts + 1] - words.word_offsets[texts]
    length = np.minimum(rng.integers(1, _LONGEST_SPAN + 1, size=len(texts)), counts)
    start = (rng.random(len(texts)) * (counts - length + 1)).astype(np.int64)
    return Bags(ragged_ranges(words.word_offsets[texts] + start, length), ragged_offsets(length))


def _draw_subsets(words: Words, texts: NDArray[np.int64], rng: np.random.Generator) -> Bags:
    counts = words.word_offsets[texts + 1] - words.word_offsets[texts]
    wanted = rng.integers(1, _LONGEST_SUBSET + 1, size=len(texts))
    chosen = Bags(ragged_ranges(words.word_offsets[texts], counts), ragged_offsets(counts))
    owner = ragged_owners(counts)
    # The words with the smallest random numbers of each text, in the text's order.
    order = np.lexsort((rng.random(len(owner)), owner))
    kept = np.zeros(len(owner), dtype=np.bool_)
    kept[order[rank_in_run(owner) < wanted[owner]]] = True
    return filter_bags(chosen, kept)
