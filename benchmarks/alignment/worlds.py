"""The shops that alignment is measured on: what writes their logs, and how their shoppers behave.

All are synthetic, with simulated shoppers. A shop's log is written by what recalls its pages:

- `bm25+dense`: both channels of a bundle that has seen the titles and no log
- `bm25+dense+generative`: those and the generative channel, all of a bundle that was trained on the
  first log; so this log comes from a shop that has the channel already

A log may be thinned: of its searches up to the test period only one in so many keeps its clicks and
purchases. Stage 3, histories and the alignment all read what is left; the test searches are whole.
"""

from __future__ import annotations

import fcntl
import filecmp
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl

from benchmarks.command import changed
from genrecall.config import Config
from genrecall.data.config import DataConfig, SplitConfig, TableSource
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
        kept: clicks and purchases of one search in so many are in the log; 1 for all.
    """

    policy: Policy
    shoppers: Shoppers
    size: Size
    folder: Path
    kept: int = 1

    @property
    def name(self) -> str:
        """In tables and on disk."""
        whole = f"{self.policy}, {self.shoppers}"
        return whole if self.kept == 1 else f"{whole}, 1 click in {self.kept}"

    @property
    def shop(self) -> Path:
        """Where its tables are; the same for all of its logs."""
        return self.folder / replace(self, kept=1).name / "shop"

    @property
    def searches(self) -> Path:
        """Where its log is."""
        if self.kept == 1:
            return self.shop / "searches.jsonl"
        return self.folder / self.name / "searches.jsonl"

    def outputs(self, seed: int) -> Outputs:
        """Where stage 3 of a seed is, and what is aligned from it."""
        return Outputs(self.folder / self.name / f"seed-{seed}")

    def config(self, seed: int) -> Config:
        """How stage 3 is trained."""
        config = _config(self.shop, self.size, seed)
        return changed(config, {"data": {"searches": {"file": str(self.searches)}}})

    def prepare(self, log: RunLog) -> None:
        """Write the shop, unless it is there, and all that writes its log before."""
        if self.policy == "bm25+dense":
            bundle, log_seed = _cold_bundle(self.size, self.folder), None
        else:
            before = replace(self, policy="bm25+dense", kept=1)
            before.prepare(log)
            outputs, log_seed = before.outputs(FIRST_SEED), 1
            _run(before.config(FIRST_SEED), outputs)
            bundle = outputs.bundle
        channels = tuple(self.policy.split("+"))
        shop = _shop(self.size, self.shoppers, log_seed)
        with _alone(self.shop.parent):
            ensure_shop(self.shop, shop, logged_by=LoggedBy(bundle, channels), log=log)
        if self.kept > 1:
            with _alone(self.searches.parent):
                thin(self.shop / "searches.jsonl", self.searches, self.kept)

    def train(self, seed: int) -> Outputs:
        """Train up to stage 3, unless it is there."""
        outputs = self.outputs(seed)
        _run(self.config(seed), outputs, last="generator")
        return outputs


def thin(whole: Path, thinned: Path, kept: int) -> None:
    """Write a log in which one search in `kept` keeps its clicks; the latest ones all keep them."""
    log = pl.read_ndjson(whole).sort("timestamp", maintain_order=True)
    test = round(log.height * (1.0 - SplitConfig().test))
    stays = np.random.default_rng(kept).random(log.height) < 1 / kept
    stays[test:] = True
    keep = pl.Series(stays)
    thinned.parent.mkdir(parents=True, exist_ok=True)
    scratch = thinned.with_suffix(".tmp")
    log.with_columns(
        pl.when(keep).then(pl.col(name)).otherwise(pl.col(name).list.head(0)).alias(name)
        for name in ("clicks", "purchases")
    ).write_ndjson(scratch)
    if thinned.is_file() and filecmp.cmp(scratch, thinned, shallow=False):
        scratch.unlink()  # others may be reading it
    else:
        scratch.replace(thinned)


def _run(config: Config, outputs: Outputs, last: str | None = None) -> None:
    """A run that waits where another process does the same."""
    with _alone(outputs.folder):
        run(config, outputs, last=last)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is in this folder's block."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    with _alone(catalog):
        ensure_shop(catalog, _shop(replace(size, searches=100), "position", None))
    data = DataConfig(items=TableSource(file=catalog / "items.jsonl"))
    _run(_config(catalog, size, 0).model_copy(update={"data": data}), outputs)
    return outputs.bundle


_QUICK: Final = {
    "embed": {"in_domain": {"steps": 10}, "subwords": {"vocabulary": 500}},
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
