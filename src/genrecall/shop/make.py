"""A whole synthetic shop in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrecall.shop.catalog import ShopCatalog, make_catalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.intent import Query
from genrecall.shop.log import SearchLog, simulate
from genrecall.shop.queries import make_queries
from genrecall.shop.shoppers import Shoppers, make_shoppers


@dataclass(frozen=True, eq=False)
class Shop:
    """A shop with everything that a simulation knows about it.

    Args:
        catalog: its items.
        shoppers: who searches.
        queries: what they may ask, the most frequent first.
        log: what they did.
    """

    catalog: ShopCatalog
    shoppers: Shoppers
    queries: list[Query]
    log: SearchLog


def make_shop(config: ShopConfig) -> Shop:
    """Make a shop; the same config makes the same one."""
    # One stream of random numbers a part: a change in one leaves the others as they were.
    for_catalog, for_shoppers, for_queries, for_log = (
        np.random.default_rng([config.seed, part]) for part in range(4)
    )
    catalog = make_catalog(config, for_catalog)
    shoppers = make_shoppers(catalog, config, for_shoppers)
    queries = make_queries(catalog, config, for_queries)
    log = simulate(catalog, shoppers, queries, config, for_log)
    return Shop(catalog, shoppers, queries, log)
