"""The known words that are few edits away from a typed one, of hundreds of thousands.

Comparing a word with all takes tens of milliseconds. Which letters a word has at all tells most of
them apart beforehand: an edit takes at most one letter away and brings at most one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

_BITS: Final = 64
_ONE_BITS: Final = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)


class _OfLength(NamedTuple):
    """Words of one length.

    Attributes:
        words: in the order in which they came.
        letters: which letters each has, a bit each, uint64.
    """

    words: list[str]
    letters: NDArray[np.uint64]


class NearWords:
    """Words by their length.

    Args:
        words: each once.
    """

    def __init__(self, words: Iterable[str]) -> None:
        by_length: dict[int, list[str]] = defaultdict(list)
        for word in words:
            by_length[len(word)].append(word)
        self._of_length = {
            length: _OfLength(of_length, np.array([*map(_letters, of_length)], dtype=np.uint64))
            for length, of_length in by_length.items()
        }

    def within(self, word: str, edits: int) -> list[tuple[str, int]]:
        """Words at most so many edits away (optimal string alignment), and how many.

        >>> NearWords(["drill", "grill", "saw"]).within("dril", 1)
        [('drill', 1)]
        """
        found: list[tuple[str, int]] = []
        letters = np.uint64(_letters(word))
        for length in range(len(word) - edits, len(word) + edits + 1):
            known = self._of_length.get(length)
            if known is None:
                continue
            other = (known.letters ^ letters).view(np.uint8).reshape(-1, _BITS // 8)
            near = np.flatnonzero(_ONE_BITS[other].sum(axis=1, dtype=np.uint8) <= 2 * edits)
            compared = [known.words[place] for place in near.tolist()]
            found += [
                (same, int(distance))
                for same, distance, _ in process.extract(
                    word, compared, scorer=OSA.distance, score_cutoff=edits, limit=None
                )
            ]
        return found


def _letters(word: str) -> int:
    """A bit for each letter that a word has; rare ones share bits."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) % _BITS)
    return bits
