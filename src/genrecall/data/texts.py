"""The texts that describe an item: its title, and what else the catalog says of it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

TITLE: Final = "title"

TEXT_FIELDS: Final = (TITLE, "brand", "attributes", "description")
"""Columns of `ITEMS` that hold text."""


_WORDS: Final = 60
"""Of what stands beside a title, read for its meaning as a whole."""


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


def texts_beside(items: pl.DataFrame, fields: Sequence[str]) -> list[str]:
    """What stands beside each title, all fields together; no more words than say what it is.

    Args:
        items: columns of `ITEMS`, these among them.
        fields: of `TEXT_FIELDS` but the title.

    >>> items = pl.DataFrame({"brand": ["Acme", None], "description": ["Turns  screws.", None]})
    >>> texts_beside(items, ["brand", "description"])
    ['Acme Turns screws.', '']
    """
    texts = [field_texts(items, field) for field in fields]
    if not texts:
        return [""] * len(items)
    return [" ".join(" ".join(of).split()[:_WORDS]) for of in zip(*texts, strict=True)]


def names_beside(texts: Mapping[str, Sequence[str]]) -> list[str]:
    """What brand and attributes of each item say: words that are written with care.

    Args:
        texts: of the items, by field, the title among them.
    """
    none = [""] * len(texts[TITLE])
    both = zip(texts.get("brand", none), texts.get("attributes", none), strict=True)
    return [" ".join(of).strip() for of in both]


def longer_texts(texts: Mapping[str, Sequence[str]]) -> list[str]:
    """The distinct descriptions: variants of a product share theirs, slips and all.

    Args:
        texts: of the items, by field.
    """
    return list(dict.fromkeys(filter(None, texts.get("description", ()))))


def _values(attributes: Sequence[dict[str, Any]]) -> str:
    return " ".join(value for pair in attributes for value in pair["value"] or ())
