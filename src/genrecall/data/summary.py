"""What was read of the tables, counted and described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, get_args

import polars as pl

from genrecall.data.catalog_summary import describe_catalog, summarize_catalog, unreadable_titles
from genrecall.data.config import DataConfig
from genrecall.data.filters.items import ItemFilters
from genrecall.data.filters.passing import passing
from genrecall.data.rows.rejects import count_causes
from genrecall.data.searches import (
    BuiltSearches,
)
from genrecall.data.tables import Catalog, Searches, SplitName
from genrecall.data.validate import (
    TableRead,
)
from genrecall.data.values.ids import WrittenOtherwise
from genrecall.data.values.times import FORMS, ORDINAL

_FIELDS: Final = 5  # that searches are filtered by, in a line

Summary = Mapping[str, Any]
"""Counts of one reading, as in `summary.json`:

- `tables`: for each table `rows`, `kept`, `rejected` and `causes` {cause: rows}.
- `searches`: how many in each split; `without_positives`: how many of them have no relevant item.
- `split`, where searches were split by query or time: `by`; and `taught_later`, how many of the
  validation and test searches come before training searches, those of the same shopper where
  shoppers are known; `of` so many.
- `catalog`: what is known of the items, see `summarize_catalog`.
- `times`: for each column of times what it is written in, `first` and `last`.
- `unavailable_positives`: relevant items of all searches that are not available today, and `of` how
  many; no channel answers with them.
- `filters`, where searches have some: how many `searches`, `of` how many; `fields` {field:
  searches}; and `filtered_out`, how many relevant items do not pass what their search was filtered
  by, of how many `positives` of these searches.
- `further_queries`, where some were given: how many of them no search has.
- `notes`: what should be known about how cells were read, and what would help with rejects.
- `unknown_items`: `impressions`, `positives`, and `examples` of ids that the catalog lacks; and
  `otherwise`, where it has some with other leading zeros or without a trailing .0: their `count`,
  and one of them as `given` and as `known`.
- `category_path_queries`, of sequences only: `levels` of the path that make a query, and how many
  choices `without_category` gave no search.
"""


def describe(summary: Summary) -> list[str]:
    """Say a summary in a few lines, notes last."""
    return describe_counts(summary) + describe_notes(summary)


def describe_notes(summary: Summary) -> list[str]:
    """What of it must not be missed."""
    return [f"note: {note}" for note in summary["notes"]]


def describe_counts(summary: Summary) -> list[str]:
    """What was read, counted."""
    lines = []
    for name, table in summary["tables"].items():
        text = f"  {name}: {table['kept']:,} of {table['rows']:,} rows"
        if table["rejected"]:
            causes = ", ".join(f"{cause} ({n:,})" for cause, n in table["causes"].items())
            text += f"; {table['rejected']:,} rejected: {causes}"
        lines.append(text)
    lines += describe_catalog(summary["catalog"])
    lines += [f"  {name}: {_span(column)}" for name, column in summary["times"].items()]
    searches, without = summary["searches"], summary["without_positives"]
    if any(searches.values()):
        splits = ", ".join(f"{n:,} {name}" for name, n in searches.items())
        lonely = sum(without.values())
        lines.append(f"  searches: {splits}; {lonely:,} of them without a relevant item")
        lines += _describe_split(summary.get("split"))
        lines += _describe_filters(summary.get("filters"))
        if searches["validation"] == without["validation"]:
            lines.append(
                "  no validation search has a relevant item, so quality cannot be measured: "
                "raise `split: validation`, or give more searches"
            )
    else:
        lines.append("  searches: none; everything is learned from the titles")
    if "further_queries" in summary:
        lines.append(f"  further queries, which no search has: {summary['further_queries']:,}")
    if made := summary.get("category_path_queries"):
        lines.append(
            f"  the queries are category-path queries of {made['levels']} levels, never real ones; "
            "time is the position in a shopper's sequence"
        )
        if made["without_category"]:
            lines.append(
                f"  {made['without_category']:,} choices of items without a category give no search"
            )
    lines += _describe_unknown(summary["unknown_items"])
    gone = summary["unavailable_positives"]
    if gone["count"]:
        lines.append(
            f"  not available today: {gone['count']:,} of {gone['of']:,} relevant items, which no "
            "channel answers with"
        )
    return lines


def summarize(
    reads: Mapping[str, TableRead],
    searches: BuiltSearches,
    further: pl.DataFrame,
    config: DataConfig,
) -> Summary:
    """Count what was read of the tables, and what became of searches and further queries."""
    tables = {
        name: {
            "rows": read.rows,
            "kept": read.frame.height,
            "rejected": len(read.rejects),
            "causes": count_causes(read.rejects),
        }
        for name, read in reads.items()
    }
    items = reads["items"].frame
    lonely = searches.frame.filter(pl.col("positives").list.len() == 0)
    summary: dict[str, Any] = {
        "tables": tables,
        "searches": _count_splits(searches.frame),
        "without_positives": _count_splits(lonely),
        "unknown_items": searches.unknown.to_dict(),
        "catalog": summarize_catalog(
            items, dated=reads["items"].times.get("updated_at") != FORMS[ORDINAL]
        ),
        "times": {
            f"{name}.{column}": {"unit": unit} | _range(read.frame[column], unit)
            for name, read in reads.items()
            for column, unit in read.times.items()
        },
        "unavailable_positives": _unavailable(searches.frame, items),
        "notes": [f"{name}: {note}" for name, read in reads.items() for note in read.notes],
    }
    if searches.split_by is not None:
        later, known = _taught_later(searches.frame)
        summary["split"] = {"by": searches.split_by, "taught_later": later, "of": known}
    if "unlabelled" in reads:
        summary["further_queries"] = further.height
    if counted := _count_filters(Searches(searches.frame), items):
        summary["filters"] = counted
    summary["notes"] += unreadable_titles(items)
    summary["notes"] += _incomparable(summary["times"])
    if config.sequences:
        summary["category_path_queries"] = {
            "levels": config.sequences.query_levels,
            "without_category": searches.without_category,
        }
    return summary


def _describe_unknown(unknown: Mapping[str, Any]) -> list[str]:
    """Items that the catalog does not have."""
    if not unknown["examples"]:
        return []
    line = (
        f"  not in the catalog: {unknown['positives']:,} relevant items and "
        f"{unknown['impressions']:,} impressions, such as {', '.join(unknown['examples'])}"
    )
    otherwise = unknown.get("otherwise")
    return [line + (f"; {WrittenOtherwise(**otherwise)}" if otherwise else "")]


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


def _describe_filters(filters: Mapping[str, Any] | None) -> list[str]:
    """How many searches have filters, and on what most of them."""
    if filters is None:
        return []
    fields = [f"{name} ({n:,})" for name, n in filters["fields"].items()]
    more = f" and {len(fields) - _FIELDS} more fields" if len(fields) > _FIELDS else ""
    lines = [
        f"  filtered: {filters['searches']:,} of {filters['of']:,} searches, by "
        f"{', '.join(fields[:_FIELDS])}{more}"
    ]
    if filters["filtered_out"]:
        lines.append(
            f"  filtered out: {filters['filtered_out']:,} of the {filters['positives']:,} relevant "
            "items of these do not pass their filters today; no channel answers with them"
        )
    return lines


def _count_filters(searches: Searches, items: pl.DataFrame) -> dict[str, Any]:
    """Searches with filters, and those with each field, the most frequent first; empty for none."""
    filtered = [filters for filters in searches.filters if filters]
    fields = Counter(name for filters in filtered for name in filters)
    ordered = sorted(fields, key=lambda name: (-fields[name], name))
    if not filtered:
        return {}
    chosen = searches.frame.select("filters", "positives").drop_nulls("filters")
    chosen = chosen.explode("positives").drop_nulls()
    passed = passing(chosen["filters"], chosen["positives"], ItemFilters(Catalog(items)).mask)
    return {
        "searches": len(filtered),
        "of": len(searches),
        "fields": {name: fields[name] for name in ordered},
        "filtered_out": int((~passed).sum()),
        "positives": len(passed),
    }


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


def _range(times: pl.Series, unit: str) -> dict[str, Any]:
    """First and last time, as dates unless they are ordinals."""
    known = times.drop_nulls()
    if known.is_empty():
        return {"first": None, "last": None}
    if unit == FORMS[ORDINAL]:
        return {"first": known.min(), "last": known.max()}
    days = pl.from_epoch(pl.Series([known.min(), known.max()])).dt.strftime("%Y-%m-%d")
    return {"first": days[0], "last": days[1]}


def _span(column: Mapping[str, Any]) -> str:
    return f"{column['unit']}, {column['first']} to {column['last']}"


def _incomparable(times: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say that a log and a catalog count time in different ways."""
    ordinal = {
        name: column["unit"] == FORMS[ORDINAL]
        for name, column in times.items()
        if name in ("items.updated_at", "searches.timestamp")
    }
    if len(set(ordinal.values())) < 2:
        return []
    return [
        "items.updated_at and searches.timestamp do not compare, since one of them holds ordinals: "
        "which items are new cannot be told. Write both one way, or set `updated_at: null`"
    ]


def _unavailable(searches: pl.DataFrame, items: pl.DataFrame) -> dict[str, int]:
    rows = searches["positives"].explode().drop_nulls()
    available = items["available"].gather(rows)
    return {"count": int((~available).sum()), "of": len(rows)}


def _count_splits(frame: pl.DataFrame) -> dict[str, int]:
    found = dict(frame.group_by("split").len().iter_rows())
    return {split: found.get(split, 0) for split in get_args(SplitName)}
