"""What hits show of their items: columns of the catalog, and attributes by their keys.

A name means what it means in filters: a column, or else the attribute of that key; with
`attributes.` before it always the attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from genrecall.data.tables import ITEMS, Rows
from genrecall.foundation.errors import RequestError
from genrecall.index.live import LiveItems

_ATTRIBUTES: Final = "attributes"


def check_fields(items: LiveItems, fields: Iterable[str]) -> None:
    """Refuse what no item can show.

    Raises:
        RequestError: neither a column nor an attribute.
    """
    for name in fields:
        _where(items, name)


def read_fields(items: LiveItems, fields: Iterable[str], rows: Rows) -> dict[str, list[Any]]:
    """What some items show, by field; None for an item that has nothing there.

    Args:
        items: the catalog.
        fields: names of columns and attributes.
        rows: of the catalog, `[n]`.

    Raises:
        RequestError: neither a column nor an attribute.
    """
    shown = {}
    for name in fields:
        column, key = _where(items, name)
        # Column by column: a query of polars would need threads, which a forked process has not.
        values = items.catalog.frame[column][rows].to_list()
        if column == _ATTRIBUTES:
            values = list(map(_by_key, values))
        shown[name] = values if key is None else [(pairs or {}).get(key) for pairs in values]
    return shown


def _where(items: LiveItems, name: str) -> tuple[str, str | None]:
    """The column that holds a field, and the key of an attribute in it."""
    if name in ITEMS:
        return name, None
    key = items.filters.attribute(name)
    if key is None:
        raise RequestError(items.filters.unknown("field of an item", name, ITEMS))
    return _ATTRIBUTES, key


def _by_key(attributes: Sequence[Mapping[str, Any]] | None) -> dict[str, list[str]] | None:
    if attributes is None:
        return None
    return {attribute["key"]: attribute["value"] for attribute in attributes}
