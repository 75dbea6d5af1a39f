"""What the data stage has written, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from genrecall.data.shoppers import CHOICES_FILE, USERS_FILE, Shoppers
from genrecall.data.tables import Catalog, Searches
from genrecall.foundation.artifact import Artifact

if TYPE_CHECKING:
    from genrecall.data.shop_data import ShopData

KIND: Final = "data"

FURTHER_FILE: Final = "unlabelled.parquet"
"""Queries that no search has, where some were given."""

SUMMARY_FILE: Final = "summary.json"
"""What was read of the tables, counted; see `summary.Summary`."""


def load_tables(artifact: Artifact) -> tuple[Catalog, Searches]:
    """Read back the items and the searches."""
    searches = Searches(pl.read_parquet(artifact.file("searches.parquet")))
    return load_catalog(artifact), searches.completed()


def load_catalog(artifact: Artifact) -> Catalog:
    """Read back the items alone; a bundle holds no more of the stage."""
    return Catalog(pl.read_parquet(artifact.file("items.parquet")))


def load_shoppers(artifact: Artifact) -> Shoppers | None:
    """Read back what `run` wrote about shoppers; None if the shop knows nothing of them."""
    known = {USERS_FILE, CHOICES_FILE} & artifact.files.keys()
    return Shoppers.load(artifact) if known else None


def load_shop(artifact: Artifact) -> ShopData:
    """Read back all that `run` wrote of the shop."""
    # A bundle, which holds the items alone, does not wait for what searches are split with.
    from genrecall.data.shop_data import ShopData

    catalog, searches = load_tables(artifact)
    shoppers = load_shoppers(artifact)
    users = None if shoppers is None else shoppers.users
    summary = artifact.read_json(SUMMARY_FILE)
    split_by = summary["split"]["by"] if "split" in summary else None
    given = FURTHER_FILE in artifact.files
    further = pl.read_parquet(artifact.file(FURTHER_FILE)) if given else None
    return ShopData(catalog, searches, users, "category_path_queries" in summary, split_by, further)
