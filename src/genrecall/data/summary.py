"""What was read of the tables, counted and described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import polars as pl

from genrecall.data.config import DataConfig
from genrecall.data.rejects import count_causes
from genrecall.data.searches import (
    BuiltSearches,
)
from genrecall.data.tables import SplitName
from genrecall.data.validate import (
    TableRead,
)

Summary = Mapping[str, Any]
"""Counts of one reading, as in `summary.json`:

- `tables`: for each table `rows`, `kept`, `rejected` and `causes` {cause: rows}.
- `searches`: how many in each split; `without_positives`: how many of them have no relevant item.
- `split`, where searches were split by query or time: `by`; and `taught_later`, how many of the
  validation and test searches come before training searches, those of the same shopper where
  shoppers are known; `of` so many.
- `unknown_items`: `impressions`, `positives`, and `examples` of ids that the catalog lacks.
- `category_path_queries`, of sequences only: `levels` of the path that make a query, and how many
  choices `without_category` gave no search.
"""


def describe(summary: Summary) -> list[str]:
    """Say a summary in a few lines."""
    lines = []
    for name, table in summary["tables"].items():
        text = f"  {name}: {table['kept']:,} of {table['rows']:,} rows"
        if table["rejected"]:
            causes = ", ".join(f"{cause} ({n:,})" for cause, n in table["causes"].items())
            text += f"; {table['rejected']:,} rejected: {causes}"
        lines.append(text)
    searches, without = summary["searches"], summary["without_positives"]
    if any(searches.values()):
        splits = ", ".join(f"{n:,} {name}" for name, n in searches.items())
        lonely = sum(without.values())
        lines.append(f"  searches: {splits}; {lonely:,} of them without a relevant item")
        lines += _describe_split(summary.get("split"))
        if searches["validation"] == without["validation"]:
            lines.append(
                "  no validation search has a relevant item, so quality cannot be measured: "
                "raise `split: validation`, or give more searches"
            )
    else:
        lines.append("  searches: none; everything is learned from the titles")
    if made := summary.get("category_path_queries"):
        lines.append(
            f"  the queries are category-path queries of {made['levels']} levels, never real ones; "
            "time is the position in a shopper's sequence"
        )
        if made["without_category"]:
            lines.append(
                f"  {made['without_category']:,} choices of items without a category give no search"
            )
    unknown = summary["unknown_items"]
    if unknown["examples"]:
        lines.append(
            f"  not in the catalog: {unknown['positives']:,} relevant items and "
            f"{unknown['impressions']:,} impressions, such as {', '.join(unknown['examples'])}"
        )
    return lines


def summarize(
    reads: Mapping[str, TableRead], searches: BuiltSearches, config: DataConfig
) -> Summary:
    """Count what was read of the tables, and what became of the searches."""
    tables = {
        name: {
            "rows": read.rows,
            "kept": read.frame.height,
            "rejected": len(read.rejects),
            "causes": count_causes(read.rejects),
        }
        for name, read in reads.items()
    }
    lonely = searches.frame.filter(pl.col("positives").list.len() == 0)
    summary = {
        "tables": tables,
        "searches": _count_splits(searches.frame),
        "without_positives": _count_splits(lonely),
        "unknown_items": searches.unknown._asdict(),
    }
    if searches.split_by is not None:
        later, known = _taught_later(searches.frame)
        summary["split"] = {"by": searches.split_by, "taught_later": later, "of": known}
    if config.sequences:
        summary["category_path_queries"] = {
            "levels": config.sequences.query_levels,
            "without_category": searches.without_category,
        }
    return summary


def _describe_split(split: Mapping[str, Any] | None) -> list[str]:
    """How searches were split, and what that makes of the figures."""
    if split is None:
        return []
    lines = [f"  split by {split['by']}"]
    if split["by"] == "query" and split["taught_later"]:
        share = 100 * split["taught_later"] / split["of"]
        lines.append(
            f"  {share:.0f} % of the validation and test searches come before training searches of "
            "the same shopper or shop: figures then tell of unseen queries, not of the future. To "
            "measure the future, set `split: {by: time}`"
        )
    return lines


def _taught_later(searches: pl.DataFrame) -> tuple[int, int]:
    """How many measured searches come before training ones of their shopper, and of how many.

    Searches without a shopper are compared with all of training.
    """
    timed = searches.select("user_id", "time", "split").drop_nulls("time")
    training, measured = timed.filter(split="train"), timed.filter(pl.col("split") != "train")
    latest = (
        training.drop_nulls("user_id").group_by("user_id").agg(pl.col("time").max().alias("to"))
    )
    to = measured.join(latest, on="user_id", how="left").select(
        pl.when(pl.col("user_id").is_null())
        .then(pl.lit(training["time"].max(), pl.Int64))
        .otherwise(pl.col("to"))
        > pl.col("time")
    )
    return int(to.to_series().sum()), measured.height


def _count_splits(frame: pl.DataFrame) -> dict[str, int]:
    found = dict(frame.group_by("split").len().iter_rows())
    return {split: found.get(split, 0) for split in get_args(SplitName)}
