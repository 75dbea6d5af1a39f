"""The shop's catalog: what can be read off its items, and what only a simulation knows.

Shapes: `N` items, `T` product types.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.shop.config import ShopConfig
from genrecall.shop.products import Draft, ProductMaker, SoldType, sold_types

DAY: Final = 86_400
"""Seconds in a day."""

AUDIENCES: Final = ("", "Women's", "Men's", "Kids'")
"""Values of the `audience` trait by number; "" for items that do not say whom they are for."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ShopCatalog:
    """All items of the shop, those that enter during the log too. Variants are separate items.

    Args:
        types: the product types on sale, `[T]`.
        drafts: the readable part of each item, `[N]`.
        score: efficiency as the shop has measured it, log-normal, `[N]`.
        listed: whether the category is known, `[N]`.
        entered: when the item entered the shop, in seconds since 1970, `[N]`.
        left: when it left the shelves, `[N]`; `NEVER` for items that stay.
    """

    types: tuple[SoldType, ...]
    drafts: tuple[Draft, ...]
    score: Floats
    listed: NDArray[np.bool_]
    entered: Numbers
    left: Numbers

    def __len__(self) -> int:
        return len(self.drafts)

    @cached_property
    def item_ids(self) -> list[str]:
        """Name of each item, `[N]`."""
        return [f"i{row:06d}" for row in range(len(self))]

    @cached_property
    def product_of(self) -> Numbers:
        """Number of the product whose variant each item is, `[N]`."""
        return np.array([draft.product for draft in self.drafts])

    @cached_property
    def type_of(self) -> Numbers:
        """Number of each item's type in `types`, `[N]`."""
        return np.array([draft.type_of for draft in self.drafts])

    @cached_property
    def group_of_type(self) -> Numbers:
        """Number of each type's group, `[T]`."""
        return np.array([sold.group for sold in self.types])

    @cached_property
    def brand_of(self) -> Numbers:
        """Number of each item's brand in `products.BRANDS`, `[N]`."""
        return np.array([draft.brand_of for draft in self.drafts])

    @cached_property
    def audience_of(self) -> Numbers:
        """Position of each item's audience in `AUDIENCES`, `[N]`."""
        return np.array([AUDIENCES.index(d.values.get("audience", "")) for d in self.drafts])

    @cached_property
    def colours(self) -> tuple[str, ...]:
        """All colours in alphabetic order."""
        return tuple(sorted({d.values["color"] for d in self.drafts if "color" in d.values}))

    @cached_property
    def colour_of(self) -> Numbers:
        """Position of each item's colour in `colours`, -1 for none, `[N]`."""
        number = {colour: i for i, colour in enumerate(self.colours)}
        return np.array([number.get(d.values.get("color", ""), -1) for d in self.drafts])

    @cached_property
    def attractiveness(self) -> Floats:
        """What makes any shopper click, about standard normal, `[N]`."""
        return np.array([draft.attractiveness for draft in self.drafts])

    @cached_property
    def price_level(self) -> Floats:
        """How dear each item is for its type, in standard deviations of the log price, `[N]`."""
        log_price = np.log([draft.price for draft in self.drafts])
        usual = np.log([sold.kind.price for sold in self.types])[self.type_of]
        off = log_price - usual
        level: Floats = off / off.std()
        return level

    @cached_property
    def rows_with(self) -> dict[tuple[str, str], Numbers]:
        """Sorted rows of the items that have a value of a trait."""
        rows: dict[tuple[str, str], list[int]] = {}
        for row, draft in enumerate(self.drafts):
            for pair in draft.values.items():
                rows.setdefault(pair, []).append(row)
        return {pair: np.array(found) for pair, found in rows.items()}


NEVER: Final = np.iinfo(np.int64).max
"""Time at which an item leaves that stays."""


def make_catalog(config: ShopConfig, rng: np.random.Generator) -> ShopCatalog:
    """Draw the catalog of a shop."""
    types = sold_types(config.items)
    maker = ProductMaker(types, rng)
    drafts: list[Draft] = []
    for number, count in enumerate(_items_per_type(types, config.items, rng)):
        drafts += maker.of_type(number, int(count))
    drafts = [drafts[i] for i in rng.permutation(len(drafts))]  # row numbers tell nothing
    product_of = np.array([draft.product for draft in drafts])
    entered = _entry_times(product_of, config, rng)
    new = entered >= config.start
    attractiveness = np.array([draft.attractiveness for draft in drafts])
    return ShopCatalog(
        types=types,
        drafts=tuple(drafts),
        score=_scores(attractiveness, new, rng),
        listed=rng.random(len(drafts)) >= config.without_category,
        entered=entered,
        left=_exit_times(new, config, rng),
    )


def _items_per_type(types: tuple[SoldType, ...], items: int, rng: np.random.Generator) -> Numbers:
    """Share the items out to the types, at least one each: int64 `[T]`."""
    weight = np.array([sold.kind.size for sold in types]) * rng.lognormal(0, 0.4, len(types))
    exact = np.maximum(weight / weight.sum() * items, 1)
    exact *= items / exact.sum()
    counts: Numbers = np.maximum(np.floor(exact).astype(np.int64), 1)
    order = np.argsort(counts - exact, kind="stable")  # the largest remainders first
    counts[order[: max(items - counts.sum(), 0)]] += 1
    counts[np.argmax(counts)] -= counts.sum() - items
    return counts


def _entry_times(product_of: Numbers, config: ShopConfig, rng: np.random.Generator) -> Numbers:
    """When each item entered: all variants of a product at once, old ones over two years."""
    n_products = int(product_of.max()) + 1
    share_new = min(config.new_items_per_day * config.days, 0.5)
    new = rng.random(n_products) < share_new
    old_time = config.start - rng.integers(1, 730 * DAY, n_products)
    new_time = config.start + rng.integers(0, config.days * DAY, n_products)
    times: Numbers = np.where(new, new_time, old_time)[product_of]
    return times


def _exit_times(new: NDArray[np.bool_], config: ShopConfig, rng: np.random.Generator) -> Numbers:
    """When each item sold out; new ones have not yet."""
    leaves = (rng.random(len(new)) < config.sold_out) & ~new
    when = config.start + rng.integers(0, config.days * DAY * 3 // 4, len(new))
    times: Numbers = np.where(leaves, when, NEVER)
    return times


def _scores(attractiveness: Floats, new: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Efficiency: a noisy measurement of attractiveness; of a new item little is known yet."""
    known = np.where(new, 0.2, 0.7)
    noise = rng.normal(0, 1, len(new))
    standard = known * attractiveness + np.sqrt(1 - known**2) * noise
    scores: Floats = np.exp(1.0 + 0.8 * standard)
    return scores
