"""Home Depot Product Search Relevance (Kaggle, 2016): products and human judgments of real queries.

A judgment is the mean of at least three raters on a scale from 1 (irrelevant) to 3 (perfect).
Titles stand beside the judged pairs, so products that nobody judged have none; descriptions are not
read. Attributes are kept under the publisher's names but for the brand and the bullet points.
`train.csv` and `test.csv` are ISO-8859-1, the other files UTF-8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from genrecall.data.rows.lines import Dialect
from genrecall.data.validate import TableSchema
from genrecall.importers.base import Tables

LAYOUT: Final = """\
  the unzipped files of https://www.kaggle.com/c/home-depot-product-search-relevance/data
    train.csv        id, product_uid, product_title, search_term, relevance
    attributes.csv   product_uid, name, value
    test.csv         id, product_uid, product_title, search_term (optional: more products)
    solution.csv     id, relevance (optional: judgments of the pairs in test.csv)"""

POSITIVE_FROM: Final = 2.33
"""Relevance of a relevant item: at least one of three raters found it perfect, none irrelevant."""

_TEST: Final = TableSchema(
    "test.csv",
    {
        "id": pl.String(),
        "product_uid": pl.String(),
        "product_title": pl.String(),
        "search_term": pl.String(),
    },
    required=("product_uid", "product_title", "search_term"),
)
_TRAIN: Final = TableSchema(
    "train.csv",
    {**_TEST.columns, "relevance": pl.Float64()},
    required=(*_TEST.required, "relevance"),
)
_SOLUTION: Final = TableSchema(
    "solution.csv",
    {"id": pl.String(), "relevance": pl.Float64()},
    required=("id", "relevance"),
    unique="id",
)
_ATTRIBUTES: Final = TableSchema(
    "attributes.csv",
    {"product_uid": pl.String(), "name": pl.String(), "value": pl.String()},
    required=("product_uid", "name"),
)

_KAGGLE: Final = Dialect(fallback="iso-8859-1")
_BRAND: Final = "MFG Brand Name"
_BULLET: Final = r"^Bullet\d+$"
_UNKNOWN: Final = "N/A"
_KEPT: Final = (pl.col("value").str.strip_chars() != "") & ~pl.col("name").str.contains(_BULLET)


def import_files(source: Path, tables: Tables) -> None:
    """Read the competition's folder `source` into `items` and `judgments`."""
    train, attributes = tables.find(source / "train.csv"), tables.find(source / "attributes.csv")
    titles = [pl.DataFrame(schema={"item_id": pl.String(), "title": pl.String()})]
    for pairs in tables.rows(train, _TRAIN, dialect=_KAGGLE):
        titles.append(_titles(pairs))
        tables.write("judgments", _judgments(pairs))
    titles += _read_test(source, tables)
    items = pl.concat(titles).unique("item_id", keep="first", maintain_order=True)
    named = _read_attributes(tables, attributes, items)
    tables.write("items", items.join(named, on="item_id", how="left", maintain_order="left"))
    tables.positive_from = POSITIVE_FROM
    tables.notes.append(
        "products of Home Depot come without a category; map one to `category` if you have it"
    )


def _titles(pairs: pl.DataFrame) -> pl.DataFrame:
    titles = pairs.select(item_id="product_uid", title="product_title")
    return titles.unique("item_id", keep="first", maintain_order=True)


def _judgments(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select("relevance", query="search_term", item_id="product_uid")


def _read_test(source: Path, tables: Tables) -> list[pl.DataFrame]:
    """Write the judgments of the test pairs, if published; returns their titles."""
    test, solution = (
        tables.find_optional(source / "test.csv"),
        tables.find_optional(source / "solution.csv"),
    )
    if test is None:
        tables.notes.append("test.csv is not there: its products are missing from the catalog")
        return []
    judged = pl.DataFrame(schema=dict(_SOLUTION.columns))
    if solution is not None:
        judged = pl.concat([judged, *tables.rows(solution, _SOLUTION)])
    judged = judged.filter(pl.col("relevance") >= 1)  # Kaggle marks what it did not score with -1
    titles = []
    unjudged = 0
    for pairs in tables.rows(test, _TEST, dialect=_KAGGLE):
        titles.append(_titles(pairs))
        known = pairs.join(judged, on="id", maintain_order="left")
        tables.write("judgments", _judgments(known))
        unjudged += pairs.height - known.height
    if unjudged:
        tables.notes.append(
            f"{unjudged:,} pairs of test.csv have no published relevance; they give products only"
        )
    return titles


def _read_attributes(tables: Tables, file: Path, items: pl.DataFrame) -> pl.DataFrame:
    """Brand and attributes of the products: `item_id`, `brand`, `attributes`."""
    parts = [pl.DataFrame(schema=dict(_ATTRIBUTES.columns))]
    for rows in tables.rows(file, _ATTRIBUTES):
        known = rows.join(items, left_on="product_uid", right_on="item_id", how="semi")
        parts.append(known.filter(_KEPT))
    rows = pl.concat(parts).rename({"product_uid": "item_id"})
    is_brand = pl.col("name") == _BRAND
    brands = (
        rows.filter(is_brand & (pl.col("value") != _UNKNOWN))
        .group_by("item_id")
        .agg(pl.col("value").first().alias("brand"))
    )
    attributes = (
        rows.filter(~is_brand)
        .group_by("item_id", "name")
        .agg(pl.col("value").unique(maintain_order=True))
        .sort("item_id", "name")
        .group_by("item_id")
        .agg(pl.struct(key="name", value="value").alias("attributes"))
    )
    return brands.join(attributes, on="item_id", how="full", coalesce=True)
