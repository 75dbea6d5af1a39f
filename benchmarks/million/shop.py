"""Tables of a very large shop, written in seconds: a synthetic shop's products in many series.

    python -m benchmarks.million.shop FOLDER ITEMS SEARCHES SEED

Products come from `genrecall.shop`, as many as it makes quickly, and each comes in several series
whose names stand in the titles. A query is made of words of a title; the items that it was made of
and others of their product are clicked. A tenth of the searches asks for no more than a price.
Nothing is learned from the figures of such a shop: it is
there to be large.

Shapes: `N` items, `B` products, `M` searches, `Q` distinct queries.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.shop.config import ShopConfig
from genrecall.shop.make import make_items

MOST_PRODUCTS: Final = 50_000
SHOWN: Final = 10
CLICKED: Final = 2
FILTERED: Final = 0.1
"""Share of the searches that have a filter."""
BOUND: Final = 5
"""Bounds of prices are multiples of it."""
START: Final = 1_740_787_200
STEP: Final = 2
"""Seconds between two searches."""

_SYLLABLES: Final = ("al", "bo", "cer", "dan", "el", "fin", "gra", "hel", "im", "jor", "kel", "lum")

Numbers = NDArray[np.integer[Any]]


class Products(NamedTuple):
    """What the items are made of.

    Attributes:
        titles: `[B]`.
        types: number of the type of each, which are their categories, int64 `[B]`.
        paths: category path of each type.
        prices: `[B]`.
    """

    titles: list[str]
    types: Numbers
    paths: list[tuple[str, ...]]
    prices: NDArray[np.float64]


def write_tables(folder: Path, *, items: int, searches: int, seed: int) -> None:
    """Write `items.parquet`, `searches.parquet`, `users.parquet` and `queries.txt`.

    Args:
        folder: existing.
        items: `N`.
        searches: `M`; there are at most a fifth as many distinct queries.
        seed: the same one gives the same tables.
    """
    products = make_products(min(items, MOST_PRODUCTS), seed)
    _write_items(folder / "items.parquet", products, items)
    queries = make_queries(products, max(searches // 5, 1), np.random.default_rng([seed, 1]))
    _write_searches(folder, products, queries, items, searches, np.random.default_rng([seed, 2]))
    (folder / "queries.txt").write_text("\n".join(queries.texts[:100]) + "\n", "utf-8")


def make_products(count: int, seed: int) -> Products:
    """Products of the synthetic shop."""
    catalog = make_items(ShopConfig(items=max(count, 100), seed=seed))
    drafts = catalog.drafts[:count]
    return Products(
        [draft.title for draft in drafts],
        np.array([draft.type_of for draft in drafts], dtype=np.int64),
        [kind.path for kind in catalog.types],
        np.array([draft.price for draft in drafts]),
    )


class Queries(NamedTuple):
    """Distinct queries.

    Attributes:
        texts: `[Q]`.
        product: that the words of each come from, int64 `[Q]`.
    """

    texts: list[str]
    product: Numbers


def make_queries(products: Products, count: int, rng: np.random.Generator) -> Queries:
    """Queries of two to four words of a product's title, in the order of the title."""
    product = rng.integers(0, len(products.titles), count)
    lengths = rng.integers(2, 5, count).tolist()
    texts = []
    for row, length in zip(product.tolist(), lengths, strict=True):
        words = products.titles[row].split()
        chosen = np.sort(rng.permutation(len(words))[:length])
        texts.append(" ".join(words[place] for place in chosen).lower())
    return Queries(texts, product)


def series_name(number: int) -> str:
    """A name for each series of a product; the first has none.

    >>> series_name(0), series_name(1), series_name(13)
    ('', 'Boal', 'Bobo')
    """
    if not number:
        return ""
    first, second = divmod(number - 1, len(_SYLLABLES))
    return f"{_SYLLABLES[(first + 1) % len(_SYLLABLES)]}{_SYLLABLES[second]}".capitalize()


def _write_items(path: Path, products: Products, items: int) -> None:
    rows = np.arange(items)
    product, series = rows % len(products.titles), rows // len(products.titles)
    names = pl.Series([series_name(number) for number in range(int(series.max()) + 1)])
    paths = pl.Series([list(path) for path in products.paths], dtype=pl.List(pl.String))
    frame = pl.DataFrame(
        {
            "item_id": _ids(rows),
            "base": pl.Series(products.titles).gather(product),
            "series": names.gather(series),
            "category": paths.gather(products.types[product]),
            "price": products.prices[product] + series,
        }
    )
    title = pl.concat_str("base", "series", separator=" ").str.strip_chars().alias("title")
    frame.select("item_id", title, "category", "price").write_parquet(path)


def _write_searches(
    folder: Path,
    products: Products,
    queries: Queries,
    items: int,
    searches: int,
    rng: np.random.Generator,
) -> None:
    count, n_products = len(queries.texts), len(products.titles)
    rank = rng.zipf(1.2, searches) - 1
    query = np.where(rank < count, rank, rng.integers(0, count, searches))
    most = -(-items // n_products)  # series of a product
    clicked = queries.product[query][:, None] + n_products * rng.integers(
        0, most, (searches, CLICKED)
    )
    shown = np.concatenate([clicked, rng.integers(0, items, (searches, SHOWN - CLICKED))], axis=1)
    users = max(searches // 20, 1)
    frame = pl.DataFrame(
        {
            "search_id": pl.Series(np.arange(searches)).cast(pl.String),
            "timestamp": START + STEP * np.arange(searches),
            "user_id": _users(rng.integers(0, users, searches)),
            "query": pl.Series(queries.texts).gather(query),
            "impressions": _id_lists(np.minimum(shown, items - 1)),
            "clicks": _id_lists(np.minimum(clicked, items - 1)),
            "filters": _filters(products.prices[queries.product[query]], rng),
        }
    )
    frame.write_parquet(folder / "searches.parquet")
    gender = pl.Series(["female", "male"]).gather(rng.integers(0, 2, users))
    table = pl.DataFrame({"user_id": _users(np.arange(users)), "gender": gender})
    table.write_parquet(folder / "users.parquet")


def _filters(prices: NDArray[np.float64], rng: np.random.Generator) -> pl.Series:
    """For some searches the next bound above a price that was looked for, as JSON."""
    bounds = ((prices // BOUND + 1) * BOUND).astype(np.int64).tolist()
    asked = (rng.random(len(prices)) < FILTERED).tolist()
    return pl.Series(
        [
            f'{{"price": {{"lte": {bound}}}}}' if asks else None
            for bound, asks in zip(bounds, asked, strict=True)
        ],
        dtype=pl.String,
    )


def _ids(rows: Numbers) -> pl.Series:
    return pl.Series("item_id", rows).cast(pl.String).str.zfill(8)


def _users(numbers: Numbers) -> pl.Series:
    return pl.Series(numbers).cast(pl.String)


def _id_lists(rows: Numbers) -> pl.Series:
    """Item ids, a list for each row of a matrix."""
    flat = _ids(rows.reshape(-1))
    return flat.reshape(rows.shape).arr.to_list()


def main(arguments: list[str]) -> None:
    """Write the tables that the command line asks for."""
    folder, items, searches, seed = arguments
    write_tables(Path(folder), items=int(items), searches=int(searches), seed=int(seed))


if __name__ == "__main__":
    main(sys.argv[1:])
