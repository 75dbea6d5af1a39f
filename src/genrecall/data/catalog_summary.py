"""What was read of the items, so that what was read wrong is seen before it matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from genrecall.data.values.convert import shorten
from genrecall.text.normalize import read_words

_LOOKED_AT: Final = 1000  # titles


def summarize_catalog(items: pl.DataFrame, *, dated: bool = True) -> dict[str, Any]:
    """Count what is known of the items.

    Args:
        items: columns and types of `ITEMS`, at least one row.
        dated: whether `updated_at` are seconds since 1970, not ordinals.

    Returns:
        `categories` and their `levels`, items `without_category`; items that are `unavailable`;
        `price` {lowest, median, highest, missing} or None where none has one; the `first` item as
        it was read.
    """
    paths = items["category"].drop_nulls()
    prices = items["price"].drop_nulls()
    shown = items.head(1)
    if dated:
        day = pl.from_epoch("updated_at").dt.strftime("%Y-%m-%d %H:%M:%S")
        shown = shown.with_columns(day.alias("updated_at"))
    first = {name: value for name, value in shown.row(0, named=True).items() if value is not None}
    return {
        "categories": paths.n_unique(),
        "levels": paths.list.len().max() or 0,
        "without_category": items.height - len(paths),
        "unavailable": int((~items["available"]).sum()),
        "price": None
        if prices.is_empty()
        else {
            "lowest": prices.min(),
            "median": prices.median(),
            "highest": prices.max(),
            "missing": items.height - len(prices),
        },
        "first": first,
    }


def unreadable_titles(items: pl.DataFrame) -> list[str]:
    """A note where most titles have no word that anything could be found by; some are looked at.

    Args:
        items: columns and types of `ITEMS`.
    """
    titles = items["title"].gather_every(max(items.height // _LOOKED_AT, 1)).to_list()
    without = [title for title in titles if not read_words(title, "none")]
    if 2 * len(without) <= len(titles):
        return []
    share = 100 * len(without) // len(titles)
    return [
        f"items: {share} % of the titles looked at have no word, such as {shorten(without[0])}: "
        "no search finds them by text, and their SIDs say nothing. Map `title` to the column that "
        "holds the name"
    ]


def describe_catalog(catalog: Mapping[str, Any]) -> list[str]:
    """Say it in a few lines."""
    lines = [f"  first item: {', '.join(_shown(*field) for field in catalog['first'].items())}"]
    if catalog["categories"]:
        text = f"  categories: {catalog['categories']:,} of up to {catalog['levels']} levels"
        lines.append(f"{text}; {catalog['without_category']:,} items without one")
    if price := catalog["price"]:
        lines.append(
            f"  prices: {price['lowest']:,.2f} to {price['highest']:,.2f}, median "
            f"{price['median']:,.2f}; {price['missing']:,} items without one"
        )
    if catalog["unavailable"]:
        lines.append(f"  not available: {catalog['unavailable']:,} items, which are never answered")
    return lines


def _shown(name: str, value: Any) -> str:
    """A column's value as it was read."""
    if name == "category":
        return f"category {shorten(' > '.join(value))}"
    if name == "attributes":
        return " ".join(f"{entry['key']} {shorten('|'.join(entry['value']))}" for entry in value)
    return f"{name} {shorten(value)}"
