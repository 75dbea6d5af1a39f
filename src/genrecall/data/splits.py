"""Train, validation and test: by unseen query or by time.

A search's split depends on its own query, or time, alone: equal queries, or equal times, are never
divided. Queries are equal where the models read the same words (`query_key`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl

from genrecall.data.config import SplitConfig
from genrecall.data.tables import SplitName
from genrecall.text.normalize import query_key


def split_of_query(query: str, config: SplitConfig) -> SplitName:
    """Split of one query, from a hash of its `query_key` and the seed.

    No other query takes part, so a query stays in its split when the log grows.
    """
    draw = draw_of_query(query, str(config.seed))
    if draw < config.test:
        return "test"
    return "validation" if draw < config.test + config.validation else "train"


def fold_of_query(query: str, folds: int) -> int:
    """Part of the searches, of `folds`, in which a query is, whatever its split and other queries.

    >>> fold_of_query("drill bits", 5) == fold_of_query("Drill bit", 5)
    True
    """
    return int(draw_of_query(query, "fold") * folds)


def split_by_query(queries: pl.Series, config: SplitConfig) -> pl.Series:
    """Split of each query, `[M]` to `[M]`."""
    texts = queries.unique(maintain_order=True)
    splits = [split_of_query(text, config) for text in texts.to_list()]
    return queries.replace_strict(texts, pl.Series(splits, dtype=pl.String), return_dtype=pl.String)


def split_by_time(times: pl.Series, config: SplitConfig) -> pl.Series:
    """Split of each time, `[M]` to `[M]`: the earliest train, the latest test.

    The cuts are quantiles of the times; searches at the time of a cut fall before it, so that many
    equal times make a later split smaller, never the training split.
    """
    values = times.to_numpy()
    if len(values) == 0:
        return pl.Series([], dtype=pl.String)
    shares = np.array([1 - config.test - config.validation, 1 - config.test])
    # The k-th smallest time ends a split of k searches. Rounding first keeps 1 - 0.1 - 0.1 at 0.8.
    ends = np.ceil(np.round(shares * len(values), 6)).astype(np.int64)
    last_train, last_validation = np.sort(values)[np.maximum(ends, 1) - 1]
    names = np.where(values <= last_validation, "validation", "test")
    return pl.Series(np.where(values <= last_train, "train", names).tolist(), dtype=pl.String)


def without_later_items(searches: pl.DataFrame) -> pl.DataFrame:
    """Searches of which training ones know no item that is relevant in validation or test.

    Args:
        searches: columns of `SEARCHES`.
    """
    train = pl.col("split") == "train"
    later = searches.filter(~train)["positives"].explode().drop_nulls().unique()
    lists = ["positives", "gains", "bought"]
    numbered = searches.with_row_index("search")
    kept = (
        numbered.filter(train, pl.col("positives").list.len() > 0)
        .select("search", *lists)
        .explode(lists)
        .filter(~pl.col("positives").is_in(later.implode()))
        .group_by("search", maintain_order=True)
        .agg(lists)
    )
    joined = numbered.join(kept, on="search", how="left", maintain_order="left", suffix="_kept")
    chosen = [
        pl.when(train)
        .then(pl.col(f"{name}_kept").fill_null(pl.lit([], searches.schema[name])))
        .otherwise(name)
        .alias(name)
        for name in lists
    ]
    return joined.with_columns(chosen).select(searches.columns)


def further_queries(queries: Iterable[str], known: Iterable[str]) -> list[str]:
    """Queries that are none of the known ones, each once, in the order in which they first occur.

    >>> further_queries(["saw", "Drill bits", "drill bit"], known=["saws"])
    ['Drill bits']
    """
    keys = {query_key(query) for query in set(known)}
    found: dict[str, str] = {}
    for query in queries:
        found.setdefault(query_key(query), query)
    return [query for key, query in found.items() if key not in keys]


def draw_of_query(query: str, salt: str) -> float:
    """A number of a query by chance, uniform in [0, 1); each salt makes another one."""
    digest = hashlib.sha256(f"{salt}\n{query_key(query)}".encode()).digest()
    # The 53 bits of a float: with more of them the largest draws would round up to 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
