"""The parts of a shop's tables that a stage may read instead of the whole.

A part's hash and what a stage that reads it gets to see come from the same entry of `PARTS`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import polars as pl

from genrecall.data.filters.items import COLUMNS as FILTERED
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import FURTHER, USERS, Catalog, Searches, SplitName
from genrecall.foundation.artifact import content_hash


class Part(NamedTuple):
    """What belongs to a part.

    Attributes:
        items: columns of `ITEMS`.
        filtered: whether the columns of `ITEMS` do, too, that searches of those splits filter by.
        searches: columns of `SEARCHES`.
        users: whether the users do.
        further: whether queries beside the searches do.
        splits: of the searches.
    """

    items: tuple[str, ...] = ()
    filtered: bool = False
    searches: tuple[str, ...] = ()
    users: bool = False
    further: bool = False
    splits: tuple[SplitName, ...] = ("train",)

    @property
    def search_columns(self) -> tuple[str, ...]:
        """Columns of the searches that a stage gets to see."""
        return (*self.searches, "split") if self.searches else ()

    def item_columns(self, searches: pl.DataFrame) -> tuple[str, ...]:
        """Columns of the items that a stage gets to see.

        Args:
            searches: columns of `SEARCHES`, all splits.
        """
        if not self.filtered:
            return self.items
        asked = _of_splits(searches, self.splits)["filters"].drop_nulls().unique()
        names = {name for written in asked.to_list() for name in json.loads(written)}
        columns = [name for name in FILTERED if name in names and name != "item_id"]
        return (*self.items, *columns, *(["attributes"] if names.difference(FILTERED) else []))


PARTS: Final[Mapping[str, Part]] = {
    "titles": Part(items=("item_id", "title")),
    "texts": Part(items=("brand", "attributes", "description")),
    "categories": Part(items=("category",)),
    "prices": Part(items=("price",)),
    "scores": Part(items=("score",)),
    "fields": Part(filtered=True, splits=("train", "validation")),
    "training": Part(searches=("query", "positives", "gains")),
    "unlabelled": Part(further=True),
    "dated": Part(searches=("query", "user_id", "time", "positives", "gains")),
    "shoppers": Part(searches=("user_id", "time", "positives"), users=True),
    "pages": Part(
        searches=("query", "user_id", "time", "impressions", "positives", "bought", "filters"),
        users=True,
        splits=("train", "validation"),
    ),
}
"""By name."""


def digest_parts(
    items: pl.DataFrame, searches: pl.DataFrame, users: pl.DataFrame, further: pl.DataFrame
) -> dict[str, str]:
    """Hash of each part.

    Args:
        items: columns of `ITEMS`.
        searches: columns of `SEARCHES`, all splits.
        users: columns of `USERS`; no rows where nothing is known of them.
        further: column of `FURTHER`; no rows where no queries beside the searches were given.
    """

    def digest(part: Part) -> str:
        columns = part.item_columns(searches)
        tables = [items.select(columns)] if columns or part.filtered else []
        if part.searches:
            tables.append(_of_splits(searches, part.splits).select(part.search_columns))
        tables += [users] if part.users else []
        tables += [further] if part.further else []
        digests = [_digest(table) for table in tables]
        return digests[0] if len(digests) == 1 else content_hash(digests)

    return {name: digest(part) for name, part in PARTS.items()}


def keep_parts(shop: ShopData, names: Collection[str]) -> ShopData:
    """Some parts of a shop alone: tables without other columns, no search of other splits.

    A table of which no part holds a column has no rows either. Who reads a column that belongs to
    none of the parts gets polars' `ColumnNotFoundError`.
    """
    parts = [PARTS[name] for name in names]
    items = {column for part in parts for column in part.item_columns(shop.searches.frame)}
    columns = {column for part in parts for column in part.search_columns}
    splits = {split for part in parts for split in part.splits if part.searches}
    searches = _of_splits(shop.searches.frame, splits)
    return ShopData(
        Catalog(_only(shop.catalog.frame, items)),
        Searches(_only(searches, columns)),
        shop.users if any(part.users for part in parts) else pl.DataFrame(),
        shop.category_paths,
        shop.split_by,
        shop.further if any(part.further for part in parts) else pl.DataFrame(),
    )


def parts_with(column: str) -> list[str]:
    """Names of the parts to which a column belongs, whatever searches filter by if there are any.

    >>> parts_with("price"), parts_with("brand")
    (['prices'], ['texts'])
    """
    always = [
        name
        for name, part in PARTS.items()
        if column
        in (
            *part.items,
            *part.search_columns,
            *(USERS if part.users else ()),
            *(FURTHER if part.further else ()),
        )
    ]
    asked = column in (*FILTERED, "attributes")
    return always or [name for name, part in PARTS.items() if part.filtered and asked]


def _of_splits(searches: pl.DataFrame, splits: Collection[str]) -> pl.DataFrame:
    return searches.filter(pl.col("split").is_in(list(splits)))


def _only(frame: pl.DataFrame, columns: Collection[str]) -> pl.DataFrame:
    return frame.select(column for column in frame.columns if column in columns)


def _digest(frame: pl.DataFrame) -> str:
    stream = io.BytesIO()
    frame.rechunk().write_ipc(stream, compression="uncompressed")
    return hashlib.sha256(stream.getbuffer()).hexdigest()
