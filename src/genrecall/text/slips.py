"""Words as they may be mistyped, so that what is trained on a shop's own text meets slips there.

Shapes: `total` words of all texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.text.keyboard import NEIGHBOURS, VOWELS
from genrecall.text.subwords import SubwordTokenizer

_LEAST_LETTERS: Final = 4
"""Shorter words stay: a slip in them makes another word."""

_FORMS: Final = 4  # of each word


def mistype(word: str, rng: np.random.Generator) -> str:
    """A normalized word with one slip, not in its first letter; short ones and numbers stay.

    A letter is left out, turned with the next one, doubled, or another one is typed for it: a vowel
    for a vowel, else a neighbour on the keyboard.
    """
    if len(word) < _LEAST_LETTERS or not (word.isalpha() and word.isascii()):
        return word
    at = int(rng.integers(1, len(word)))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    match int(rng.integers(4)):
        case 0:
            return before + after
        case 1 if after:
            return before + after[0] + letter + after[1:]
        case 2:
            return before + letter + letter + after
        case _:
            others = VOWELS if letter in VOWELS else NEIGHBOURS[letter]
            return before + others[int(rng.integers(len(others)))] + after


def mistype_words(text: str, share: float, rng: np.random.Generator) -> str:
    """A normalized text, a share of whose words have a slip."""
    words = text.split()
    return " ".join(mistype(word, rng) if rng.random() < share else word for word in words)


class SlippedWords:
    """Queries cut into words, and forms with a slip of each word.

    Args:
        tokenizer: cuts them.
        texts: of which they are the words; titles, where queries are made of these.
        rng: where chance comes from.

    Attributes:
        words: of the texts, and behind them the forms, which belong to no text.
    """

    def __init__(
        self, tokenizer: SubwordTokenizer, texts: Sequence[str], rng: np.random.Generator
    ) -> None:
        words = tokenizer.words(texts, typed=True)
        kinds: dict[str, int] = {}
        self._kind = np.array(
            [kinds.setdefault(word, len(kinds)) for word in tokenizer.known_words(texts)],
            dtype=np.int64,
        )
        forms = [mistype(word, rng) for word in kinds for _ in range(_FORMS)]
        self.words = words.followed_by(tokenizer.cut(forms))

    def slip(
        self, chosen: NDArray[np.int64], share: float, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Words of texts, a share of them with a slip: numbers of words to numbers, `[total]`.

        Args:
            chosen: numbers of words of the texts.
            share: of them, 0 to 1.
            rng: where chance comes from.
        """
        slipped, total = np.flatnonzero(rng.random(len(chosen)) < share), len(self._kind)
        numbers = chosen.copy()
        form = rng.integers(_FORMS, size=len(slipped))
        numbers[slipped] = total + self._kind[chosen[slipped]] * _FORMS + form
        return numbers
