"""Searches with their relevant items, from a search log, from judgments or from sequences.

Items become catalog rows. Ids that the catalog does not have are counted and named.
Shapes: `M` searches.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import polars as pl

from genrecall.data.config import DataConfig, Gains, SplitConfig
from genrecall.data.splits import split_by_query, split_by_time
from genrecall.data.tables import SEARCHES, Catalog, SplitBy
from genrecall.data.validate import TableRead
from genrecall.data.values.ids import WrittenOtherwise, written_otherwise
from genrecall.foundation.errors import DataError

_EXAMPLES: Final = 3


class UnknownItems(NamedTuple):
    """Items of the searches that the catalog does not have.

    Attributes:
        impressions: how often one was shown.
        positives: how often one was clicked, purchased or judged relevant.
        examples: the first few of their ids.
        otherwise: those that would be there, written in another way; None where none would.
    """

    impressions: int
    positives: int
    examples: list[str]
    otherwise: WrittenOtherwise | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        told = self._asdict() | {"otherwise": self.otherwise and asdict(self.otherwise)}
        return {name: value for name, value in told.items() if value is not None}


class BuiltSearches(NamedTuple):
    """Searches and what was left out of them.

    Attributes:
        frame: columns and types of `SEARCHES`, in file order.
        unknown: items that are not in the catalog.
        without_category: choices of sequences that gave no search, since no query could be made.
        split_by: how searches were split; None where it was shopper by shopper.
    """

    frame: pl.DataFrame
    unknown: UnknownItems
    without_category: int = 0
    split_by: SplitBy | None = None


def no_searches() -> BuiltSearches:
    """Build the searches of a shop without a log."""
    return BuiltSearches(pl.DataFrame(schema=dict(SEARCHES)), UnknownItems(0, 0, []))


def searches_from_log(read: TableRead, catalog: Catalog, config: DataConfig) -> BuiltSearches:
    """Build a search from each row of a log: its relevant items are those clicked or purchased.

    Args:
        read: columns and types of `SEARCH_LOG`.
        catalog: the items.
        config: gains and split.

    Raises:
        DataError: nobody clicked or purchased anything, or nothing that the catalog has.
    """
    log = read.frame.with_row_index("search")
    shown = _long(log, "impressions")
    chosen = _chosen(log, config.gains)
    if chosen.height == 0:
        raise DataError(
            f"{read.file}: {log.height:,} searches without a single click or purchase; nothing can "
            "be learned from them. Map the columns `clicks` or `purchases`, or leave `searches` "
            "out to learn from the titles alone."
        )
    frame = log.select(
        "search", "search_id", "query", "user_id", pl.col("timestamp").alias("time"), "filters"
    ).with_columns(_split_log(log, config.split).alias("split"))
    by = log_split_by(log, config.split)
    return build_searches(frame, shown, chosen, catalog, read)._replace(split_by=by)


def searches_from_judgments(read: TableRead, catalog: Catalog, config: DataConfig) -> BuiltSearches:
    """Build a search from each distinct query; gains are the relevance of its relevant items.

    The `search_id` is a hash of the query's text, so it stays when judgments are added.

    Args:
        read: columns and types of `JUDGMENTS`.
        catalog: the items.
        config: threshold and split.

    Raises:
        DataError: no judgment reaches the threshold, or none of an item that the catalog has.
    """
    queries = read.frame["query"].unique(maintain_order=True)
    frame = pl.DataFrame({"query": queries}).with_row_index("search")
    judged = (
        read.frame.group_by("query", "item_id", maintain_order=True)
        # Rounded, so that three judgments of 2.33 still reach a threshold of 2.33.
        .agg(pl.col("relevance").mean().round(6).alias("gain"))
        .join(frame, on="query", maintain_order="left")
    )
    relevant = judged.filter(pl.col("gain") >= config.positive_from)
    if relevant.height == 0:
        raise DataError(
            f"{read.file}: no judgment reaches positive_from {config.positive_from:g}; the highest "
            f"relevance is {max(judged['gain'].to_list()):g}. Lower `positive_from`."
        )
    ids = [hashlib.sha256(query.encode()).hexdigest()[:16] for query in queries.to_list()]
    frame = frame.with_columns(
        pl.Series("search_id", ids, dtype=pl.String),
        split_by_query(queries, config.split).alias("split"),
        pl.lit(None, pl.String).alias("user_id"),
        pl.lit(None, pl.Int64).alias("time"),
    )
    built = build_searches(frame, relevant.clear(), relevant, catalog, read)
    return built._replace(split_by="query")


def log_split_by(log: pl.DataFrame, split: SplitConfig) -> SplitBy:
    """How a log is split: as asked, else by time where it has times.

    Args:
        log: columns of `SEARCH_LOG`.
        split: what was asked.
    """
    if split.by is not None:
        return split.by
    return "time" if log["timestamp"].is_not_null().any() else "query"


def _split_log(log: pl.DataFrame, split: SplitConfig) -> pl.Series:
    if log_split_by(log, split) == "time":
        return split_by_time(log["timestamp"], split)
    return split_by_query(log["query"], split)


def _long(log: pl.DataFrame, column: str) -> pl.DataFrame:
    """One row `(search, item_id)` for each entry of a list column."""
    return log.select("search", pl.col(column).alias("item_id")).explode("item_id").drop_nulls()


def _chosen(log: pl.DataFrame, gains: Gains) -> pl.DataFrame:
    """One row `(search, item_id, gain, bought)` for each click and each purchase."""
    return pl.concat(
        _long(log, column).with_columns(pl.lit(gain).alias("gain"), pl.lit(bought).alias("bought"))
        for column, gain, bought in (
            ("clicks", gains.click, False),
            ("purchases", gains.purchase, True),
        )
    )


def build_searches(
    frame: pl.DataFrame,
    shown: pl.DataFrame,
    chosen: pl.DataFrame,
    catalog: Catalog,
    read: TableRead,
) -> BuiltSearches:
    """Put catalog rows behind the searches.

    Args:
        frame: `search` (a number), `search_id`, `query`, `user_id`, `time` and `split`, and
            `filters` where they are known.
        shown: `(search, item_id)` of the impressions, by search in the order of the page.
        chosen: `(search, item_id, gain)` of the relevant items, and `bought` where it is known.
        catalog: the items.
        read: where the searches come from.

    Raises:
        DataError: the catalog has none of the relevant items.
    """
    rows = catalog.frame.select("item_id").with_row_index("row")
    if "bought" not in chosen.columns:
        chosen = chosen.with_columns(pl.lit(False).alias("bought"))
    if "filters" not in frame.columns:
        frame = frame.with_columns(pl.lit(None).alias("filters"))
    shown, chosen = (
        items.join(rows, on="item_id", how="left", maintain_order="left")
        for items in (shown, chosen)
    )
    lost = [items.filter(pl.col("row").is_null())["item_id"] for items in (shown, chosen)]
    otherwise = written_otherwise(pl.concat(lost), catalog.frame["item_id"])
    if len(lost[1]) == chosen.height:
        raise DataError(
            f"{read.file}: none of its {chosen.height:,} relevant items is in the catalog; it "
            f"names items like {chosen['item_id'][0]!r}, the catalog has {catalog.item_ids[0]!r}. "
            "Map `item_id` of the items to the column with these ids."
            + (f" {otherwise}." if otherwise else "")
        )
    examples = pl.concat(lost).unique(maintain_order=True).head(_EXAMPLES).to_list()
    built = (
        frame.join(_impressions(shown), on="search", how="left", maintain_order="left")
        .join(_positives(chosen), on="search", how="left", maintain_order="left")
        .with_columns(pl.col("impressions", "positives", "gains", "bought").fill_null([]))
        .select(pl.col(name).cast(dtype) for name, dtype in SEARCHES.items())
    )
    unknown = UnknownItems(len(lost[0]), len(lost[1]), examples, otherwise)
    return BuiltSearches(built.rechunk(), unknown)


def _impressions(shown: pl.DataFrame) -> pl.DataFrame:
    """Shown rows of each search in the order of the page, each once."""
    known = shown.drop_nulls("row").unique(["search", "row"], keep="first", maintain_order=True)
    return known.group_by("search", maintain_order=True).agg(pl.col("row").alias("impressions"))


def _positives(chosen: pl.DataFrame) -> pl.DataFrame:
    """Relevant rows of each search with their highest gain: the best first, then in file order."""
    return (
        chosen.drop_nulls("row")
        .group_by("search", "row", maintain_order=True)
        .agg(pl.col("gain").max(), pl.col("bought").any())
        .sort("gain", descending=True, maintain_order=True)
        .group_by("search", maintain_order=True)
        .agg(pl.col("row").alias("positives"), pl.col("gain").alias("gains"), "bought")
    )
