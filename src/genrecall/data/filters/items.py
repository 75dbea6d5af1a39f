r"""Filters of a request: which items may be in the answer.

A filter maps fields to conditions that must all hold:

- a value, or a list of values of which one must hold: `{"brand": ["Acme", "Bolt"]}`
- bounds: `{"price": {"gte": 10, "lt": 50}}` with `gte`, `gt`, `lte`, `lt`, for numbers
- `{"not": condition}`

An item without a value meets no condition, and so every `not`: `{"brand": {"not": "Acme"}}` keeps
items of unknown brand. Only an item of unknown availability counts as available, as everywhere.
Texts are compared without letter case; `item_id` and `group_id`, which are names, to the letter.

A category is given by one name, which may stand anywhere in an item's path (`"Drills"`), or by the
beginning of a path (`"Tools > Drills"`, a literal > written `\>`). An attribute is given by its
key, or by `attributes.KEY` where the key is also the name of a column; one of its values must hold.
Values of attributes that are written as numbers have bounds and equal numbers; flags are `true` and
`false`.

Shapes: `N` items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from genrecall.data.filters.columns import (
    BOUNDS,
    Attribute,
    Column,
    Flags,
    Ids,
    Mask,
    Names,
    Numbers,
    Paths,
    Texts,
    attribute_columns,
)
from genrecall.data.filters.given import seconds
from genrecall.data.filters.no_hits import NoHits
from genrecall.data.tables import Catalog
from genrecall.data.values.convert import shorten
from genrecall.foundation.arguments import plain, values_of
from genrecall.foundation.errors import FilterError, unknown_name

Filters = Mapping[str, Any]
"""`{field: value | [any of] | {"gte": x, "lte": y} | {"not": …}}`, as above."""

_COLUMNS: Final[Mapping[str, Callable[[Catalog], Column]]] = {
    "item_id": Ids,
    "category": lambda catalog: Paths(catalog.frame["category"]),
    "brand": lambda catalog: Texts(catalog.frame["brand"]),
    "price": lambda catalog: Numbers(catalog.frame["price"]),
    "score": lambda catalog: Numbers(catalog.frame["score"]),
    "available": lambda catalog: Flags(catalog.frame["available"], unknown=True),
    "group_id": lambda catalog: Names(catalog.frame["group_id"]),
    "updated_at": lambda catalog: Numbers(catalog.frame["updated_at"], seconds),
}
COLUMNS: Final = tuple(_COLUMNS)
"""Columns of `ITEMS` that can be filtered, beside the attributes."""

_ATTRIBUTE: Final = "attributes."
_LISTED_KEYS: Final = 30  # attribute keys that an error message lists
_SHOWN: Final = 3  # values of a condition that a message repeats
_SIGNS: Final = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


class _Condition(NamedTuple):
    """What a field must hold: one of `values`, or a value within `bounds`; or not."""

    values: list[Any]
    bounds: Mapping[str, object]
    wanted: bool

    def __str__(self) -> str:
        bounds = (f"{_SIGNS[name]} {_shown(bound)}" for name, bound in self.bounds.items())
        values = " or ".join(map(_shown, self.values[:_SHOWN]))
        more = " …" if len(self.values) > _SHOWN else ""
        return ("" if self.wanted else "not ") + (" and ".join(bounds) or values) + more


class ItemFilters:
    """A catalog's items, ready to be filtered.

    Columns are made when they are first asked for: a request without filters waits for none, and a
    catalog needs no others.

    Args:
        catalog: the items.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._columns: dict[str, Column] = {}

    def prepare(self) -> None:
        """Make now what is otherwise made when it is first needed."""
        _ = self._attributes, self._empty, [self._find(name) for name in COLUMNS]

    @cached_property
    def _attributes(self) -> dict[str, Attribute]:
        return attribute_columns(self._catalog.frame["attributes"])

    @property
    def fields(self) -> list[str]:
        """Names of the columns and attributes that can be filtered."""
        return [*COLUMNS, *sorted(self._attributes.keys() - _COLUMNS.keys())]

    def attribute(self, name: str) -> str | None:
        """The key of the attribute that a field's name means; None where it means none."""
        key = name.removeprefix(_ATTRIBUTE)
        return key if key in self._attributes else None

    def unknown(self, what: str, name: str, columns: Iterable[str]) -> str:
        """Say that a field is neither one of the columns nor an attribute."""
        known = [*columns, *sorted(self._attributes)[:_LISTED_KEYS]]
        left = len(self._attributes) - _LISTED_KEYS
        more = f" And {left} more attributes." if left > 0 else ""
        return unknown_name(what, name, known) + more

    def knows(self, name: str) -> bool:
        """Whether there is a field of that name, be it empty."""
        return self._find(name) is not None

    def is_empty(self, name: str) -> bool:
        """Whether no item has a value of a column; of unknown availability is one, too."""
        return name in self._empty

    def say_empty(self, name: str) -> str:
        """Say that a column is, and which attribute of that name is not."""
        of_attribute = _ATTRIBUTE + name
        there = f"; the attribute is {of_attribute}" if self.attribute(name) is not None else ""
        return f"no item has any {name}{there}"

    @cached_property
    def _empty(self) -> frozenset[str]:
        return frozenset(
            name for name in COLUMNS if name != "available" and _is_empty(self._catalog.frame[name])
        )

    def mask(self, filters: Filters | None) -> Mask:
        """Which items pass: bool `[N]`; all of them without filters.

        Raises:
            FilterError: an unknown field, or a condition that does not fit its field.
        """
        passing = np.ones(len(self._catalog), dtype=np.bool_)
        if filters is not None and not isinstance(filters, Mapping):
            raise FilterError(
                f"filters {shorten(filters)} must map fields to conditions, such as "
                "{'price': {'lte': 50}}."
            )
        for name, condition in (filters or {}).items():
            passing &= self._meets(name, condition)
        return passing

    def why_none(self, filters: Filters) -> NoHits | None:
        """Why no item passes filters; None if some do.

        Raises:
            FilterError: see `mask`.
        """
        if self.mask(filters).any():
            return None
        counts = {name: int(self._meets(name, given).sum()) for name, given in filters.items()}
        alone = [name for name, count in counts.items() if not count]
        if not alone:
            each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            return NoHits(
                "no_intersection",
                f"no item passes all filters together; the items that pass each alone: {each}",
            )
        told = [self.say_empty(name) for name in alone if self.is_empty(name)]
        for name in (name for name in alone if not self.is_empty(name)):
            condition = _read(filters[name])
            hint = self._column(name).hint(condition.values) if condition.wanted else ""
            told.append(f"no item has {name} {condition}" + (f"; {hint}" if hint else ""))
        return NoHits("no_such_value", ". ".join(told))

    def _column(self, name: object) -> Column:
        if not isinstance(name, str):
            raise FilterError(
                f"the filter field {shorten(name)} is not text; give the name of a field."
            )
        if (column := self._find(name)) is None:
            raise FilterError(self.unknown("filter field", name, COLUMNS))
        return column

    def _find(self, name: str) -> Column | None:
        """A column by its name, else an attribute by its key."""
        if name in _COLUMNS:
            if name not in self._columns:
                self._columns[name] = _COLUMNS[name](self._catalog)
            return self._columns[name]
        key = self.attribute(name)
        return None if key is None else self._attributes[key]

    def _meets(self, name: str, given: object) -> Mask:
        column = self._column(name)
        try:
            values, bounds, wanted = _read(given)
            meets = column.within(bounds) if bounds else column.any_of(values)
        except ValueError as error:
            raise FilterError(f"filter on {name!r}: {error}.") from None
        return meets if wanted else ~meets


def describe_filters(filters: Filters) -> str:
    """Say filters in a line.

    Raises:
        ValueError: an unusable condition.

    >>> describe_filters({"brand": "Acme", "price": {"gte": 10, "lt": 50}})
    "brand 'Acme', price >= 10 and < 50"
    """
    return ", ".join(f"{name} {_read(condition)}" for name, condition in filters.items())


def _is_empty(values: pl.Series) -> bool:
    known = values.drop_nulls()
    return not (known.str.strip_chars() != "").any() if known.dtype == pl.String else not len(known)


def _read(given: object) -> _Condition:
    wanted = True
    while isinstance(given, Mapping) and given.keys() == {"not"}:
        wanted, given = not wanted, given["not"]
    if isinstance(given, Mapping):
        if not given or given.keys() - BOUNDS.keys():
            names = ", ".join(map(repr, given)) or "nothing"
            raise ValueError(
                f"a condition in braces holds {names}; it must hold one or more of "
                f"{', '.join(map(repr, BOUNDS))}, or only 'not'"
            )
        return _Condition([], {name: plain(bound) for name, bound in given.items()}, wanted)
    values = values_of(given)
    if not values:
        raise ValueError("an empty list holds nothing to match; leave the field out")
    return _Condition(values, {}, wanted)


def _shown(value: object) -> str:
    return f"{value:.12g}" if isinstance(value, float) else shorten(value)
