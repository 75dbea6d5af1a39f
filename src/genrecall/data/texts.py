"""The texts that describe an item: its title, and what else the catalog says of it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def beside_titles(texts: Mapping[str, Sequence[str]]) -> list[str]:
    """The distinct texts of all fields but the title: variants of a product share theirs.

    Args:
        texts: of the items, by field.
    """
    return list(dict.fromkeys(text for name in texts if name != TITLE for text in texts[name]))


def _values(attributes: Sequence[dict[str, Any]]) -> str:
    return " ".join(value for pair in attributes for value in pair["value"] or ())
