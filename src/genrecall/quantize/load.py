"""Frozen SIDs, ready to use; the inference half of the stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.foundation.artifact import Artifact, Json
from genrecall.foundation.sid import Codes, SidSpace, SidTable
from genrecall.foundation.threads import limit_torch
from genrecall.quantize.categories import CategoryCodes, CategoryPath
from genrecall.quantize.stability import rows_before

if TYPE_CHECKING:  # recall does not wait for torch
    from genrecall.quantize.quantizer import Quantizer

Vectors = NDArray[np.float32]

KIND: Final = "quantize"
"""Kind of the stage's artifact."""

SIDS: Final = "sids.npy"
CENTROIDS: Final = "centroids.npy"
SPACE: Final = "space.json"
CATEGORIES: Final = "categories.json"
HEALTH: Final = "health.json"


class FrozenSids(NamedTuple):
    """What the stage leaves behind.

    Attributes:
        quantizer: vectors to codes.
        categories: the level-1 codes; no path has one if `use_category` was off.
        table: SID of each catalog row.
        centroids: mean latent of each SID's items, float32 `[S, d]`, as `table.sids`.
        health: the figures of `metrics.json`.
    """

    quantizer: Quantizer
    categories: CategoryCodes
    table: SidTable
    centroids: Vectors
    health: Json

    def assign_new(self, vectors: Vectors, paths: Iterable[CategoryPath | None]) -> Codes:
        """SIDs of items that arrive later: the nearest populated SID of their category.

        Args:
            vectors: item vectors, `[N, D]`.
            paths: category path of each, root first; None when unknown.
        """
        return self.quantizer.assign_populated(
            self.quantizer.encode(vectors),
            self.categories.encode(paths),
            table=self.table,
            centroids=self.centroids,
        )


class Previous(NamedTuple):
    """The SIDs of an earlier catalog, which are to be kept.

    Attributes:
        sids: what the stage left then.
        rows: row in that catalog of each item of today's, int64 `[N]`, -1 for a new item.
    """

    sids: FrozenSids
    rows: NDArray[np.int64]


def load_sids(artifact: Artifact) -> FrozenSids:
    """Read what `run` wrote.

    Raises:
        ArtifactError: a file is missing or does not fit the others.
    """
    from genrecall.quantize.quantizer import Quantizer

    limit_torch()
    return FrozenSids(
        quantizer=Quantizer.load(artifact.path),
        categories=CategoryCodes.from_json(artifact.read_json(CATEGORIES)),
        table=load_table(artifact),
        centroids=np.load(artifact.file(CENTROIDS), allow_pickle=False),
        health=artifact.read_json(HEALTH),
    )


def load_previous(bundle: Artifact, item_ids: Sequence[str]) -> Previous:
    """Read the SIDs that a bundle's items have.

    Args:
        bundle: of an earlier catalog.
        item_ids: today's items, in the order of the catalog.

    Raises:
        ArtifactError: a file is missing or does not fit the others.
    """
    items = pl.read_parquet(bundle.part("data").file("items.parquet"), columns=["item_id"])
    rows = rows_before(items["item_id"].to_list(), item_ids)
    return Previous(load_sids(bundle.part(KIND)), rows)


def load_table(artifact: Artifact) -> SidTable:
    """Read only the SID of each catalog row."""
    one, two, three = artifact.read_json(SPACE)["sizes"]
    codes = np.load(artifact.file(SIDS), allow_pickle=False)
    return SidTable(SidSpace((one, two, three)), codes)
