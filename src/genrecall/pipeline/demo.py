"""The demo: a synthetic shop and a config that suits it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from genrecall.config import Config
from genrecall.data.config import DataConfig, SplitConfig, TableSource
from genrecall.embed.config import EmbedConfig, InDomainConfig
from genrecall.generator.align_config import AlignConfig
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.pipeline.simulate import ensure_shop
from genrecall.shop.config import ShopConfig

SHOPPERS: Final = 2_000
"""Shoppers of the demo's shop."""

_ALIGNED: Final = 100
"""Steps of its alignment."""


def make_demo(
    folder: Path, *, items: int, searches: int, seed: int, shoppers: int = SHOPPERS
) -> Config:
    """Write the synthetic shop into `folder` and return the config of the demo.

    A shop that is there is kept if it has the same settings and version and its files are whole.

    Args:
        folder: where the shop's tables are written; the folder is replaced as a whole.
        items: how many it has.
        searches: how many its log has.
        seed: of the shop and of training.
        shoppers: how many made the searches.

    Raises:
        ArtifactError: something else is at `folder`, which must not be replaced.
    """
    shop = ShopConfig(items=items, searches=searches, shoppers=shoppers, seed=seed)
    ensure_shop(folder, shop)
    config = config_of_shop(folder, seed=seed)
    aligned = config.generator.model_copy(update={"align": AlignConfig(steps=_ALIGNED)})
    return config.model_copy(update={"generator": aligned})


def config_of_shop(folder: Path, *, seed: int) -> Config:
    """The config that suits a synthetic shop, up to the last supervised stage.

    Searches are split by time, as a shop would do it: no model sees a click or purchase of the
    future. It does see the titles of all items, also of those that enter later. The shop is small,
    so training is shorter than by default.

    Args:
        folder: with the shop's tables.
        seed: of training.
    """
    return Config(
        data=DataConfig(
            items=TableSource(file=folder / "items.jsonl"),
            searches=TableSource(file=folder / "searches.jsonl"),
            users=TableSource(file=folder / "users.jsonl"),
            split=SplitConfig(by="time"),
        ),
        embed=EmbedConfig(in_domain=InDomainConfig(steps=600)),
        generator=GeneratorConfig(
            item_to_sid=StageConfig(steps=100),
            query_to_sid=StageConfig(steps=400),
            pseudo_queries=50_000,
        ),
        seed=seed,
    )
