"""How people mistype: one slip of the finger, or of the memory, in one word."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from genrecall.text.keyboard import ROWS

MIN_LETTERS: Final = 4
"""Shorter words are typed right: a typo in them would be another word."""

_NEIGHBOURS: Final = {
    row[i]: row[max(i - 1, 0) : i] + row[i + 1 : i + 2] for row in ROWS for i in range(len(row))
}
_SOUNDS_ALIKE: Final = (
    ("ie", "ei"), ("ei", "ie"), ("ea", "ee"), ("ee", "ea"), ("ph", "f"), ("ck", "k"), ("er", "or"),
    ("or", "er"), ("ant", "ent"), ("le", "el"), ("ai", "a"), ("ou", "u"), ("y", "i"), ("c", "k"),
)  # fmt: skip
_GAP: Final = re.compile(r"[a-z]{2} (?=[a-z]{2})")
_WORD: Final = re.compile(rf"[a-z]{{{MIN_LETTERS},}}")


def mistype(text: str, rng: np.random.Generator) -> str:
    """Put one typo into a lower-case query.

    Letters are swapped, dropped, doubled or undoubled, replaced by a neighbouring key or by a
    spelling that sounds alike; or a space is lost. The first letter of a word stays, as it
    nearly always does. A text without a word of `MIN_LETTERS` letters comes back unchanged.
    """
    words = list(_WORD.finditer(text))
    if not words:
        return text
    gaps = [gap.start() + 2 for gap in _GAP.finditer(text)]
    if gaps and rng.random() < 0.08:
        at = gaps[int(rng.integers(len(gaps)))]
        return text[:at] + text[at + 1 :]
    lengths = np.array([len(word[0]) for word in words])
    word = words[int(rng.choice(len(words), p=lengths / lengths.sum()))]
    wrong = word[0]
    while wrong == word[0]:  # swapping two equal letters changes nothing
        wrong = _slip(word[0], rng)
    return text[: word.start()] + wrong + text[word.end() :]


def _slip(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word)))
    letter = word[at]
    match int(rng.integers(6)):
        case 0:  # swap with the letter before, but not the first of the word
            at = max(at, 2)
            return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
        case 1:
            return word[:at] + word[at + 1 :]
        case 2 if letter == word[at - 1]:
            return word[:at] + word[at + 1 :]
        case 2:
            return word[:at] + letter + word[at:]
        case 3:
            near = _NEIGHBOURS[letter]
            return word[:at] + near[int(rng.integers(len(near)))] + word[at + 1 :]
        case _:
            return _by_ear(word, rng)


def _by_ear(word: str, rng: np.random.Generator) -> str:
    fitting = [(old, new) for old, new in _SOUNDS_ALIKE if old in word[1:]]
    if not fitting:
        return word
    old, new = fitting[int(rng.integers(len(fitting)))]
    at = word.index(old, 1)
    return word[:at] + new + word[at + len(old) :]
