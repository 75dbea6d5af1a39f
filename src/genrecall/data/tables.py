"""The tables that every later stage works on, and the only place where their columns are named.

`Catalog` and `Searches` are validated once by `data/` and frozen; items are named by `item_id`
outside and by their catalog row inside. Shapes: `N` items, `M` searches.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, NewType

import numpy as np
import polars as pl
from numpy.typing import NDArray

ItemId = NewType("ItemId", str)
"""A shop's own name of an item."""

ItemRow = NewType("ItemRow", int)
"""Position of an item in the catalog."""

Rows = NDArray[np.int32]
"""Catalog rows."""

SplitBy = Literal["query", "time"]
"""How searches are split."""

SplitName = Literal["train", "validation", "test"]

ITEMS: Final[dict[str, pl.DataType]] = {
    "item_id": pl.String(),
    "title": pl.String(),
    "category": pl.List(pl.String()),
    "brand": pl.String(),
    "attributes": pl.List(pl.Struct({"key": pl.String(), "value": pl.List(pl.String())})),
    "description": pl.String(),
    "price": pl.Float64(),
    "score": pl.Float64(),
    "available": pl.Boolean(),
    "group_id": pl.String(),
    "updated_at": pl.Int64(),
}
"""`items`: `item_id` and `title` are never null; `category` is root first, null when unknown;
`score` is efficiency, at least 0; `updated_at` is in seconds since 1970, or an ordinal."""

SEARCH_LOG: Final[dict[str, pl.DataType]] = {
    "search_id": pl.String(),
    "timestamp": pl.Int64(),
    "user_id": pl.String(),
    "query": pl.String(),
    "impressions": pl.List(pl.String()),
    "clicks": pl.List(pl.String()),
    "purchases": pl.List(pl.String()),
    "filters": pl.String(),
    "impression_channels": pl.List(pl.List(pl.String())),
    "variant": pl.String(),
}
"""`searches`, one row a search; `timestamp` in seconds since 1970, or an ordinal; `filters`,
what the shopper had filtered by, in the JSON of `filters/cells.py`."""

USERS: Final[dict[str, pl.DataType]] = {
    "user_id": pl.String(),
    "gender": pl.String(),
    "age_band": pl.String(),
    "attributes": pl.List(pl.Struct({"key": pl.String(), "value": pl.List(pl.String())})),
}

JUDGMENTS: Final[dict[str, pl.DataType]] = {
    "query": pl.String(),
    "item_id": pl.String(),
    "relevance": pl.Float64(),
}

SEQUENCES: Final[dict[str, pl.DataType]] = {
    "user_id": pl.String(),
    "items": pl.List(pl.String()),
    "held_out": pl.List(pl.String()),
}
"""`sequences`, one row a shopper: what they chose in time order, and what they chose after that."""

UNLABELLED: Final[dict[str, pl.DataType]] = {"query": pl.String()}
"""`unlabelled`: queries of which nobody knows what is relevant to them."""

FURTHER: Final[dict[str, pl.DataType]] = {"further_query": pl.String()}
"""Those of them that no search has, each once."""

SEARCHES: Final[dict[str, pl.DataType]] = {
    "search_id": pl.String(),
    "query": pl.String(),
    "user_id": pl.String(),
    "time": pl.Int64(),
    "split": pl.String(),
    "impressions": pl.List(pl.Int32()),
    "positives": pl.List(pl.Int32()),
    "gains": pl.List(pl.Float32()),
    "bought": pl.List(pl.Boolean()),
    "filters": pl.String(),
}
"""Searches as the stages see them, from a log, judgments or sequences: items are catalog rows,
`positives` the relevant ones, `gains` how relevant (a purchase counts more than a click), `bought`
which of them were purchased. `filters` as in `SEARCH_LOG`: equal ones are equal text, null is
none."""

CHOICES: Final[dict[str, pl.DataType]] = {
    "user_id": pl.String(),
    "time": pl.Int64(),
    "item_id": pl.String(),
}
"""What shoppers clicked or bought, by shopper and time; `time` as in `SEARCHES`. Items are kept by
their id, so that neither a new catalog nor a new SID space orphans them."""


@dataclass(frozen=True, eq=False)
class Catalog:
    """The shop's items; row `i` of `frame` is item row `i` everywhere.

    Args:
        frame: columns and types of `ITEMS`, unique `item_id`, at least one row.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    def completed(self) -> Catalog:
        """The same items with every column of `ITEMS`; what is not there is null."""
        missing = {name: kind for name, kind in ITEMS.items() if name not in self.frame.columns}
        nulls = (pl.lit(None, kind).alias(name) for name, kind in missing.items())
        return Catalog(self.frame.with_columns(*nulls).select(*ITEMS))

    @cached_property
    def item_ids(self) -> list[str]:
        """`item_id` of each row."""
        return self.frame["item_id"].to_list()

    @cached_property
    def titles(self) -> list[str]:
        """Title of each row."""
        return self.frame["title"].to_list()

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each `item_id`."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def categories(self) -> list[tuple[str, ...] | None]:
        """Category path of each row, root first; None when unknown."""
        return [tuple(path) if path else None for path in self.frame["category"].to_list()]

    @property
    def scores(self) -> NDArray[np.float64]:
        """The shop's own score of each row, `[N]`; NaN where it has none."""
        return self.frame["score"].to_numpy().astype(np.float64)

    @cached_property
    def category_numbers(self) -> NDArray[np.int64]:
        """A number for the category path of each row, `[N]`; -1 when unknown."""
        number: dict[tuple[str, ...], int] = {}
        paths = (
            -1 if path is None else number.setdefault(path, len(number)) for path in self.categories
        )
        return np.fromiter(paths, dtype=np.int64, count=len(self))


@dataclass(frozen=True, eq=False)
class Searches:
    """Searches with their relevant items.

    Args:
        frame: columns and types of `SEARCHES`.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    def completed(self) -> Searches:
        """The same searches with every column of `SEARCHES`; what is not there is null."""
        missing = {name: kind for name, kind in SEARCHES.items() if name not in self.frame.columns}
        nulls = (pl.lit(None, kind).alias(name) for name, kind in missing.items())
        return Searches(self.frame.with_columns(*nulls).select(*SEARCHES))

    def of(self, split: SplitName) -> Searches:
        """Only the searches of one split, with at least one positive."""
        chosen = (pl.col("split") == split) & (pl.col("positives").list.len() > 0)
        return Searches(self.frame.filter(chosen))

    def told(self, split: SplitName) -> Searches:
        """Only the searches of one split that tell what was shown or chosen."""
        has = (pl.col("impressions").list.len() > 0) | (pl.col("positives").list.len() > 0)
        return Searches(self.frame.filter((pl.col("split") == split) & has))

    def spread(self, most: int) -> Searches:
        """At most so many of the searches, taken evenly in their order."""
        if len(self) <= most:
            return self
        return Searches(self.frame[np.linspace(0, len(self) - 1, most).round().astype(np.int64)])

    @cached_property
    def queries(self) -> list[str]:
        """Query text of each search."""
        return self.frame["query"].to_list()

    @cached_property
    def filters(self) -> list[dict[str, Any] | None]:
        """What each search was filtered by; equal filters are one and the same object."""
        written = self.frame["filters"].to_list()
        read = {text: json.loads(text) for text in dict.fromkeys(written) if text is not None}
        return [read.get(text) for text in written]

    @cached_property
    def positives(self) -> list[Rows]:
        """Catalog rows of each search's relevant items."""
        return [rows.to_numpy().astype(np.int32) for rows in self.frame["positives"]]

    @cached_property
    def gains(self) -> list[NDArray[np.float32]]:
        """Gain of each relevant item, aligned with `positives`."""
        return [gains.to_numpy().astype(np.float32) for gains in self.frame["gains"]]
