"""Cells that tell what a shopper had filtered by; equal filters become equal text.

A cell is a mapping as `Request.filters` has it, also as JSON, or conditions as on the command line,
in a list or between semicolons: `brand=Acme; price<=50`. What is null, blank or an empty list was
not filtered by: logs often name every filter that their page has.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from genrecall.data.config import TableSource
from genrecall.data.filters.expressions import parse_filters
from genrecall.data.filters.items import ItemFilters
from genrecall.data.filters.shop_names import ShopNames
from genrecall.data.filters.unusable import UnusableFilterError, UnusableFilters
from genrecall.data.tables import Catalog
from genrecall.data.values.cells import list_in_text, parse_json, text
from genrecall.data.values.convert import shorten
from genrecall.data.values.ids import IDS
from genrecall.data.values.times import seconds
from genrecall.foundation.errors import FilterError
from genrecall.text.clean import clean

_BETWEEN: Final = ";"
_NO_FILTERS: Final = (
    'are neither JSON such as {"brand": "Acme", "price": {"lte": 50}} nor conditions such as '
    "brand=Acme; price<=50"
)
_SHAPE: Final = "cannot be used: not a field, one of = != >= > <= <, and a value"
_WRITTEN: Final = "write it like 'price<=50' or 'category=Tools > Drills'"
_EXACT: Final = 2.0**53  # up to here a float tells whole numbers apart


class FilterCells:
    """Reads cells of filters.

    Args:
        catalog: what is filtered; each field and value must fit it. None takes any.
        cleans: whether texts lose HTML and unseen characters, as those of the catalog do.
        items: the table of the catalog; its own names of columns mean what they are mapped to.

    Attributes:
        unusable: the cells that could not be read, by cause.
    """

    def __init__(
        self,
        catalog: Catalog | None = None,
        *,
        cleans: bool = True,
        items: TableSource | None = None,
    ) -> None:
        self._items = None if catalog is None else ItemFilters(catalog)
        self._cleans = cleans
        fields = () if self._items is None else self._items.fields
        self._shop = ShopNames(items, fields)
        self._fitting: set[str] = set()  # conditions that were tried, of which most come again
        self.unusable = UnusableFilters()

    def cell(self, value: object) -> str | None:
        """Read filters as JSON with sorted keys; None where nothing was filtered by.

        >>> cells = FilterCells()
        >>> cells.cell("price<=50; brand=Acme")
        '{"brand": "Acme", "price": {"lte": 50}}'
        >>> cells.cell({"price": {"gte": None, "lte": 50.0}, "brand": ["Acme"], "color": []})
        '{"brand": "Acme", "price": {"lte": 50}}'
        """
        try:
            filters = self._told(self._shop.translated(self._read(value)))
            for name, condition in filters.items():
                self._check(name, condition)
        except ValueError as error:
            self.unusable.add(error, value)
            raise
        return _as_json(filters) if filters else None

    def notes(self) -> list[str]:
        """What should be known about the cells that were read."""
        return self._shop.notes()

    def _read(self, value: object) -> Mapping[str, object]:
        if isinstance(value, str):
            value = _in_text(value)
        if isinstance(value, list):
            if all(isinstance(part, str) for part in value):
                try:
                    return parse_filters((p for p in value if p.strip()), self._shop.field)
                except FilterError as error:
                    if error.field is None:
                        raise UnusableFilterError(_SHAPE, _WRITTEN) from None
                    raise UnusableFilterError(_unfit(error.field), str(error)) from None
            # A map of Parquet.
            if all(isinstance(part, dict) and part.keys() == {"key", "value"} for part in value):
                return {text(part["key"]): part["value"] for part in value}
        if not isinstance(value, dict):
            raise ValueError(_NO_FILTERS)
        return value

    def _told(self, filters: Mapping[str, object]) -> dict[str, Any]:
        """Conditions in the one form of those that equal them, but for those that tell nothing."""
        text_of = clean if self._cleans else str
        told = {
            text_of(name): _told(condition, str.strip if name in IDS else text_of)
            for name, condition in filters.items()
        }
        return {name: part for name, part in told.items() if name.strip() and part is not None}

    def _check(self, name: str, condition: object) -> None:
        """Refuse what an evaluation could not ask, before anything is trained."""
        written = _as_json({name: condition})
        if self._items is None or written in self._fitting:
            return
        if self._items.is_empty(name):
            raise UnusableFilterError(
                f"cannot be used: {self._items.say_empty(name)}",
                f"if your items have it, map `{name}` under `columns` of `items`",
            )
        try:
            self._items.mask({name: condition})
        except FilterError as error:
            if self._items.knows(name):
                raise UnusableFilterError(_unfit(name), str(error)) from None
            cause = f"cannot be used: unknown field {shorten(name)}"
            raise UnusableFilterError(cause, self._shop.explain(name) or str(error)) from None
        self._fitting.add(written)


def _told(value: object, text_of: Callable[[str], str]) -> Any:
    """Part of a condition; `text_of` makes of a text what is compared."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        written = text_of(value)
        return written if written.strip() else None
    if isinstance(value, Decimal | float):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("hold a number that is not finite")
        return int(number) if number.is_integer() and abs(number) < _EXACT else number
    if isinstance(value, datetime.date):
        return seconds(value)
    if isinstance(value, dict):
        named = {_told(name, text_of): _told(part, text_of) for name, part in value.items()}
        return {name: part for name, part in named.items() if None not in (name, part)} or None
    if isinstance(value, list):
        parts = (_told(part, text_of) for part in value)
        told = {_as_json(part): part for part in parts if part is not None}
        values = [told[written] for written in sorted(told)]
        return values if len(values) > 1 else next(iter(values), None)
    raise ValueError("hold something that is neither text, number nor flag")


def _unfit(name: str) -> str:
    return f"cannot be used: unfit condition on {shorten(name)}"


def _in_text(value: str) -> object:
    """JSON, a list as pandas writes it, or conditions."""
    if value.strip() == "null":
        return {}
    try:
        if value.lstrip().startswith("{"):
            return parse_json(value)
        if value.lstrip().startswith("["):
            return list_in_text(value)
    except ValueError:
        raise ValueError(_NO_FILTERS) from None
    return value.split(_BETWEEN)


def _as_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
