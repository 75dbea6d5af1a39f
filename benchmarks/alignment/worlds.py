"""The shops that alignment is measured on: what writes their logs, and how their shoppers behave.

All are synthetic, with simulated shoppers. A shop's log is written by what recalls its pages:

- `bm25+dense`: both channels of a bundle that has seen the titles and no log
- `bm25+dense+generative`: those and the generative channel, all of a bundle that was trained on the
  first log; so this log comes from a shop that has the channel already
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from benchmarks.command import changed
from genrecall.config import Config
from genrecall.data.config import DataConfig, TableSource
from genrecall.foundation.progress import RunLog
from genrecall.pipeline.demo import config_of_shop
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.simulate import LoggedBy, ensure_shop
from genrecall.shop.config import ShopConfig

Policy = Literal["bm25+dense", "bm25+dense+generative"]
Shoppers = Literal["position", "cascade"]

POLICIES: Final[tuple[Policy, ...]] = ("bm25+dense", "bm25+dense+generative")
SHOPPERS: Final[tuple[Shoppers, ...]] = ("position", "cascade")

FIRST_SEED: Final = 0
"""Of the bundles that write logs."""


@dataclass(frozen=True)
class Size:
    """How large the shops are and how long is trained.

    Attributes:
        items: in the catalog.
        searches: in each log.
        shoppers: who make them.
        page: items shown to a search.
        personal: how much the ranker follows the shopper's taste.
        quick: a second of training, for tests.
    """

    items: int
    searches: int
    shoppers: int
    page: int
    personal: float
    quick: bool = False


@dataclass(frozen=True)
class World:
    """A shop with a log.

    Attributes:
        policy: what recalled the pages of its log.
        shoppers: how they behave.
        size: of the shop.
        folder: of all worlds.
    """

    policy: Policy
    shoppers: Shoppers
    size: Size
    folder: Path

    @property
    def name(self) -> str:
        """In tables and on disk."""
        return f"{self.policy}, {self.shoppers}"

    @property
    def shop(self) -> Path:
        """Where its tables are."""
        return self.folder / self.name / "shop"

    def outputs(self, seed: int) -> Outputs:
        """Where stage 3 of a seed is, and what is aligned from it."""
        return Outputs(self.folder / self.name / f"seed-{seed}")

    def config(self, seed: int) -> Config:
        """How stage 3 is trained."""
        return _config(self.shop, self.size, seed)

    def prepare(self, log: RunLog) -> None:
        """Write the shop, unless it is there, and all that writes its log before."""
        if self.policy == "bm25+dense":
            bundle, log_seed = _cold_bundle(self.size, self.folder), None
        else:
            before = replace(self, policy="bm25+dense")
            before.prepare(log)
            outputs, log_seed = before.outputs(FIRST_SEED), 1
            run(before.config(FIRST_SEED), outputs)
            bundle = outputs.bundle
        channels = tuple(self.policy.split("+"))
        shop = _shop(self.size, self.shoppers, log_seed)
        ensure_shop(self.shop, shop, logged_by=LoggedBy(bundle, channels), log=log)

    def train(self, seed: int) -> Outputs:
        """Train up to stage 3, unless it is there."""
        outputs = self.outputs(seed)
        run(self.config(seed), outputs, last="generator")
        return outputs


def worlds(
    policies: tuple[Policy, ...], shoppers: tuple[Shoppers, ...], size: Size, folder: Path
) -> Iterator[World]:
    """All combinations."""
    for policy in policies:
        for model in shoppers:
            yield World(policy, model, size, folder)


def _shop(size: Size, shoppers: Shoppers, log_seed: int | None) -> ShopConfig:
    return ShopConfig(
        items=size.items,
        searches=size.searches,
        shoppers=size.shoppers,
        distinct_queries=max(size.searches // 5, 50),
        impressions=size.page,
        personal_ranking=size.personal,
        shopper_model=shoppers,
        log_seed=log_seed,
    )


def _cold_bundle(size: Size, folder: Path) -> Path:
    """A bundle of the shop's items that has seen no log."""
    catalog, outputs = folder / "items", Outputs(folder / "cold")
    ensure_shop(catalog, _shop(replace(size, searches=100), "position", None))
    data = DataConfig(items=TableSource(file=catalog / "items.jsonl"))
    run(_config(catalog, size, 0).model_copy(update={"data": data}), outputs)
    return outputs.bundle


_QUICK: Final = {
    "embed": {"steps": 10, "vocabulary": 500},
    "generator": {
        "width": 16,
        "item_to_sid": {"steps": 5},
        "query_to_sid": {"steps": 10},
        "user_query_to_sid": {"steps": 5},
        "pseudo_queries": 500,
    },
    "evaluate": {"searches": 20, "beam": 10, "curve_beam": 10},
}


def _config(shop: Path, size: Size, seed: int) -> Config:
    """That of a synthetic shop, measured in short: the cells measure."""
    short = {"evaluate": {"searches": 500, "latency_searches": 0}, "threads": 1}
    return changed(config_of_shop(shop, seed=seed), short, _QUICK if size.quick else {})
