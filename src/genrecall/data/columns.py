"""Guess which columns of a shop's file are ours, by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from genrecall.data.config import TableSource
from genrecall.data.readers import column_names
from genrecall.data.validate import TableSchema

_LISTS: Final = ("", "ids", "items", "itemids", "products", "productids", "skus", "asins")


def _lists(*stems: str) -> tuple[str, ...]:
    """Names of a list of items, such as `clicked`, `clicked_ids` and `clicked_skus`."""
    return tuple(stem + ending for stem in stems for ending in _LISTS)


_ITEM: Final = ("sku", "productid", "productuid", "asin", "articleid", "skuid", "productsku")

_USER: Final = ("user", "customerid", "customer", "shopperid", "visitorid")

_QUERY: Final = ("searchterm", "searchquery", "querytext", "searchtext", "q", "keywords", "keyword")

SYNONYMS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "items": {
        "item_id": (*_ITEM, "id"),
        "title": ("name", "productname", "producttitle", "itemname", "itemtitle", "displayname"),
        "category": (
            "categorypath",
            "categories",
            "categoryhierarchy",
            "productcategory",
            "breadcrumbs",
            "producttype",
        ),
        "brand": ("manufacturer", "brandname", "productbrand", "maker"),
        "attributes": ("attrs",),
        "price": ("saleprice", "currentprice", "unitprice", "productprice", "listprice"),
        "score": ("popularity", "efficiency"),
        "available": ("instock", "isavailable"),
        "group_id": ("itemgroupid", "parentid", "parentsku", "parentasin", "productgroup"),
        "updated_at": ("listedat", "lastmodified", "modifiedat", "lastupdated"),
    },
    "searches": {
        "query": _QUERY,
        "timestamp": ("ts", "time", "datetime", "date", "searchedat", "eventtime", "createdat"),
        "user_id": _USER,
        "impressions": _lists("shown", "impression", "displayed"),
        "clicks": _lists("clicked", "click"),
        "purchases": _lists("bought", "purchased", "purchase", "ordered"),
    },
    "users": {
        "user_id": (*_USER, "id"),
        "gender": ("sex",),
        "age_band": ("agegroup", "agebucket", "agerange", "age"),
        "attributes": ("attrs",),
    },
    "judgments": {
        "query": _QUERY,
        "item_id": _ITEM,
        "relevance": ("grade", "rating", "label", "judgment", "judgement", "gain", "score"),
    },
}
"""Other names of our columns by table, the likeliest first, as `_plain` writes them."""


@dataclass(frozen=True)
class GuessedColumns:
    """What a file's columns are in our words.

    Attributes:
        theirs: their column behind each of ours that was found; each of theirs occurs once.
        unused: their columns that are none of ours, in the order of the file.
    """

    theirs: Mapping[str, str]
    unused: Sequence[str]


def guess_columns(source: TableSource, schema: TableSchema) -> GuessedColumns:
    """Find our columns in a file: by our name, then by a name that means the same.

    Letter case and whatever stands between words do not count.

    Raises:
        DataError: the file is missing or damaged.
    """
    names = column_names(source)
    theirs = match_columns(names, schema)
    return GuessedColumns(theirs, [name for name in names if name not in theirs.values()])


def match_columns(names: Sequence[str], schema: TableSchema) -> dict[str, str]:
    """Our column to theirs.

    >>> from genrecall.data.validate import ITEMS_SCHEMA
    >>> match_columns(["id", "SKU", "Product Name", "title_en"], ITEMS_SCHEMA)
    {'item_id': 'SKU', 'title': 'Product Name'}
    """
    synonyms = SYNONYMS.get(schema.name, {})
    found = {ours: ours for ours in schema.columns if ours in names}
    for own_name in (True, False):
        free: dict[str, str] = {}
        for name in names:
            if name not in found.values():
                free.setdefault(_plain(name), name)
        for ours in schema.columns:
            wanted = (_plain(ours),) if own_name else synonyms.get(ours, ())
            hit = next((name for name in wanted if name in free), None)
            if ours not in found and hit is not None:
                found[ours] = free.pop(hit)
    return {ours: found[ours] for ours in schema.columns if ours in found}


def _plain(name: str) -> str:
    """A name without letter case and separators.

    >>> _plain("Clicked-Item IDs")
    'clickeditemids'
    """
    return re.sub(r"[\W_]+", "", name.casefold())
