r"""From what a file holds to our column types: whole columns at once, single cells by rule.

Each `Kind` has a rule for one cell, which says what is wrong with a value it cannot take, and a
fast road for a whole column, which leaves null what the rule has to look at. The rules are the same
for Parquet, CSV and JSONL:

- text: as it stands; a whole number becomes its digits.
- number: finite; text is parsed.
- time: whole seconds since 1970 or an ordinal, or ISO 8601 (UTC where no zone is given).
- flag: true or false, 1 or 0, yes or no.
- list: a list; as text a JSON array (`["a", "b"]`) or parts between bars (`a|b`).
- category: a list from the root, cut at the first null; as text `A > B`, a literal > written `\>`.
- attributes: a mapping of names to a value or values; as text a JSON object.

Blank text is a missing value, except in text columns, where "" and null differ.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

import polars as pl

Column = pl.Series | Sequence[object]
"""A column as a reader gives it: typed (Parquet) or Python values (JSONL, CSV)."""

_T = TypeVar("_T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INT64: Final = range(-(2**63), 2**63)
_SEPARATOR: Final = re.compile(r"(?<!\\)>")
_FLAGS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def text(value: object) -> str:
    """Read a text or a whole number."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("is neither text nor a whole number")


def number(value: object) -> float | None:
    """Read a finite number."""
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            value = float(value)
        except ValueError:
            raise ValueError("is not a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("is not a number")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise ValueError("is not a finite number")
    return result


def time(value: object) -> int | None:
    """Read seconds since 1970, an ordinal, or a date."""
    if isinstance(value, str):
        if not value.strip():
            return None
        value = _time_from_text(value.strip())
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(seconds=1)
    if isinstance(value, date):
        return (value - _EPOCH.date()) // timedelta(seconds=1)
    if isinstance(value, float) and math.isfinite(value):
        value = math.floor(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in _INT64:
        return value
    raise ValueError("is neither a whole number nor an ISO 8601 time")


def _time_from_text(value: str) -> object:
    for parse in (int, datetime.fromisoformat, float):
        try:
            return parse(value)
        except ValueError:
            continue
    return value


def flag(value: object) -> bool | None:
    """Read true or false."""
    if isinstance(value, str) and not value.strip():
        return None
    known = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else value
    if known in (0, 1):
        return bool(known)
    raise ValueError("is neither true nor false")


def texts(value: object) -> list[str]:
    """Read a list of texts or whole numbers.

    >>> texts("12|13") == texts('["12", "13"]') == texts([12, 13])
    True
    """
    return [text(part) for part in _parts(value)]


def _parts(value: object) -> Sequence[object]:
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            value = _from_json(value, "is not a JSON array")
        else:
            return [part.strip() for part in value.split("|") if part.strip()]
    if not isinstance(value, list):
        raise ValueError("is not a list")
    return value


def text_lists(value: object) -> list[list[str]] | None:
    """Read a list of lists of texts; as text a JSON array of arrays."""
    if isinstance(value, str) and not value.strip():
        return None
    return [texts(inner) for inner in _parts(value)]


def category(value: object) -> list[str] | None:
    r"""Read a category path, root first; None when nothing is known.

    >>> category(r"Tools > Bits \> 5 mm")
    ['Tools', 'Bits > 5 mm']
    >>> category(["Tools", None])
    ['Tools']
    """
    if isinstance(value, str):
        parts: Sequence[object] = [
            part.replace("\\>", ">") for part in _SEPARATOR.split(value) if part.strip()
        ]
    elif isinstance(value, list):
        parts = value
    else:
        raise ValueError("is not a category path")
    path = []
    for part in parts:
        name = "" if part is None else text(part).strip()
        if not name:
            break
        path.append(name)
    return path or None


Attributes = list[dict[str, Any]]
"""`[{"key": str, "value": list[str]}]`, sorted by key."""


def attributes(value: object) -> Attributes | None:
    """Read named values; None when nothing is known.

    >>> attributes('{"width": 3.5, "colors": ["red", "blue"], "size": null}')
    [{'key': 'colors', 'value': ['red', 'blue']}, {'key': 'width', 'value': ['3.5']}]
    """
    if isinstance(value, str):
        if not value.strip():
            return None
        value = _from_json(value, "is not a JSON object")
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        value = {text(entry.get("key")): entry.get("value") for entry in value}
    if not isinstance(value, dict):
        raise ValueError("is not a mapping of names to values")
    return named_values({text(key): attribute_values(inner) for key, inner in value.items()})


def named_values(values: Mapping[str, list[str] | None]) -> Attributes | None:
    """Build attributes from the values of each name; names without a value are left out."""
    known = [{"key": key, "value": values[key]} for key in sorted(values) if values[key]]
    return known or None


def attribute_values(value: object) -> list[str]:
    """Read the values of one attribute: a list, or a single text, number or flag."""
    if value is None:
        return []
    if isinstance(value, str | list):
        parts = [_attribute_value(part) for part in _parts(value) if part is not None]
    else:
        parts = [_attribute_value(value)]
    return [part for part in parts if part.strip()]


def _attribute_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        return str(number(value))
    return text(value)


def parse_json(value: str) -> object:
    """Parse JSON that can be stored as UTF-8.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or escapes half a surrogate pair.
    """
    try:
        parsed: object = json.loads(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\ud" in value.lower():
        json.dumps(parsed, ensure_ascii=False).encode()
    return parsed


def _from_json(value: str, complaint: str) -> object:
    try:
        return parse_json(value)
    except ValueError:
        raise ValueError(complaint) from None


def _fast_text(series: pl.Series) -> pl.Series | None:
    named = isinstance(series.dtype, pl.String | pl.Categorical | pl.Enum)
    return series.cast(pl.String) if named or series.dtype.is_integer() else None


def _fast_number(series: pl.Series) -> pl.Series | None:
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        return None
    numbers = series.cast(pl.Float64, strict=False)
    return numbers.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first())).to_series()


def _fast_time(series: pl.Series) -> pl.Series | None:
    if series.dtype.is_integer() or series.dtype == pl.String:
        return series.cast(pl.Int64, strict=False)
    return None


def _fast_flag(series: pl.Series) -> pl.Series | None:
    return series if series.dtype == pl.Boolean else None


def _fast_texts(series: pl.Series) -> pl.Series | None:
    inner = getattr(series.dtype, "inner", None)
    if not isinstance(inner, pl.String) and not (inner is not None and inner.is_integer()):
        return None
    lists = pl.first().cast(pl.List(pl.String))
    whole = lists.list.drop_nulls().list.len() == lists.list.len()
    return series.to_frame().select(pl.when(whole).then(lists)).to_series()


@dataclass(frozen=True)
class Kind:
    """How the cells of one type of column are read.

    Attributes:
        dtype: the column's type.
        cell: reads one value that is not null; raises `ValueError("is not …")`.
        fast: reads a typed column at once, leaving null what `cell` has to look at; gives None for
            a type that it does not know. None where cells are always read one by one.
    """

    dtype: pl.DataType
    cell: Callable[[object], object]
    fast: Callable[[pl.Series], pl.Series | None] | None = None


TEXT: Final = Kind(pl.String(), text, _fast_text)
NUMBER: Final = Kind(pl.Float64(), number, _fast_number)
TIME: Final = Kind(pl.Int64(), time, _fast_time)
FLAG: Final = Kind(pl.Boolean(), flag, _fast_flag)
TEXTS: Final = Kind(pl.List(pl.String()), texts, _fast_texts)
TEXT_LISTS: Final = Kind(pl.List(pl.List(pl.String())), text_lists)
CATEGORY: Final = Kind(pl.List(pl.String()), category)
ATTRIBUTES: Final = Kind(
    pl.List(pl.Struct({"key": pl.String(), "value": pl.List(pl.String())})), attributes
)


class Converted(NamedTuple):
    """A column in our type.

    Attributes:
        values: `[n]`, null where a value was missing or unreadable.
        failed: what is wrong, and with which value, by the position of an unreadable value.
    """

    values: pl.Series
    failed: dict[int, tuple[str, str]]


def convert(column: Column, kind: Kind) -> Converted:
    """Convert a column, cell by cell only where the fast road does not lead."""
    typed = column if isinstance(column, pl.Series) else _as_text_column(column)
    fast = kind.fast(typed) if kind.fast and typed is not None else None
    if fast is not None and typed is not None and fast.null_count() == typed.null_count():
        return Converted(fast, {})
    values, failed = read_cells(column, kind.cell, known=None if fast is None else fast.to_list())
    return Converted(build(values, kind.dtype), failed)


def read_cells(
    column: Column, cell: Callable[[object], _T], *, known: list[_T | None] | None = None
) -> tuple[list[_T | None], dict[int, tuple[str, str]]]:
    """Read a column cell by cell, but for those that are `known`; returns values and failures."""
    values: list[_T | None] = [None] * len(column) if known is None else known
    failed = {}
    for row, given in enumerate(column.to_list() if isinstance(column, pl.Series) else column):
        if given is None or values[row] is not None:
            continue
        try:
            values[row] = cell(given)
        except ValueError as error:
            failed[row] = str(error), shorten(given)
    return values, failed


def build(values: Sequence[object], dtype: pl.DataType) -> pl.Series:
    """Build a column from Python values of its type."""
    if not dtype.is_nested() or not values:
        return pl.Series(values, dtype=dtype)
    # Polars builds nested columns value by value; through JSON it is many times as fast.
    rows = pl.Series([json.dumps(values)], dtype=pl.String).str.json_decode(pl.List(dtype))
    return rows.explode()


def shorten(value: object) -> str:
    """Show a value in at most about 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"


def _as_text_column(values: Sequence[object]) -> pl.Series | None:
    """Make a typed column if all values are text; mixed columns are read cell by cell."""
    if set(map(type, values)) <= {str, type(None)}:
        return pl.Series(values, dtype=pl.String)
    return None
