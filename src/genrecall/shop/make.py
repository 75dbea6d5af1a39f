"""A whole synthetic shop in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from genrecall.shop.catalog import ShopCatalog, make_catalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.engine import Recall
from genrecall.shop.intent import Query
from genrecall.shop.log import SearchLog, simulate
from genrecall.shop.queries import make_queries
from genrecall.shop.shoppers import Shoppers, make_shoppers

_CATALOG: Final = 0
_SHOPPERS: Final = 1
_QUERIES: Final = 2
_LOG: Final = 3
_OTHER_LOG: Final = 5  # 4 is the oracle's


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


def make_shop(config: ShopConfig, recall: Recall | None = None) -> Shop:
    """Make a shop; the same config makes the same one.

    Args:
        config: how large it is and how its shoppers behave.
        recall: finds what its search engine orders and shows; None for the engine's own words.
    """
    catalog = make_items(config)
    shoppers = make_shoppers(catalog, config, _chance(config, _SHOPPERS))
    queries = make_queries(catalog, config, _chance(config, _QUERIES))
    for_log = _chance(config, _LOG)
    if config.log_seed is not None:
        for_log = _chance(config, _OTHER_LOG, config.log_seed)
    log = simulate(catalog, shoppers, queries, config, for_log, recall)
    return Shop(catalog, shoppers, queries, log)


def make_items(config: ShopConfig) -> ShopCatalog:
    """Make the catalog alone, as `make_shop` does."""
    return make_catalog(config, _chance(config, _CATALOG))


def _chance(config: ShopConfig, *part: int) -> np.random.Generator:
    """One stream of random numbers a part: a change in one leaves the others as they were."""
    return np.random.default_rng([config.seed, *part])
