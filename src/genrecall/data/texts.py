"""The texts that describe an item: its title, and what else the catalog says of it in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

TITLE: Final = "title"

TEXT_FIELDS: Final = (TITLE, "brand", "attributes", "description")
"""Columns of `ITEMS` that hold text."""


def field_texts(items: pl.DataFrame, field: str) -> list[str]:
    """The text of a field of each item; empty where it has none.

    Args:
        items: columns of `ITEMS`, this one among them.
        field: one of `TEXT_FIELDS`; of `attributes` the values are read, not the keys.

    >>> items = pl.DataFrame({"brand": ["Acme", None]})
    >>> field_texts(items, "brand")
    ['Acme', '']
    """
    cells = items[field].to_list()
    if field == "attributes":
        return [_values(cell or ()) for cell in cells]
    return [cell or "" for cell in cells]


def _values(attributes: Sequence[dict[str, Any]]) -> str:
    return " ".join(value for pair in attributes for value in pair["value"] or ())
