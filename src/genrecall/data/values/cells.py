r"""What a single cell means: text, lists, attributes, and JSON.

Numbers, times, flags and categories have modules of their own, since a table's dialect decides how
they are written; `reading.CellReader` puts all together. The rules are the same for Parquet, CSV
and JSONL:

- text: as it stands; a whole number becomes its digits.
- list: a list; as text a JSON array (`["a", "b"]`), a Python list, an array of PostgreSQL
  (`{a,"b c"}`), or parts between separators.
- attributes: a mapping of names to a value or values; as text a JSON object.

Each rule says what is wrong with a value it cannot take. Blank text is a missing value, except in
text columns, where "" and null differ.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from genrecall.data.values.convert import Kind
from genrecall.data.values.numbers import NumberFormat

LIST_SEPARATOR: Final = "|"
ARRAY: Final = "{,}"
"""In the place of a separator of ids: they stand in arrays of PostgreSQL."""


def text(value: object) -> str:
    """Read a text or a whole number."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("is neither text nor a whole number")


def texts(value: object, separator: str = LIST_SEPARATOR) -> list[str]:
    """Read a list of texts or whole numbers.

    >>> texts("12|13") == texts('["12", "13"]') == texts([12, 13]) == texts("12; 13", ";")
    True
    >>> texts("{12}"), texts("{12}", "{,}")
    (['{12}'], ['12'])
    """
    return [text(part) for part in _parts(value, separator)]


def _parts(value: object, separator: str = LIST_SEPARATOR) -> Sequence[object]:
    if isinstance(value, str):
        # What stands in braces may be a single id, such as one of SQL Server.
        if separator == ARRAY and is_array(value):
            return [part for part in list_in_text(value) if part is not None]
        if not value.lstrip().startswith("["):
            return [part.strip() for part in value.split(separator) if part.strip()]
        value = list_in_text(value)
    if not isinstance(value, list):
        raise ValueError("is not a list")
    return value


def text_lists(value: object, separator: str = LIST_SEPARATOR) -> list[list[str]] | None:
    """Read a list of lists of texts; as text a JSON array of arrays."""
    if isinstance(value, str) and not value.strip():
        return None
    return [texts(inner, separator) for inner in _parts(value, separator)]


_ENTRY: Final = r"""(?:"(?:[^"\\]|\\.)*"\s*|[^\s"',{}\\][^",{}\\]*)"""
_ARRAY: Final = re.compile(rf"\s*\{{\s*(?:{_ENTRY}(?:,\s*{_ENTRY})*)?\}}\s*", re.DOTALL)
_ENTRIES: Final = re.compile(_ENTRY, re.DOTALL)


def is_list_in_text(value: str) -> bool:
    """Whether a text is for `list_in_text`, and not a name or parts between separators.

    >>> [is_list_in_text(text) for text in ("['a']", "{a,b}", '{"a": 1}', "a|b")]
    [True, True, False, False]
    """
    return value.lstrip().startswith("[") or is_array(value)


def is_array(value: str) -> bool:
    """Whether a text is an array as PostgreSQL writes it."""
    return _ARRAY.fullmatch(value) is not None


def list_in_text(value: str) -> list[object]:
    """Read a list in JSON, as pandas writes lists and arrays into CSV, or an array of PostgreSQL.

    >>> list_in_text("['a', 'b']") == list_in_text("['a' 'b']") == list_in_text("{a,b}")
    True
    """
    if is_array(value):
        return [_array_entry(entry) for entry in _ENTRIES.findall(value)]
    try:
        parsed = parse_json(value)
    except ValueError:
        parsed = _python_list(value)
    if not isinstance(parsed, list):
        raise ValueError("is not a JSON array")
    return parsed


def _array_entry(entry: str) -> str | None:
    written = entry.strip()
    if written.startswith('"'):
        return re.sub(r"\\(.)", r"\1", written[1:-1], flags=re.DOTALL)
    return None if written.upper() == "NULL" else written


def _python_list(value: str) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a backslash
            parsed = ast.literal_eval(value.strip())
            words = [
                ast.literal_eval(token.string)
                for token in tokenize.generate_tokens(io.StringIO(value.strip()).readline)
                if token.type == tokenize.STRING
            ]
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        raise ValueError("is not a JSON array") from None
    # Without a comma, as NumPy writes arrays, Python would join two words to one.
    flat = isinstance(parsed, list) and all(isinstance(part, str) for part in parsed)
    return words if flat else parsed


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
        try:
            value = parse_json(value)
        except ValueError:
            raise ValueError("is not a JSON object") from None
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
        array = isinstance(value, str) and is_array(value)
        listed = _parts(value, ARRAY if array else LIST_SEPARATOR)
        parts = [_attribute_value(part) for part in listed if part is not None]
    else:
        parts = [_attribute_value(value)]
    return [part for part in parts if part.strip()]


_NUMBER: Final = NumberFormat()


def _attribute_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        return str(_NUMBER.cell(value))
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


def _fast_text(series: pl.Series) -> pl.Series | None:
    named = isinstance(series.dtype, pl.String | pl.Categorical | pl.Enum)
    return series.cast(pl.String) if named or series.dtype.is_integer() else None


def fast_texts(series: pl.Series) -> pl.Series | None:
    """Read a column of lists at once, but for lists with a null."""
    inner = getattr(series.dtype, "inner", None)
    if not isinstance(inner, pl.String) and not (inner is not None and inner.is_integer()):
        return None
    lists = pl.first().cast(pl.List(pl.String))
    whole = lists.list.drop_nulls().list.len() == lists.list.len()
    return series.to_frame().select(pl.when(whole).then(lists)).to_series()


TEXT: Final = Kind(pl.String(), text, _fast_text)
TEXTS_TYPE: Final = pl.List(pl.String())
TEXT_LISTS_TYPE: Final = pl.List(pl.List(pl.String()))
ATTRIBUTES_TYPE: Final = pl.List(pl.Struct({"key": pl.String(), "value": pl.List(pl.String())}))
