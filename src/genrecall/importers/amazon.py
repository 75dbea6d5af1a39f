"""Amazon reviews 2014 and 2018 (McAuley's group): products and what each shopper bought in turn.

McAuley et al. 2015 (2014's data); Ni, Li and McAuley 2019 (2018's data). A review stands for a
purchase. The data has no queries: each purchase becomes a search whose query is derived from the
first two levels of its product's category path, a *category-path query* (after Van Gysel et al.
2016 and Ai et al. 2017, who took the whole path, which gives the first SID level away). Call
results on them results on category-path queries, never on real ones.

What is taken from the metadata:

- A line may be JSON or, in 2014's files, a Python literal; no code in it is run.
- Category: the first path of several (2014). The path ends where page markup or a line of the
  product's own features begins (2018).
- Title: HTML entities and tags removed. One that holds page source (`getTime`, as the publisher
  advises) makes the row a reject.
- Price: a number or `$12.99`; anything else, such as a range, is no price.
"""

from __future__ import annotations

import ast
import html
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from genrecall.data.category_queries import category_query
from genrecall.data.rows.lines import Dialect
from genrecall.data.rows.readers import Chunk
from genrecall.data.validate import TableSchema
from genrecall.data.values.cells import parse_json
from genrecall.data.values.convert import Column, shorten
from genrecall.foundation.errors import DataError
from genrecall.importers.base import Tables
from genrecall.importers.buckets import Buckets, bucket_count, scratch_folder

LAYOUT: Final = """\
  a folder with the files of one or more categories, from
  https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html (2014) or
  https://nijianmo.github.io/amazon (2018), gzipped or not
    meta_CATEGORY.json.gz            asin, title, brand, price, categories (2014) or category (2018)
    reviews_CATEGORY_5.json.gz       (2014) reviewerID, asin, unixReviewTime
    CATEGORY_5.json.gz               (2018) the same
  or the reviews without _5, which are all instead of those of frequent shoppers and products"""

_REVIEWS: Final = {"user_id": pl.String(), "item_id": pl.String(), "timestamp": pl.Int64()}
_PURCHASES: Final = TableSchema("reviews", _REVIEWS, required=tuple(_REVIEWS))
_META: Final = ("asin", "title", "brand", "price", "categories", "category", "feature")
_FILE: Final = re.compile(r"(meta_|reviews_)?(.+?)(_5)?\.json(\.gz)?")
_TAG: Final = re.compile(r"<[^<>]*>")
_PRICE: Final = re.compile(r"\$?\s*(\d[\d,]*(?:\.\d+)?)")
_PAGE_SOURCE: Final = "getTime"


def parse_loose(line: str) -> object:
    """Parse JSON or a Python literal that has text for keys.

    >>> parse_loose("{'asin': 'B01', 'price': None}")
    {'asin': 'B01', 'price': None}

    Raises:
        ValueError: it is neither.
    """
    if not line.lstrip().startswith("{'"):
        return parse_json(line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a title with a backslash
            parsed = ast.literal_eval(line.strip())
        if isinstance(parsed, dict) and not all(isinstance(key, str) for key in parsed):
            raise ValueError("a key is not text")
        if "\\u" in line:  # JSON joins the two halves of a character, and refuses a single one
            parsed = parse_json(json.dumps(parsed))
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(getattr(error, "msg", None) or str(error)) from None
    return parsed


_LOOSE: Final = Dialect(language="JSON or a Python literal", parse=parse_loose)


def import_files(source: Path, tables: Tables) -> None:
    """Read the folder `source` into `items`, `users` and `searches` with category-path queries."""
    metas, reviews = _find(source, tables)
    queries = [pl.DataFrame(schema={"item_id": pl.String(), "query": pl.String()})]
    for file in metas:
        queries += _read_meta(tables, file)
    with scratch_folder(tables.folder) as scratch:
        buckets = Buckets(scratch, key="user_id", schema=_REVIEWS, count=bucket_count(reviews))
        for file in reviews:
            _read_reviews(tables, file, buckets)
        _write_searches(tables, buckets, pl.concat(queries))
    tables.notes.append(
        "the queries are category-path queries, derived from the first two levels of each bought "
        "product's category; call them so, and never real ones"
    )


def _find(source: Path, tables: Tables) -> tuple[list[Path], list[Path]]:
    """Files of metadata, and of the reviews of the same categories."""
    metas: dict[str, Path] = {}
    reviews: dict[str, Path] = {}
    for file in sorted(source.iterdir()) if source.is_dir() else []:
        match = _FILE.fullmatch(file.name)
        if match is None:
            continue
        found = metas if match[1] == "meta_" else reviews
        if match[2] in found:
            raise DataError(
                f"{source} holds {found[match[2]].name} and {file.name}, which tell of the same "
                "category. Leave one of them there."
            )
        found[match[2]] = file
    if not metas:
        raise tables.missing("meta_CATEGORY.json.gz")
    tables.notes += [
        f"{file.name} is not read, since there is no meta_{category}.json.gz"
        for category, file in reviews.items()
        if category not in metas
    ]
    known = [file for category, file in reviews.items() if category in metas]
    if not known:
        category = next(iter(metas))
        raise tables.missing(f"reviews_{category}_5.json.gz or {category}_5.json.gz")
    return list(metas.values()), known


def _read_meta(tables: Tables, file: Path) -> Iterator[pl.DataFrame]:
    """Write the products of a file; gives the query of each that has a category."""
    needed = ("asin", "title")
    for chunk in tables.read(file, wanted=_META, needed=needed, dialect=_LOOSE, kind="jsonl"):
        unformatted = {
            row: ("title is the source of a web page", shorten(title))
            for row, title in enumerate(chunk.columns["title"])
            if isinstance(title, str) and _PAGE_SOURCE in title
        }
        items = tables.take("items", file, _ours(tables.drop(file, chunk, unformatted)))
        paths = items.filter(pl.col("category").is_not_null()).select("item_id", "category")
        asked = pl.Series("query", map(category_query, paths["category"].to_list()), pl.String())
        yield paths.select("item_id", asked).filter(pl.col("query") != "")


def _ours(chunk: Chunk) -> Chunk:
    theirs = chunk.columns
    rows = zip(theirs["categories"], theirs["category"], theirs["feature"], strict=True)
    columns: dict[str, Column] = {
        "item_id": theirs["asin"],
        "title": [_plain_text(title) for title in theirs["title"]],
        "brand": [_plain_text(brand) or None for brand in theirs["brand"]],
        "price": [_price(price) for price in theirs["price"]],
        "category": [_path(*row) for row in rows],
    }
    return chunk._replace(columns=columns)


def _plain_text(value: object) -> object:
    """A text without HTML; what is no text is left for the check."""
    if not isinstance(value, str):
        return value
    return " ".join(html.unescape(_TAG.sub(" ", value)).split())


def _price(value: object) -> object:
    """A price.

    >>> _price("$1,299.00"), _price("$8.99 - $15.99"), _price(3.17)
    (1299.0, None, 3.17)
    """
    if not isinstance(value, str):
        return value
    match = _PRICE.fullmatch(value.strip())
    return float(match[1].replace(",", "")) if match else None


def _path(paths: object, path: object, features: object) -> list[str] | None:
    """The category path: the first of 2014's `paths`, or 2018's `path` without its tail.

    >>> _path([["Beauty", "Hair &amp; Scalp"], ["Gifts"]], None, None)
    ['Beauty', 'Hair & Scalp']
    >>> _path(None, ["Toys", "Kites", "2 m wide", "</span>"], ["2 m wide"])
    ['Toys', 'Kites']
    """
    if isinstance(paths, list) and paths:
        path = paths[0]
    own = set(map(str, features)) if isinstance(features, list) else set()
    levels: list[str] = []
    for level in path if isinstance(path, list) else []:
        if not isinstance(level, str) or level in own or _TAG.search(level):
            break
        levels.append(str(_plain_text(level)))
    return levels or None


def _read_reviews(tables: Tables, file: Path, buckets: Buckets) -> None:
    names = {"user_id": "reviewerID", "item_id": "asin", "timestamp": "unixReviewTime"}
    wanted = tuple(names.values())
    for chunk in tables.read(file, wanted=wanted, needed=wanted, dialect=_LOOSE, kind="jsonl"):
        columns = {ours: chunk.columns[theirs] for ours, theirs in names.items()}
        buckets.add(tables.check(file, chunk._replace(columns=columns), _PURCHASES))


def _write_searches(tables: Tables, buckets: Buckets, queries: pl.DataFrame) -> None:
    """Write shopper by shopper what was bought, in time order."""
    made = repeated = lost = 0
    for bucket in range(len(buckets)):
        reviews = buckets.take(bucket)
        bought = reviews.unique(maintain_order=True)
        repeated += reviews.height - bought.height
        asked = bought.join(queries, on="item_id", maintain_order="left")
        lost += bought.height - asked.height
        asked = asked.sort("user_id", "timestamp", maintain_order=True).with_columns(
            search_id=pl.format("s{}", pl.int_range(pl.len()) + made),
            purchases=pl.concat_list("item_id"),
        )
        made += asked.height
        if asked.height:
            tables.write("users", asked.select("user_id").unique(maintain_order=True))
            tables.write("searches", asked.drop("item_id"))
    if repeated:
        tables.notes.append(f"{repeated:,} reviews occur twice and count once")
    if lost:
        tables.notes.append(
            f"{lost:,} reviews are of products without a title or a category; no query can be "
            "derived for them"
        )
