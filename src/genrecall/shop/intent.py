"""What a shopper wants, and how good each item is for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from genrecall.shop.catalog import Floats, Numbers, ShopCatalog

Kind = Literal["type", "type_value", "brand_type", "brand_type_value", "broad", "product", "brand"]

SAME_GROUP: Final = 0.12
"""Relevance of an item of another type from the same shelf."""

OTHER_WANT: Final = {"value": 0.3, "brand": 0.35, "product": 0.15}
"""What remains of the relevance when a wanted value, the brand or the very product is missed."""


@dataclass(frozen=True)
class Intent:
    """What a shopper wants.

    Attributes:
        kind: the form of the query.
        types: numbers of the product types meant, one of which the shopper has in mind.
        wanted: traits and their wanted values.
        brand: number of the wanted brand.
        product: number of the one product meant.
    """

    kind: Kind
    types: tuple[int, ...]
    wanted: tuple[tuple[str, str], ...] = ()
    brand: int | None = None
    product: int | None = None


@dataclass(frozen=True)
class Query:
    """A distinct query.

    Attributes:
        text: what is typed.
        spelled: the same without the typo.
        plain: the same in the words that the shop's titles use, spelled right.
        intent: what is meant.
    """

    text: str
    spelled: str
    plain: str
    intent: Intent


def relevance(catalog: ShopCatalog, intent: Intent, rows: Numbers) -> Floats:
    """How relevant items are for an intent: 1 is just what was wanted, 0 something else altogether.

    Any of the intent's types counts as the right one.

    Args:
        catalog: the shop's items.
        intent: what is wanted.
        rows: catalog rows, of any shape.
    """
    wanted_type = np.zeros(len(catalog.types), dtype=bool)
    wanted_type[list(intent.types)] = True
    groups = catalog.group_of_type
    wanted_group = np.zeros(groups.max() + 1, dtype=bool)
    wanted_group[groups[wanted_type]] = True
    of_type = np.where(wanted_group[groups], SAME_GROUP, 0.0)
    of_type[wanted_type] = 1.0
    grade: Floats = of_type[catalog.type_of[rows]]
    for pair in intent.wanted:
        has_value = np.zeros(len(catalog), dtype=bool)
        has_value[catalog.rows_with[pair]] = True
        grade[~has_value[rows]] *= OTHER_WANT["value"]
    if intent.brand is not None:
        grade[catalog.brand_of[rows] != intent.brand] *= OTHER_WANT["brand"]
    if intent.product is not None:
        grade[catalog.product_of[rows] != intent.product] *= OTHER_WANT["product"]
    return grade
