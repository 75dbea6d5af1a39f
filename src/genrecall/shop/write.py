"""A whole synthetic shop as files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from genrecall.foundation.artifact import Json
from genrecall.foundation.files import write_json
from genrecall.shop.catalog import NEVER, ShopCatalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.engine import Recall
from genrecall.shop.intent import Query
from genrecall.shop.make import Shop, make_shop
from genrecall.shop.products import BRANDS
from genrecall.shop.shoppers import AGE_BANDS, GENDERS, Shoppers


@dataclass(frozen=True)
class ShopFiles:
    """Where the shop was written, all but `log` in JSON lines.

    `items`, `searches` and `users` are the tables of `data/tables.py`. The truth behind them is for
    studies only, no stage reads it: `truth` has a line for each distinct query in the log with
    what is meant by it, `item_truth` a line for each item with its product type, how attractive it
    is, and when it was on the shelves. `log` says in one JSON object what was simulated, see
    `describe_log`.
    """

    items: Path
    searches: Path
    users: Path
    truth: Path
    item_truth: Path
    log: Path


LOG_FILE: Final = "log.json"
"""Name of `ShopFiles.log`."""


def write_shop(config: ShopConfig, folder: Path, recall: Recall | None = None) -> ShopFiles:
    """Make a shop and write it; the same config gives the same bytes.

    Args:
        config: how large the shop is and how its shoppers behave.
        folder: where to; it is made if it does not exist, and files in it are replaced.
        recall: finds what the search engine orders and shows; None for the engine's own words.
    """
    shop = make_shop(config, recall)
    folder.mkdir(parents=True, exist_ok=True)
    files = ShopFiles(
        **{
            name: folder / f"{name}.jsonl"
            for name in ("items", "searches", "users", "truth", "item_truth")
        },
        log=folder / LOG_FILE,
    )
    _write(files.items, _items(shop.catalog, end=int(shop.log.time[-1])))
    _write(files.searches, _searches(shop))
    _write(files.users, _users(shop.shoppers))
    asked = np.unique(shop.log.query)
    _write(files.truth, (_intent(shop.catalog, shop.queries[number]) for number in asked))
    _write(files.item_truth, _item_truth(shop.catalog))
    write_json(files.log, describe_log(shop, config))
    return files


def describe_log(shop: Shop, config: ShopConfig) -> dict[str, Json]:
    """What was simulated.

    Keys: `simulated` is true; `logging_policy` what found the items that were shown, the `words` of
    the search engine or the names of recall channels with a plus between; `shopper_model`, `seed`
    and `log_seed` as in the config; `page` how many items a search shows at most; `items`,
    `shoppers`, `distinct_queries`, `searches`, `impressions`, `clicks` and `purchases` how many
    there are; `searches_with_click` and `searches_without_items` in how many searches. With
    channels `impressions_by_channel` and `clicks_by_channel` say of how many of them each channel
    has found the item.

    Args:
        shop: as it was made.
        config: what it was made with.
    """
    log = shop.log
    shown = log.shown >= 0
    told: dict[str, Json] = {
        "simulated": True,
        "logging_policy": "+".join(log.channels) or "words",
        "shopper_model": config.shopper_model,
        "seed": config.seed,
        "log_seed": config.log_seed,
        "page": config.impressions,
        "items": len(shop.catalog),
        "shoppers": len(shop.shoppers),
        "distinct_queries": len(np.unique(log.query)),
        "searches": len(log),
        "impressions": int(shown.sum()),
        "clicks": int(log.clicked.sum()),
        "purchases": int(log.bought.sum()),
        "searches_with_click": int(log.clicked.any(axis=1).sum()),
        "searches_without_items": int((~shown.any(axis=1)).sum()),
    }
    if log.found_by is not None:
        for name, those in (("impressions", shown), ("clicks", log.clicked)):
            found_by = log.found_by[those]
            told[f"{name}_by_channel"] = {
                channel: int((found_by >> bit & 1).sum())
                for bit, channel in enumerate(log.channels)
            }
    return told


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def _items(catalog: ShopCatalog, *, end: int) -> Iterator[dict[str, Any]]:
    for row, draft in enumerate(catalog.drafts):
        yield {
            "item_id": catalog.item_ids[row],
            "title": draft.title,
            "category": catalog.types[draft.type_of].path if catalog.listed[row] else None,
            "brand": BRANDS[draft.brand_of],
            "attributes": {key: [value] for key, value in draft.values.items()},
            "price": round(draft.price, 2),
            "score": round(float(catalog.score[row]), 4),
            "available": bool(catalog.left[row] > end),
            "group_id": f"g{draft.product:06d}",
            "updated_at": int(catalog.entered[row]),
        }


def _searches(shop: Shop) -> Iterator[dict[str, Any]]:
    log, user_ids = shop.log, shop.shoppers.user_ids
    item_ids = np.array(shop.catalog.item_ids, dtype=object)
    found_by = _channel_lists(log.channels)
    for number in range(len(log)):
        shown = log.shown[number]
        there = shown >= 0
        row = {
            "search_id": f"s{number:07d}",
            "timestamp": int(log.time[number]),
            "user_id": None if log.anonymous[number] else user_ids[log.user[number]],
            "query": shop.queries[log.query[number]].text,
            "impressions": item_ids[shown[there]].tolist(),
            "clicks": item_ids[shown[log.clicked[number]]].tolist(),
            "purchases": item_ids[shown[log.bought[number]]].tolist(),
        }
        if log.found_by is not None:
            row["impression_channels"] = [found_by[bits] for bits in log.found_by[number, there]]
        yield row


def _channel_lists(channels: Sequence[str]) -> list[list[str]]:
    """Names of the channels by `SearchLog.found_by`."""
    return [
        [name for bit, name in enumerate(channels) if bits >> bit & 1]
        for bits in range(1 << len(channels))
    ]


def _users(shoppers: Shoppers) -> Iterator[dict[str, Any]]:
    for number, user_id in enumerate(shoppers.user_ids):
        gender = GENDERS[shoppers.gender[number]] if shoppers.tells_gender[number] else None
        yield {
            "user_id": user_id,
            "gender": gender,
            "age_band": AGE_BANDS[shoppers.age_band[number]],
            "attributes": {"membership": ["plus" if shoppers.member[number] else "basic"]},
        }


def _intent(catalog: ShopCatalog, query: Query) -> dict[str, Any]:
    intent = query.intent
    return {
        "query": query.text,
        "spelled": query.spelled,
        "plain": query.plain,
        "kind": intent.kind,
        "product_types": [catalog.types[number].path[-1] for number in intent.types],
        "attributes": {key: [value] for key, value in intent.wanted},
        "brand": None if intent.brand is None else BRANDS[intent.brand],
        "group_id": None if intent.product is None else f"g{intent.product:06d}",
    }


def _item_truth(catalog: ShopCatalog) -> Iterator[dict[str, Any]]:
    for row, draft in enumerate(catalog.drafts):
        left = int(catalog.left[row])
        yield {
            "item_id": catalog.item_ids[row],
            "product_type": catalog.types[draft.type_of].path[-1],
            "attractiveness": round(draft.attractiveness, 4),
            "entered_at": int(catalog.entered[row]),
            "left_at": None if left == NEVER else left,
        }
