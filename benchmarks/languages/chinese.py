"""A Chinese shop of KuaiSearch's tables: its products, and the titles that were judged for queries.

Clicks name products without a text in the public sample, so judgments of titles are read: a title
is a product of its own, relevant to its query from a judgment of 2 (of 0 to 3).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

_LEVELS: Final = ("category_level1_name", "category_level2_name", "category_level3_name")
_UNKNOWN: Final = ("UNKNOWN", "无品牌")

POSITIVE_FROM: Final = 2.0


def write_shop(source: Path, folder: Path) -> None:
    """Write `items.parquet` and `judgments.parquet`.

    Args:
        source: with `items.jsonl` and `relevance.jsonl`.
        folder: made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    items, judgments = list(_products(source)), []
    for number, row in enumerate(_lines(source / "relevance.jsonl")):
        item_id = f"judged-{number}"
        items.append(
            {"item_id": item_id, "title": row["item_title"], "brand": _known(row["brand"])}
        )
        judgments.append(
            {"query": row["query"], "item_id": item_id, "relevance": float(row["score"])}
        )
    schema = {"item_id": pl.String, "title": pl.String, "brand": pl.String}
    frame = pl.DataFrame(items, schema=schema | {"category": pl.List(pl.String)})
    frame.write_parquet(folder / "items.parquet")
    pl.DataFrame(judgments).write_parquet(folder / "judgments.parquet")


def _products(source: Path) -> Iterator[dict[str, Any]]:
    for row in _lines(source / "items.jsonl"):
        path = [row[level] for level in _LEVELS if row[level] not in _UNKNOWN]
        yield {
            "item_id": str(row["item_id"]),
            "title": row["item_title"],
            "brand": _known(row["brand_name"]),
            "category": path or None,
        }


def _known(brand: str) -> str | None:
    return None if brand in _UNKNOWN else brand


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)
