"""Words as they may be mistyped, so that what is trained on a shop's own text meets slips there.

Shapes: `total` words of all texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.text.keyboard import NEIGHBOURS, VOWELS
from genrecall.text.subwords import SubwordTokenizer, Words

_LEAST_LETTERS: Final = 4
"""Shorter words stay: a slip in them makes another word."""

_SLIPS: Final = 4  # of each word


def mistype(word: str, rng: np.random.Generator) -> str:
    """A normalized word with one slip, not in its first letter; short ones and numbers stay.

    A letter is left out, turned with the next one, doubled, or another one is typed for it: a vowel
    for a vowel, else a neighbour on the keyboard.
    """
    if len(word) < _LEAST_LETTERS or not (word.isalpha() and word.isascii() and word.islower()):
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
    """Words of texts as shoppers type them, some with a slip.

    Features are held once for each distinct word and its slips, not for each place where it stands.

    Args:
        tokenizer: cuts the texts.
        texts: of which they are the words: queries, or titles that queries are made of.
        rng: where chance comes from.

    Attributes:
        forms: of each distinct word, as it is and with slips.
    """

    def __init__(
        self, tokenizer: SubwordTokenizer, texts: Sequence[str], rng: np.random.Generator
    ) -> None:
        kinds: dict[str, int] = {}
        self._kind = np.array(
            [kinds.setdefault(word, len(kinds)) for word in tokenizer.known_words(texts)],
            dtype=np.int32,
        )
        typed = [
            form for word in kinds for form in (word, *(mistype(word, rng) for _ in range(_SLIPS)))
        ]
        self.forms = Words.typed(tokenizer.cut(typed))

    def typed(
        self, chosen: NDArray[np.int64], share: float, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Words of the texts to numbers of forms, a share of them with a slip: `[total]`.

        Args:
            chosen: numbers of words, as `SubwordTokenizer.words` numbers them.
            share: of them, 0 to 1.
            rng: where chance comes from.
        """
        slipped = np.flatnonzero(rng.random(len(chosen)) < share)
        numbers = self._kind[chosen].astype(np.int64) * (1 + _SLIPS)
        numbers[slipped] += 1 + rng.integers(_SLIPS, size=len(slipped))
        return numbers
