"""Pieces in stock where a flag is expected: which cells are numbers, and which are something else.

A shop that exports how many of an item it has says thereby whether it is available.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from genrecall.data.values.detect import flag_words
from genrecall.data.values.words import without

_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9.,' \u00a0\u202f]*")
_OF_A_KIND: Final = frozenset({"2", "-1", "-2"})
"""Stand for a kind of yes or no in some shops, as 1 and 0 do."""


class Stock(NamedTuple):
    """Cells where a flag is expected.

    Attributes:
        numbers: that are no flags, each once.
        others: that are neither flags nor numbers.
        counts: whether the numbers say how many there are.
    """

    numbers: list[str]
    others: list[str]
    counts: bool


def look_at_stock(values: Sequence[object], empty: Sequence[str], *, named: bool) -> Stock:
    """Tell numbers of pieces from other cells.

    Args:
        values: cells, as text or typed.
        empty: words for nothing.
        named: whether the column is called so.

    >>> look_at_stock(["12", "0", "yes", "soon", None], [], named=False)
    Stock(numbers=['12'], others=['soon'], counts=True)
    >>> [look_at_stock([2, 0], [], named=named).counts for named in (False, True)]
    [False, True]
    """
    texts = [str(value).strip() for value in without(values, empty) if value is not None]
    _, unknown = flag_words(texts)
    numbers = [word for word in unknown if _NUMBER.fullmatch(word)]
    odd = set(unknown).difference(numbers)
    return Stock(
        numbers,
        [text for text in texts if text in odd],
        bool(numbers) and (named or not _OF_A_KIND.issuperset(numbers)),
    )
