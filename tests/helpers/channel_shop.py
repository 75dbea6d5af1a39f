"""A small shop that channels are tried on."""

import dataclasses
import zlib

import numpy as np
import tables
from tables import catalog_of

from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.index.live import LiveItems

KINDS = ("drill", "saw", "lamp", "hammer")
COLORS = ("red", "blue", "green")
BRANDS = ("Acme", "Bolt")


def make_shop(n=60):
    """Items in titles like `red Acme drill 7`; every seventh is not available."""
    rows = []
    for i in range(n):
        kind, color, brand = KINDS[i % 4], COLORS[i % 3], BRANDS[i // 4 % 2]
        rows.append(
            {
                "item_id": f"item {i}",
                "title": f"{color} {brand} {kind} {i // 12}",
                "category": ["Tools", kind],
                "brand": brand,
                "price": float(i),
                "score": i / n,
                "available": i % 7 > 0,
                "attributes": [{"key": "color", "value": [color]}],
            }
        )
    return live_items(catalog_of(rows))


def shop_of(titles):
    """A shop of nothing but titles."""
    return live_items(catalog_of([{"item_id": str(i), "title": t} for i, t in enumerate(titles)]))


def live_items(catalog):
    """A catalog with hashed titles as vectors, and a SID for every item."""
    n = len(catalog)
    codes = np.column_stack([np.zeros((n, 2), dtype=np.int32), np.arange(n, dtype=np.int32)])
    return LiveItems(catalog, SidTable(SidSpace((1, 1, n)), codes), encode(catalog.titles))


def with_vectors(items, vectors):
    return dataclasses.replace(items, vectors=vectors)


def searches_of(chosen):
    """Searches as `(query, positives, gains)`."""
    return tables.searches_of(
        [{"query": query, "positives": items, "gains": gains} for query, items, gains in chosen]
    )


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
