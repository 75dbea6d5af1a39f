r"""Filters of a request: which items may be in the answer.

A filter maps fields to conditions that must all hold:

- a value, or a list of values of which one must hold: `{"brand": ["Acme", "Bolt"]}`
- bounds: `{"price": {"gte": 10, "lt": 50}}` with `gte`, `gt`, `lte`, `lt`, for numbers
- `{"not": condition}`

An item without a value meets no condition, and so every `not`: `{"brand": {"not": "Acme"}}` keeps
items of unknown brand. Texts are compared as they stand in the catalog, letter case included.

A category is given by one name, which may stand anywhere in an item's path (`"Drills"`), or by the
beginning of a path (`"Tools > Drills"`, a literal > written `\>`). An attribute is given by its
key, or by `attributes.KEY` where the key is also the name of a column; one of its values must hold.

Shapes: `N` items.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.category_cells import CategoryFormat
from genrecall.data.numbers import NumberFormat
from genrecall.data.times import time
from genrecall.data.words import FlagFormat
from genrecall.foundation.errors import FilterError, unknown_name

Mask = NDArray[np.bool_]

Filters = Mapping[str, Any]
"""`{field: value | [any of] | {"gte": x, "lte": y} | {"not": …}}`, as above."""

COLUMNS: Final = ("category", "brand", "price", "score", "available", "group_id", "updated_at")
"""Columns of `ITEMS` that can be filtered, beside the attributes."""

_BOUNDS: Final[Mapping[str, Callable[[NDArray[np.float64], float], Mask]]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}
_ATTRIBUTE: Final = "attributes."
_LISTED_KEYS: Final = 30  # attribute keys that an error message lists


class ItemFilters:
    """A catalog's items, ready to be filtered.

    Args:
        items: columns and types of `ITEMS`.
    """

    def __init__(self, items: pl.DataFrame) -> None:
        self._items = items
        self._n = items.height

    # Made when first needed: a request without filters does not wait for them.
    @cached_property
    def _columns(self) -> dict[str, _Column]:
        items = self._items
        return {
            "category": _Paths(items["category"]),
            "brand": _Texts(items["brand"]),
            "price": _Numbers(items["price"]),
            "score": _Numbers(items["score"]),
            "available": _Flags(items["available"]),
            "group_id": _Texts(items["group_id"]),
            "updated_at": _Numbers(items["updated_at"]),
        }

    @cached_property
    def _attributes(self) -> dict[str, _Values]:
        return _attribute_columns(self._items["attributes"])

    @property
    def fields(self) -> list[str]:
        """Names of the columns and attributes that can be filtered."""
        return [*self._columns, *sorted(self._attributes.keys() - self._columns.keys())]

    def mask(self, filters: Mapping[str, Any] | None) -> Mask:
        """Which items pass: bool `[N]`; all of them without filters.

        Raises:
            FilterError: an unknown field, or a condition that does not fit its field.
        """
        passing = np.ones(self._n, dtype=np.bool_)
        if filters is not None and not isinstance(filters, Mapping):
            raise FilterError(
                f"filters {filters!r} must map fields to conditions, such as "
                "{'price': {'lte': 50}}."
            )
        for name, condition in (filters or {}).items():
            passing &= self._meets(name, self._column(name), condition)
        return passing

    def _column(self, name: str) -> _Column:
        if name in self._columns:
            return self._columns[name]
        key = name.removeprefix(_ATTRIBUTE)
        if key in self._attributes:
            return self._attributes[key]
        known = [*COLUMNS, *sorted(self._attributes)[:_LISTED_KEYS]]
        left = len(self._attributes) - _LISTED_KEYS
        more = f" And {left} more attributes." if left > 0 else ""
        raise FilterError(unknown_name("filter field", name, known) + more)

    def _meets(self, name: str, column: _Column, condition: object) -> Mask:
        try:
            if isinstance(condition, Mapping):
                if condition.keys() == {"not"}:
                    return ~self._meets(name, column, condition["not"])
                return self._within(column, condition)
            values = list(condition) if isinstance(condition, list | tuple) else [condition]
            if not values:
                raise ValueError("an empty list holds nothing to match; leave the field out")
            return column.any_of(values)
        except ValueError as error:
            raise FilterError(f"filter on {name!r}: {error}.") from None

    def _within(self, column: _Column, condition: Mapping[str, object]) -> Mask:
        if not condition or condition.keys() - _BOUNDS.keys():
            given = ", ".join(map(repr, condition)) or "nothing"
            raise ValueError(
                f"a condition in braces holds {given}; it must hold one or more of "
                f"{', '.join(map(repr, _BOUNDS))}, or only 'not'"
            )
        if not isinstance(column, _Numbers):
            raise ValueError("bounds are for price, score and updated_at; give values instead")
        return column.within(condition)


class _Column(Protocol):
    def any_of(self, values: list[object]) -> Mask:
        """Items that have one of the values: bool `[N]`; ValueError says what is wrong."""


class _Texts:
    def __init__(self, values: pl.Series) -> None:
        self._values = values

    def any_of(self, values: list[object]) -> Mask:
        wanted = [_text(value) for value in values]
        return self._values.is_in(wanted).fill_null(value=False).to_numpy()


class _Flags:
    def __init__(self, values: pl.Series) -> None:
        self._values = values

    def any_of(self, values: list[object]) -> Mask:
        for value in values:
            if not isinstance(value, bool):
                raise ValueError(f"{value!r} is not true or false")
        return self._values.is_in(values).fill_null(value=False).to_numpy()


class _Numbers:
    def __init__(self, values: pl.Series) -> None:
        # Nothing equals NaN or lies on one side of it. Whole numbers are exact up to 2**53.
        self._values = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    def any_of(self, values: list[object]) -> Mask:
        return np.isin(self._values, [_number(value) for value in values])

    def within(self, bounds: Mapping[str, object]) -> Mask:
        passing = np.ones(len(self._values), dtype=np.bool_)
        for name, bound in bounds.items():
            passing &= _BOUNDS[name](self._values, _number(bound))
        return passing


class _Paths:
    def __init__(self, paths: pl.Series) -> None:
        # A shop has far fewer paths than items: they are matched once each.
        unique = paths.unique(maintain_order=True)
        self._paths = [tuple(path or ()) for path in unique.to_list()]
        at = {path: number for number, path in enumerate(self._paths)}
        self._of_item = np.array(
            [at[tuple(path or ())] for path in paths.to_list()], dtype=np.int64
        )

    def any_of(self, values: list[object]) -> Mask:
        wanted = [_path(value) for value in values]
        meets = np.array(
            [any(_under(path, start) for start in wanted) for path in self._paths], dtype=np.bool_
        )
        return meets[self._of_item]


class _Values:
    """The values of one attribute: `values[i]` is one of item `rows[i]`."""

    def __init__(self, rows: NDArray[np.int64], values: pl.Series, *, n: int) -> None:
        self._rows, self._values, self._n = rows, values, n

    def any_of(self, values: list[object]) -> Mask:
        meets = self._values.is_in([_text(value) for value in values]).to_numpy()
        passing = np.zeros(self._n, dtype=np.bool_)
        passing[self._rows[meets]] = True
        return passing


def _attribute_columns(attributes: pl.Series) -> dict[str, _Values]:
    long = (
        pl.DataFrame({"row": np.arange(len(attributes)), "attribute": attributes})
        .explode("attribute")
        .unnest("attribute")
        .explode("value")
        .drop_nulls()
    )
    return {
        str(key): _Values(part["row"].to_numpy(), part["value"], n=len(attributes))
        for (key,), part in long.partition_by("key", as_dict=True).items()
    }


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text; give it in quotes")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError(f"{value!r} is not a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _path(value: object) -> tuple[str, ...]:
    path = _CATEGORY.cell(value) if isinstance(value, str) else None
    if path is None:
        raise ValueError(f"{value!r} is not a category; give a name or a path like 'Tools > Saws'")
    return tuple(path)


def _under(path: tuple[str, ...], start: tuple[str, ...]) -> bool:
    return start[0] in path if len(start) == 1 else path[: len(start)] == start


_EXPRESSION: Final = re.compile(r"\s*([^<>=!]*[^<>=!\s])\s*(<=|>=|!=|=|<(?!=)|>(?!=))\s*(.*\S)\s*")
_OPERATORS: Final = {"=": "is", "!=": "not", ">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_CATEGORY: Final = CategoryFormat()
_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "price": NumberFormat().cell,
    "score": NumberFormat().cell,
    "available": FlagFormat().cell,
    "updated_at": time,
}


def parse_filters(expressions: Iterable[str]) -> dict[str, Any]:
    """Read filters as they are written on the command line.

    An expression is a field, one of `= != >= > <= <`, and a value. Several on one field add up:
    bounds to an interval, `=` to any of the values, `!=` to none of them.

    Raises:
        FilterError: not of that form, a value that does not fit its field, or conditions on one
            field that do not add up.

    >>> parse_filters(["price>=10", "price<50", "brand=Acme", "color!=red"])
    {'price': {'gte': 10.0, 'lt': 50.0}, 'brand': 'Acme', 'color': {'not': 'red'}}
    >>> parse_filters(["category=Tools > Drills", "category=Saws", "available=yes"])
    {'category': ['Tools > Drills', 'Saws'], 'available': True}
    """
    found: dict[str, dict[str, list[object]]] = {}
    for expression in expressions:
        name, kind, value = _parse(expression)
        found.setdefault(name, {}).setdefault(kind, []).append(value)
    return {name: _add_up(name, conditions) for name, conditions in found.items()}


def _parse(expression: str) -> tuple[str, str, object]:
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise FilterError(
            f"{expression!r} is not a filter; write a field, one of = != >= > <= <, and a value, "
            "such as 'price<=50' or 'category=Tools > Drills'."
        )
    name, sign, text = match.groups()
    try:
        return name, _OPERATORS[sign], _READERS.get(name, str)(text)
    except ValueError as error:
        raise FilterError(f"filter {expression!r}: {text!r} {error}.") from None


def _add_up(name: str, conditions: Mapping[str, list[object]]) -> object:
    if len(conditions) > 1 and not conditions.keys() <= _BOUNDS.keys():
        raise FilterError(
            f"the filters on {name!r} do not add up; give it bounds, or values with =, or values "
            "with !=, not several of these."
        )
    (kind, values), *_ = conditions.items()
    if kind in _BOUNDS:
        twice = [bound for bound, given in conditions.items() if len(given) > 1]
        if twice:
            raise FilterError(f"filter on {name!r} gives the bound {twice[0]!r} twice; give one.")
        return {bound: given[0] for bound, given in conditions.items()}
    condition = values[0] if len(values) == 1 else values
    return {"not": condition} if kind == "not" else condition
