"""A whole synthetic shop as files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genrecall.shop.catalog import NEVER, ShopCatalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.intent import Query
from genrecall.shop.make import Shop, make_shop
from genrecall.shop.products import BRANDS
from genrecall.shop.shoppers import AGE_BANDS, GENDERS, Shoppers


@dataclass(frozen=True)
class ShopFiles:
    """Where the shop was written, all in JSON lines.

    `items`, `searches` and `users` are the tables of `data/tables.py`. The truth behind them is for
    studies only, no stage reads it: `truth` has a line for each distinct query in the log with
    what is meant by it, `item_truth` a line for each item with its product type, how attractive it
    is, and when it was on the shelves.
    """

    items: Path
    searches: Path
    users: Path
    truth: Path
    item_truth: Path


def write_shop(config: ShopConfig, folder: Path) -> ShopFiles:
    """Make a shop and write it; the same config gives the same bytes.

    Args:
        config: how large the shop is and how its shoppers behave.
        folder: where to; it is made if it does not exist, and files in it are replaced.
    """
    shop = make_shop(config)
    folder.mkdir(parents=True, exist_ok=True)
    files = ShopFiles(
        **{
            name: folder / f"{name}.jsonl"
            for name in ("items", "searches", "users", "truth", "item_truth")
        }
    )
    _write(files.items, _items(shop.catalog, end=int(shop.log.time[-1])))
    _write(files.searches, _searches(shop))
    _write(files.users, _users(shop.shoppers))
    asked = np.unique(shop.log.query)
    _write(files.truth, (_intent(shop.catalog, shop.queries[number]) for number in asked))
    _write(files.item_truth, _item_truth(shop.catalog))
    return files


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
    for number in range(len(log)):
        shown = log.shown[number]
        yield {
            "search_id": f"s{number:07d}",
            "timestamp": int(log.time[number]),
            "user_id": None if log.anonymous[number] else user_ids[log.user[number]],
            "query": shop.queries[log.query[number]].text,
            "impressions": item_ids[shown[shown >= 0]].tolist(),
            "clicks": item_ids[shown[log.clicked[number]]].tolist(),
            "purchases": item_ids[shown[log.bought[number]]].tolist(),
        }


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
