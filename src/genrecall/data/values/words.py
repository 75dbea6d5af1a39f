"""Words of a table's dialect: those that mean yes or no, and those that mean nothing is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

import polars as pl

from genrecall.data.values.convert import Column

_FLAGS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def plain_word(text: str) -> str:
    """A word without letter case, and with one blank for whatever parts it.

    >>> plain_word(" In_Stock ") == plain_word("in-stock") == "in stock"
    True
    >>> plain_word("-1")
    '-1'
    """
    return re.sub(r"(?<=\S)[\s_-]+(?=\S)", " ", text.casefold().strip())


class FlagFormat:
    """Reads true and false, yes and no, 1 and 0, and what a dialect names.

    Args:
        words: what they mean, beside these.
        count: reads numbers, where they say how many there are; None where a number is no flag.
    """

    def __init__(
        self,
        words: Mapping[str, bool] | None = None,
        count: Callable[[object], float | None] | None = None,
    ) -> None:
        self._known = _FLAGS | {plain_word(word): flag for word, flag in (words or {}).items()}
        self._count = count

    def cell(self, value: object) -> bool | None:
        """Read a flag; None for blank text."""
        if isinstance(value, str) and not value.strip():
            return None
        known = self._known.get(plain_word(value)) if isinstance(value, str) else value
        if known in (0, 1):
            return bool(known)
        if self._count is None:
            raise ValueError("is neither true nor false")
        try:
            count = self._count(value)
        except ValueError:
            raise ValueError("is neither true nor false, and no count") from None
        return count is not None and count > 0


def without(column: Column, words: Collection[str]) -> Column:
    """The column with null where it has one of the words, whatever their letter case, or NaN.

    A typed NaN is how data frames leave out a number.
    """
    empty = {word.strip().lower() for word in words}
    if not isinstance(column, pl.Series):
        return [None if _is_empty(value, empty) else value for value in column]
    if column.dtype.is_float():
        return column.fill_nan(None)
    if column.dtype != pl.String or not empty:
        return column
    found = pl.first().str.strip_chars().str.to_lowercase().is_in(list(empty))
    return column.to_frame().select(pl.when(~found).then(pl.first())).to_series()


def _is_empty(value: object, words: Collection[str]) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in words
    return isinstance(value, float) and value != value
