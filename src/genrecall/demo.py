"""The demo: a synthetic shop and a config that suits it."""

from __future__ import annotations

from pathlib import Path

from genrecall.config import Config
from genrecall.data.config import DataConfig, SplitConfig, TableSource
from genrecall.data.shop.config import ShopConfig
from genrecall.data.shop.write import write_shop
from genrecall.embed.config import EmbedConfig
from genrecall.generator.config import GeneratorConfig, StageConfig


def make_demo(folder: Path, *, items: int, searches: int, seed: int) -> Config:
    """Write the synthetic shop into `folder` and return the config of the demo.

    Searches are split by time, as a shop would do it: no model sees the future. The shop is small,
    so training is shorter than by default.

    Args:
        folder: where the shop's tables are written.
        items: how many it has.
        searches: how many its log has.
        seed: of the shop and of training.
    """
    shop = ShopConfig(items=items, searches=searches, seed=seed)
    files = write_shop(shop, folder)
    return Config(
        data=DataConfig(
            items=TableSource(file=files.items),
            searches=TableSource(file=files.searches),
            users=TableSource(file=files.users),
            split=SplitConfig(by="time"),
        ),
        embed=EmbedConfig(steps=600),
        generator=GeneratorConfig(
            item_to_sid=StageConfig(steps=100),
            query_to_sid=StageConfig(steps=400),
            pseudo_queries=50_000,
        ),
        seed=seed,
    )
