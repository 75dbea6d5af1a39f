"""Searches out of the rows of UBI documents: everything with one `query_id` is one search.

The order of the rows does not matter. Rows in which a document was logged twice count once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from genrecall.importers.ubi_documents import CLICK, IMPRESSION, PURCHASE

_ITEMS: Final = {"impressions": IMPRESSION, "clicks": CLICK, "purchases": PURCHASE}


class Joined(NamedTuple):
    """Searches, and what belongs to none.

    Attributes:
        searches: columns of `SEARCH_LOG` without channels and variant, in order of time.
        textless: how many queries were logged without a text.
        orphans: events of no logged query and without a text, columns and types of `EVENTS`.
        clicks: clicks in searches whose page was logged.
        clicks_on_page: those of them whose item was on it.
    """

    searches: pl.DataFrame
    textless: int
    orphans: pl.DataFrame
    clicks: int
    clicks_on_page: int


def join_searches(queries: pl.DataFrame, events: pl.DataFrame) -> Joined:
    """Join all rows of some `query_id`s.

    Args:
        queries: columns and types of `QUERIES`.
        events: those of `EVENTS`.
    """
    logged = _merge_documents(queries)
    seen = _complete_by_events(events, logged)
    whole = logged.join(seen, on="query_id", how="full", coalesce=True, suffix="_seen").select(
        "query_id",
        pl.coalesce("time", "time_seen").floordiv(1000).alias("timestamp"),
        *(pl.coalesce(name, f"{name}_seen").alias(name) for name in ("user_id", "query")),
        pl.col("hits").fill_null([]),
        pl.col("logged").fill_null(False),
    )
    texts = pl.col("query").is_not_null()
    unlogged = whole.filter(~texts & ~pl.col("logged"))
    searches = _with_items(whole.filter(texts), events)
    paged = searches.filter(pl.col("hits").list.len() > 0)
    on_page = paged["clicks"].list.set_intersection(paged["hits"])
    return Joined(
        searches.sort("timestamp", "query_id", nulls_last=True)
        .rename({"query_id": "search_id"})
        .drop("hits", "logged"),
        textless=whole.filter(~texts & pl.col("logged")).height,
        orphans=events.join(unlogged, on="query_id", how="semi", maintain_order="left"),
        clicks=int(paged["clicks"].list.len().sum()),
        clicks_on_page=int(on_page.list.len().sum()),
    )


def _merge_documents(queries: pl.DataFrame) -> pl.DataFrame:
    """Make one row of the query documents with one id: the same twice, or pages of one search."""
    twice = pl.col("query_id").is_duplicated()
    merged = (
        queries.filter(twice)
        .sort("time", "query", "user_id", pl.col("hits").list.join(" "), nulls_last=True)
        .group_by("query_id", maintain_order=True)
        .agg(
            pl.col("time").min(),
            *(pl.col(name).drop_nulls().first() for name in ("query", "user_id")),
            pl.col("hits").explode().drop_nulls(),
        )
        .select(queries.columns)
    )
    return pl.concat([queries.filter(~twice), merged]).with_columns(pl.lit(True).alias("logged"))


def _complete_by_events(events: pl.DataFrame, logged: pl.DataFrame) -> pl.DataFrame:
    """Time, shopper and text by the first events that have them, of queries that lack some."""
    wanted = ("time", "user_id", "query")
    complete = logged.filter(pl.all_horizontal(pl.col(wanted).is_not_null()))
    return (
        events.join(complete, on="query_id", how="anti")
        .sort(wanted, nulls_last=True)
        .group_by("query_id", maintain_order=True)
        .agg(pl.col(wanted).drop_nulls().first())
    )


def _with_items(searches: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Add impressions, clicks and purchases."""
    shown = pl.col("action") == IMPRESSION
    order = [
        pl.when(shown).then("place").otherwise("time"),
        pl.when(shown).then("time").otherwise("place"),
        pl.col("item_id"),
    ]
    items = (
        events.sort(order, nulls_last=True)
        .group_by("query_id", "action", maintain_order=True)
        .agg(pl.col("item_id").unique(maintain_order=True))
    )
    for name, action in _ITEMS.items():
        of_action = items.filter(pl.col("action") == action)
        of_action = of_action.select("query_id", pl.col("item_id").alias(name))
        searches = searches.join(of_action, on="query_id", how="left")
    searches = searches.with_columns(pl.col(*_ITEMS).fill_null([]))
    page = pl.concat_list("hits", "impressions").list.unique(maintain_order=True)
    return searches.with_columns(page.alias("impressions"))
