"""What a caller gives in a condition, as columns compare it.

A `ValueError` says what is wrong with a value, to go on from "filter on 'price': ".
"""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Final

from genrecall.data.values.category_cells import CategoryFormat
from genrecall.data.values.convert import shorten
from genrecall.data.values.times import time

_CATEGORY: Final = CategoryFormat()


def number(value: object) -> float:
    """A number as it is compared."""
    if not is_number(value) or value != value:
        raise ValueError(f"{shorten(value)} is not a number")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def seconds(value: object) -> float:
    """A time as it is compared: a number as it stands, a date in seconds since 1970."""
    if isinstance(value, str | datetime.date):
        try:
            told = time(value)
        except ValueError as error:
            raise ValueError(f"{shorten(value)} {error}") from None
        if told is not None:
            return float(told)
    return number(value)


def is_number(value: object) -> bool:
    """Whether a value is one; a flag is none."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def plain_text(value: object) -> str:
    """A text as it stands."""
    if not isinstance(value, str):
        raise ValueError(f"{shorten(value)} is not text; give it in quotes")
    return value


def id_of(value: object) -> str:
    """Ids have no blanks at their ends, as in the tables."""
    return plain_text(value).strip()


def attribute_text(value: object) -> str:
    """Flags are kept as the texts `true` and `false`."""
    return str(value).lower() if isinstance(value, bool) else plain_text(value)


def category_path(value: object) -> tuple[str, ...]:
    """A category, root first, of its text."""
    path = _CATEGORY.cell(value) if isinstance(value, str) else None
    if path is None:
        raise ValueError(
            f"{shorten(value)} is not a category; give a name or a path like 'Tools > Saws'"
        )
    return tuple(path)
