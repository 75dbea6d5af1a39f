"""Searches from what shoppers chose in turn, for data without queries."""

from __future__ import annotations

import polars as pl

from genrecall.data.category_queries import category_query
from genrecall.data.searches import BuiltSearches, build_searches
from genrecall.data.tables import Catalog
from genrecall.data.validate import TableRead
from genrecall.foundation.errors import DataError


def searches_from_sequences(read: TableRead, catalog: Catalog, *, levels: int) -> BuiltSearches:
    """Build a search from each choice; its query is a category-path query, never a real one.

    `time` is the position in the shopper's sequence: an ordinal, from 0, which runs on through
    `held_out`. `search_id` is `<user_id>-<position>`. The last of several `items` is in the
    validation split, the others in training, `held_out` in the test split. A choice of an item
    that is not in the catalog, or that has no category, gives no search.

    Args:
        read: columns and types of `SEQUENCES`.
        catalog: the items.
        levels: of the category path that make a query.

    Raises:
        DataError: nobody chose anything, or nothing that the catalog has, or nothing with a
            category.
    """
    choices = _choices(read.frame)
    if choices.height == 0:
        raise DataError(
            f"{read.file}: no shopper chose anything; nothing can be learned from it. Map the "
            "column `items` to the lists of what they chose."
        )
    queries = [category_query(path, levels=levels) if path else "" for path in catalog.categories]
    items = catalog.frame.select("item_id", pl.Series("query", queries, dtype=pl.String))
    choices = choices.join(items, on="item_id", how="left", maintain_order="left")
    nameless = choices["query"] == ""
    searches = choices.filter(~nameless.fill_null(False)).with_row_index("search")
    if searches.height == 0:
        raise DataError(
            f"{read.file}: none of the {choices.height:,} items that were chosen has a category, "
            "of which queries are made. Map `category` of the items."
        )
    chosen = searches.select("search", "item_id", pl.lit(1.0).alias("gain"))
    built = build_searches(searches.drop_nulls("query"), chosen.clear(), chosen, catalog, read)
    return built._replace(without_category=int(nameless.sum()))


def _choices(sequences: pl.DataFrame) -> pl.DataFrame:
    """One row `(user_id, time, split, item_id, search_id)` per choice, by shopper and time."""
    last = pl.col("items").list.len().cast(pl.Int64) - 1
    both = pl.concat_list("items", pl.col("held_out").fill_null([]))
    choices = (
        sequences.select("user_id", last.alias("last"), both.alias("item_id"))
        .with_columns(pl.int_ranges(pl.col("item_id").list.len()).alias("time"))
        .explode("item_id", "time")
        .drop_nulls("item_id")
    )
    at = pl.col("time") - pl.col("last")
    split = (
        pl.when(at > 0)
        .then(pl.lit("test"))
        .when((at == 0) & (pl.col("last") > 0))
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train"))
    )
    return choices.select(
        "user_id",
        "time",
        split.alias("split"),
        "item_id",
        pl.format("{}-{}", "user_id", "time").alias("search_id"),
    )
