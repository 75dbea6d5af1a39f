"""Train, validation and test: by unseen query or by time.

A search's split depends on its own query, or time, alone: equal queries, or equal times, are never
divided.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import polars as pl

from genrecall.data.config import SplitConfig
from genrecall.data.tables import SplitName

_HASH_BITS: Final = 64


def query_key(query: str) -> str:
    """What makes two query texts the same query: letter case and spaces do not count.

    >>> query_key("  Red  SHOES ")
    'red shoes'
    """
    return " ".join(query.casefold().split())


def split_of_query(query: str, config: SplitConfig) -> SplitName:
    """Split of one query, from a hash of its `query_key` and the seed.

    No other query takes part, so a query stays in its split when the log grows.
    """
    digest = hashlib.sha256(f"{config.seed}\n{query_key(query)}".encode()).digest()
    draw = int.from_bytes(digest[: _HASH_BITS // 8], "big") / 2**_HASH_BITS  # uniform in [0, 1)
    if draw < config.test:
        return "test"
    return "validation" if draw < config.test + config.validation else "train"


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
