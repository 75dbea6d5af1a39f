"""A shop without some of its items: what it looked like before they came.

Shapes: `N` items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.config import DataConfig, TableSource
from genrecall.data.tables import SEARCH_LOG
from genrecall.data.validate import (
    ITEMS_SCHEMA,
    JUDGMENTS_SCHEMA,
    SEARCHES_SCHEMA,
    TIMED_SEARCHES_SCHEMA,
    TableSchema,
    read_table,
)
from genrecall.foundation.errors import DataError

_ITEM_LISTS: Final = ("impressions", "clicks", "purchases")


@dataclass(frozen=True, eq=False)
class Holdout:
    """A shop without its hidden items.

    Attributes:
        data: its tables and split; no table names a hidden item.
        items: the hidden items, columns and types of `ITEMS`.
    """

    data: DataConfig
    items: pl.DataFrame


def hide_items(data: DataConfig, folder: Path, *, share: float, seed: int) -> Holdout:
    """Write the shop's tables without a share of the items.

    Searches stay, so that a split by time falls where it did; one without a relevant item left
    trains nothing. The channels of the impressions, which no stage reads, are left out.

    Args:
        data: the whole shop.
        folder: where the reduced tables are written, as Parquet.
        share: of the items to hide.
        seed: another one hides other items.

    Raises:
        DataError: the share hides no item or every item, or the tables cannot be used.
    """
    items = _read(data, "items", ITEMS_SCHEMA)
    hidden = is_hidden(items["item_id"], share=share, seed=seed)
    if not 0 < hidden.sum() < len(hidden):
        raise DataError(
            f"share {share:g} hides {hidden.sum():,} of {len(hidden):,} items; give one that hides "
            "some and leaves some."
        )
    gone = items["item_id"].filter(hidden)
    reduced = {"items": items.filter(~hidden)}
    if data.searches:
        schema = TIMED_SEARCHES_SCHEMA if data.split.by == "time" else SEARCHES_SCHEMA
        reduced["searches"] = _forget(_read(data, "searches", schema), gone)
    if data.judgments:
        judged = _read(data, "judgments", JUDGMENTS_SCHEMA)
        reduced["judgments"] = judged.filter(~pl.col("item_id").is_in(gone.implode()))
    folder.mkdir(parents=True, exist_ok=True)
    sources = {}
    for name, frame in reduced.items():
        sources[name] = TableSource(file=folder.resolve() / f"{name}.parquet")
        frame.write_parquet(sources[name].file)
    return Holdout(data.model_copy(update=sources), items.filter(hidden))


def is_hidden(item_ids: Iterable[str], *, share: float, seed: int) -> NDArray[np.bool_]:
    """Which items to hide, from a hash of the id and the seed alone: bool `[N]`."""
    limit = share * 2**64
    digests = (hashlib.sha256(f"{seed}\n{item_id}".encode()).digest() for item_id in item_ids)
    return np.array([int.from_bytes(digest[:8], "big") < limit for digest in digests], dtype=bool)


def _read(data: DataConfig, name: str, schema: TableSchema) -> pl.DataFrame:
    return read_table(data.sources[name], schema, max_rejects=data.max_rejects).frame


def _forget(log: pl.DataFrame, gone: pl.Series) -> pl.DataFrame:
    """The log without any mention of the items that are gone."""
    log = log.with_row_index("search")
    for column in _ITEM_LISTS:
        kept = (
            log.select("search", column)
            .explode(column)
            .filter(~pl.col(column).is_in(gone.implode()))  # drops nulls, too
            .group_by("search", maintain_order=True)
            .agg(column)
        )
        log = log.drop(column).join(kept, on="search", how="left", maintain_order="left")
        log = log.with_columns(pl.col(column).fill_null([]))
    nothing = pl.lit(None, SEARCH_LOG["impression_channels"]).alias("impression_channels")
    return log.with_columns(nothing).select(*SEARCH_LOG)
