"""KuaiSearch: products, shoppers and the search log of Kuaishou's shop, in Chinese.

Li et al. 2026, KuaiSearch: A Large-Scale E-Commerce Search Dataset for Recall, Ranking, and
Relevance (arXiv:2602.11518). Read are the tables of the recall task. Not read are `rank.jsonl`, in
which the same searches stand again, a row for each shown item, and `relevance.jsonl`, which judges
titles without naming items. The publisher's `split` is left out: searches are split as the config
says. Time is an ordinal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from genrecall.data.rows.readers import Chunk
from genrecall.data.values.convert import Column
from genrecall.importers.base import Tables

LAYOUT: Final = """\
  a folder of https://huggingface.co/datasets/benchen4395/KuaiSearch
    items.jsonl   item_id, item_title, brand_name, seller_name, category_level{1,2,3}_name
    recall.jsonl  session_id, time_index, user_id, query,
                  impressed_item_ids, clicked_item_ids, purchased_item_ids
    users.jsonl   user_id, gender, age_bucket, fre_country, fre_province, fre_city
The files may be gzipped."""

_ID: Final = pl.Int64()
_IDS: Final = pl.List(pl.Int64())
_TEXT: Final = pl.String()

_LEVELS: Final = tuple(f"category_level{level}_name" for level in (1, 2, 3))
_ITEMS: Final = {
    "item_id": _ID,
    "item_title": _TEXT,
    "brand_name": _TEXT,
    "seller_name": _TEXT,
    **dict.fromkeys(_LEVELS, _TEXT),
}
_SEARCHES: Final = {
    "session_id": _ID,
    "time_index": _ID,
    "user_id": _ID,
    "query": _TEXT,
    "impressed_item_ids": _IDS,
    "clicked_item_ids": _IDS,
    "purchased_item_ids": _IDS,
}
_PLACES: Final = {"country": "fre_country", "province": "fre_province", "city": "fre_city"}
_USERS: Final = {
    "user_id": _ID,
    "gender": _TEXT,
    "age_bucket": _TEXT,
    **dict.fromkeys(_PLACES.values(), _TEXT),
}
_OPTIONAL: Final = frozenset({"brand_name", "seller_name", *_PLACES.values()})

_UNKNOWN: Final = "UNKNOWN"
_NO_BRAND: Final = frozenset({_UNKNOWN, "无品牌", "其他/other", "其他/QITA"})
"""Brands that say unknown, none or other."""

_GENDERS: Final = {"F": "female", "M": "male"}


def import_files(source: Path, tables: Tables) -> None:
    """Read the data set's folder `source` into `items`, `searches` and `users`."""
    items, searches, users = (
        tables.find(source / name) for name in ("items.jsonl", "recall.jsonl", "users.jsonl")
    )
    for chunk in _read(tables, items, _ITEMS):
        tables.take("items", items, chunk._replace(columns=_item_columns(chunk.columns)))
    for chunk in _read(tables, searches, _SEARCHES):
        tables.take("searches", searches, chunk._replace(columns=_search_columns(chunk.columns)))
    for chunk in _read(tables, users, _USERS):
        tables.take("users", users, chunk._replace(columns=_user_columns(chunk.columns)))


def _read(tables: Tables, file: Path, types: Mapping[str, pl.DataType]) -> Iterator[Chunk]:
    needed = [name for name in types if name not in _OPTIONAL]
    return tables.read(file, wanted=types, needed=needed, types=types)


def _item_columns(theirs: Mapping[str, Column]) -> dict[str, Column]:
    levels = [_known(theirs[name]) for name in _LEVELS]
    return {
        "item_id": theirs["item_id"],
        "title": theirs["item_title"],
        "category": [list(path) for path in zip(*levels, strict=True)],
        "brand": _known(theirs["brand_name"], unknown=_NO_BRAND),
        "attributes": _attributes({"seller": theirs["seller_name"]}),
    }


def _search_columns(theirs: Mapping[str, Column]) -> dict[str, Column]:
    # A session may hold several searches; two at the same time are one.
    ids = zip(_values(theirs["session_id"]), _values(theirs["time_index"]), strict=True)
    return {
        "search_id": [None if session is None else f"{session}-{time}" for session, time in ids],
        "timestamp": theirs["time_index"],
        "user_id": theirs["user_id"],
        "query": theirs["query"],
        "impressions": theirs["impressed_item_ids"],
        "clicks": theirs["clicked_item_ids"],
        "purchases": theirs["purchased_item_ids"],
    }


def _user_columns(theirs: Mapping[str, Column]) -> dict[str, Column]:
    return {
        "user_id": theirs["user_id"],
        "gender": [
            _GENDERS.get(value, value) if isinstance(value, str) else value
            for value in _known(theirs["gender"])
        ],
        "age_band": _known(theirs["age_bucket"]),
        "attributes": _attributes({name: theirs[column] for name, column in _PLACES.items()}),
    }


def _values(column: Column) -> list[Any]:
    return column.to_list() if isinstance(column, pl.Series) else list(column)


def _known(column: Column, *, unknown: frozenset[str] = frozenset({_UNKNOWN})) -> list[Any]:
    """Values of a column, None for those that say that nothing is known."""
    return [
        None if isinstance(value, str) and value in unknown else value for value in _values(column)
    ]


def _attributes(columns: Mapping[str, Column]) -> list[Any]:
    """Attributes from a column each; a value is one text, in which a bar means nothing."""
    known = [_known(column) for column in columns.values()]
    return [
        {
            name: value if value is None else [value]
            for name, value in zip(columns, row, strict=True)
        }
        for row in zip(*known, strict=True)
    ]
