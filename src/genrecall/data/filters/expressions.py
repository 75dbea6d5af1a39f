"""Filters as they are written on the command line: `price<=50`, `brand=Acme`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from genrecall.data.filters.columns import BOUNDS
from genrecall.data.values.convert import shorten
from genrecall.data.values.numbers import NumberFormat
from genrecall.data.values.times import time
from genrecall.data.values.words import FlagFormat
from genrecall.foundation.errors import FilterError

_OPERATOR: Final = re.compile(r"<=|>=|!=|[=<>]")
_OPERATORS: Final = {"=": "is", "!=": "not", ">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_number: Final = NumberFormat().cell
_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "price": _number,
    "score": _number,
    "available": FlagFormat().cell,
    "updated_at": time,
}


def parse_filters(
    expressions: Iterable[str], field_of: Callable[[str], str] = str
) -> dict[str, Any]:
    """Read filters as they are written on the command line.

    An expression is a field, one of `= != >= > <= <`, and a value. Several on one field add up:
    bounds to an interval, `=` to any of the values, `!=` to none of them.

    Args:
        expressions: conditions.
        field_of: the field that a name means.

    Raises:
        FilterError: not of that form, a value that does not fit its field, or conditions on one
            field that do not add up.

    >>> parse_filters(["price>=10", "price<50", "brand=Acme", "color!=red"])
    {'price': {'gte': 10.0, 'lt': 50.0}, 'brand': 'Acme', 'color': {'not': 'red'}}
    >>> parse_filters(["category=Tools > Drills", "category=Saws", "width>=60"])
    {'category': ['Tools > Drills', 'Saws'], 'width': {'gte': 60.0}}
    """
    found: dict[str, dict[str, list[object]]] = {}
    for expression in expressions:
        name, kind, value = _parse(expression, field_of)
        found.setdefault(name, {}).setdefault(kind, []).append(value)
    return {name: _add_up(name, conditions) for name, conditions in found.items()}


def _parse(expression: str, field_of: Callable[[str], str]) -> tuple[str, str, object]:
    sign = _OPERATOR.search(expression)
    name = expression[: sign.start()].strip() if sign else ""
    name = field_of(name)
    text = expression[sign.end() :].strip() if sign else ""
    if sign is None or not name or not text or "!" in name:
        raise FilterError(
            f"{shorten(expression)} is not a filter; write a field, one of = != >= > <= <, "
            "and a value, such as 'price<=50' or 'category=Tools > Drills'."
        )
    kind = _OPERATORS[sign[0]]
    # Only numbers have bounds; what an attribute holds, the catalog knows.
    read = _READERS.get(name, _number if kind in BOUNDS else str)
    try:
        return name, kind, read(text)
    except ValueError as error:
        shown = shorten(text)
        raise FilterError(f"filter {shorten(expression)}: {shown} {error}.", field=name) from None


def _add_up(name: str, conditions: Mapping[str, list[object]]) -> object:
    if len(conditions) > 1 and not conditions.keys() <= BOUNDS.keys():
        raise FilterError(
            f"the filters on {name!r} do not add up; give it bounds, or values with =, or values "
            "with !=, not several of these.",
            field=name,
        )
    (kind, values), *_ = conditions.items()
    if kind in BOUNDS:
        twice = [bound for bound, given in conditions.items() if len(given) > 1]
        if twice:
            raise FilterError(
                f"filter on {name!r} gives the bound {twice[0]!r} twice; give one.", field=name
            )
        return {bound: given[0] for bound, given in conditions.items()}
    condition = values[0] if len(values) == 1 else values
    return {"not": condition} if kind == "not" else condition
