"""Columns as a reader gives them to columns of our types, cell by cell only where it must be."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import polars as pl

Column = pl.Series | Sequence[object]
"""A column as a reader gives it: typed (Parquet) or Python values (JSONL, CSV)."""

_T = TypeVar("_T")


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
