"""A small shop that channels are tried on."""

import zlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from genrecall.data.tables import ITEMS, Catalog
from genrecall.index.filters import ItemFilters
from genrecall.index.live import Eligible

KINDS = ("drill", "saw", "lamp", "hammer")
COLORS = ("red", "blue", "green")
BRANDS = ("Acme", "Bolt")


@dataclass(frozen=True)
class Shop:
    """Sixty items in titles like `red Acme drill 7`; every seventh is not live.

    Attributes:
        catalog: the items.
        live: which can be answered with, bool `[N]`.
    """

    catalog: Catalog
    live: np.ndarray

    @property
    def filters(self):
        return ItemFilters(self.catalog.frame)

    @property
    def eligible(self):
        return Eligible(self.filters, self.live)


def make_shop(n=60):
    rows = []
    for i in range(n):
        kind, color, brand = KINDS[i % 4], COLORS[i % 3], BRANDS[i // 4 % 2]
        rows.append(
            dict.fromkeys(ITEMS)
            | {
                "item_id": f"item {i}",
                "title": f"{color} {brand} {kind} {i // 12}",
                "category": ["Tools", kind],
                "brand": brand,
                "price": float(i),
                "score": i / n,
                "available": i % 5 > 0,
                "attributes": [{"key": "color", "value": [color]}],
            }
        )
    return Shop(Catalog(pl.DataFrame(rows, schema=ITEMS)), live=np.arange(n) % 7 > 0)


def normalize(text):
    return " ".join(text.lower().split())


def encode(texts):
    """Unit vectors of hashed words, float32 `[n, 32]`; zero for a text of no letters."""
    vectors = np.zeros((len(texts), 32), dtype=np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        for word in normalize(text).split():
            if word.isalnum():
                vector += np.random.default_rng(zlib.crc32(word.encode())).normal(size=32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
