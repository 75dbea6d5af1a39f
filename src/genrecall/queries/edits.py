"""How far a typed word is from a known one, when some slips are likelier than others.

Damerau and Levenshtein's edits (optimal string alignment), of which likely ones cost less: a letter
doubled or not, vowels for each other, letters that sound alike or lie side by side on a keyboard,
two letters in turn. A slip in the first letter costs more.
"""

from __future__ import annotations

from typing import Final

from genrecall.text.keyboard import NEIGHBOURS, VOWELS

_ALIKE: Final = frozenset(map(frozenset, ("ck", "cs", "sz", "fv", "kq", "gj", "mn")))

_DOUBLED: Final = 0.5
_VOWEL: Final = 0.7
_VOWEL_LEFT_OUT: Final = 0.8
_SOUND: Final = 0.7
_NEIGHBOUR: Final = 0.8
_TURNED: Final = 0.7
_FIRST: Final = 0.5
"""More than elsewhere."""


def distance(typed: str, known: str) -> float:
    """Cost of the likeliest slips that make one word the other.

    >>> distance("celing", "ceiling"), distance("toliet", "toilet"), distance("saw", "saw")
    (0.8, 0.7, 0.0)
    """
    before: list[float] = []
    last = [0.0]
    for j in range(len(known)):
        last.append(last[j] + _left_out(known, j))
    for i, letter in enumerate(typed):
        row = [last[0] + _left_out(typed, i)]
        for j, other in enumerate(known):
            cost = min(
                last[j] + _instead(letter, other, first=i == j == 0),
                last[j + 1] + _left_out(typed, i),
                row[j] + _left_out(known, j),
            )
            if i and j and letter == known[j - 1] and typed[i - 1] == other:
                cost = min(cost, before[j - 1] + _TURNED)
            row.append(cost)
        before, last = last, row
    return round(last[-1], 6)


def _instead(letter: str, other: str, *, first: bool) -> float:
    """Cost of one letter for another."""
    if letter == other:
        return 0.0
    cost = 1.0
    if letter in VOWELS and other in VOWELS:
        cost = _VOWEL
    elif frozenset((letter, other)) in _ALIKE:
        cost = _SOUND
    elif other in NEIGHBOURS.get(letter, ""):
        cost = _NEIGHBOUR
    return cost + _FIRST * first


def _left_out(word: str, at: int) -> float:
    """Cost of a letter of one word that the other does not have."""
    doubled = word[at] in (word[at - 1 : at] + word[at + 1 : at + 2])
    cost = _DOUBLED if doubled else _VOWEL_LEFT_OUT if word[at] in VOWELS else 1.0
    return cost + _FIRST * (at == 0)
