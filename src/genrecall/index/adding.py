"""Items that enter after the models were trained: what they must look like, and how they enter.

They come as a frame in the columns and types of `ITEMS`, as the data stage writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from genrecall.data.tables import ITEMS, Catalog
from genrecall.data.texts import texts_beside
from genrecall.data.validate import ITEMS_SCHEMA
from genrecall.embed.views import Views
from genrecall.foundation.errors import DataError
from genrecall.index.live import LiveItems
from genrecall.quantize.load import FrozenSids

_EXAMPLES: Final = 3


def add_items(
    live: LiveItems, items: pl.DataFrame, *, encoder: Views, sids: FrozenSids
) -> LiveItems:
    """What can be answered with once more items are there; a generator has not yet seen it.

    Args:
        live: the items so far.
        items: columns and types of `ITEMS`, the columns in any order; may be empty.
        encoder: of stage `embed`.
        sids: those in use, of which each new item takes the nearest.

    Raises:
        DataError: see `extend_catalog`.
    """
    catalog = extend_catalog(live.catalog, items)
    others = texts_beside(catalog.frame[len(live) :], encoder.beside.fields)
    vectors = encoder.encode_items(catalog.titles[len(live) :], others)
    codes = sids.assign_new(vectors, catalog.categories[len(live) :])
    return live.grown(catalog, codes, vectors)


def extend_catalog(catalog: Catalog, items: pl.DataFrame) -> Catalog:
    """The catalog with more items behind its own, whose rows stay.

    Args:
        catalog: the items so far.
        items: columns and types of `ITEMS`, the columns in any order; may be empty.

    Raises:
        DataError: other columns or types, an item without `item_id` or `title`, a negative or
            infinite price or score, an `item_id` that occurs twice or is in the catalog.
    """
    _check_columns(items)
    for name in ITEMS_SCHEMA.required:
        blank = items[name].is_null() | (items[name].str.strip_chars() == "")
        _refuse(items, blank, f"have no {name}; give each item one")
    for name in ITEMS_SCHEMA.nonnegative:
        unusable = ~(items[name].is_finite() & (items[name] >= 0))
        _refuse(items, unusable, f"have a {name} that is not a finite number of at least 0")
    ids = items["item_id"]
    _refuse(items, ids.is_duplicated(), "share an item_id with another one; give each item its own")
    _refuse(
        items,
        ids.is_in(catalog.item_ids),
        "are in the catalog already, and items can only be added; leave these out",
    )
    return Catalog(pl.concat([catalog.frame, items.select(*ITEMS)], rechunk=True))


def _check_columns(items: pl.DataFrame) -> None:
    if not isinstance(items, pl.DataFrame):
        raise DataError(
            f"new items are a polars DataFrame with the columns and types of the items table, and "
            f"this is a {type(items).__name__}; `genrecall.data.validate.read_table` makes one of "
            "a file."
        )
    wrong = [f"{name} is missing" for name in ITEMS if name not in items.columns]
    wrong += [f"{name} is unknown" for name in items.columns if name not in ITEMS]
    wrong += [
        f"{name} is {items.schema[name]}, not {dtype}"
        for name, dtype in ITEMS.items()
        if name in items.columns and items.schema[name] != dtype
    ]
    if wrong:
        raise DataError(
            f"new items need the columns and types of the items table: {'; '.join(wrong)}. "
            f"It has {', '.join(ITEMS)}; fill a column that is not known with nulls of its type."
        )


def _refuse(items: pl.DataFrame, wrong: pl.Series, why: str) -> None:
    """Raise if a row is wrong; a null in `wrong` is not."""
    named = items["item_id"].filter(wrong.fill_null(value=False))
    if len(named):
        raise DataError(
            f"{len(named):,} of {items.height:,} new items {why}: {_few(named.to_list())}."
        )


def _few(ids: Sequence[str | None]) -> str:
    more = ", …" if len(ids) > _EXAMPLES else ""
    return ", ".join(map(repr, ids[:_EXAMPLES])) + more
