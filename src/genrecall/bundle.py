"""A bundle on disk to channels in memory; the door of library users.

A bundle holds the inference files of every stage under the stage's name, so the same loader serves
a bundle and the stage outputs of a running pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from genrecall.channels.config import ChannelsConfig
from genrecall.channels.dense import DenseChannel
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.tables import Catalog
from genrecall.embed.encoder import Encoder, load_encoder
from genrecall.foundation.artifact import BUNDLE, Artifact, open_artifact
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.sid import SidTable
from genrecall.generator.load import load_generator, trained_stages
from genrecall.index.adding import extend_catalog
from genrecall.index.filters import ItemFilters
from genrecall.index.live import Eligible
from genrecall.index.postings import Postings
from genrecall.quantize.load import load_sids, load_table
from genrecall.text.normalize import normalize

if TYPE_CHECKING:
    from genrecall.channels.lexical import LexicalChannel

KIND: Final = BUNDLE


@dataclass(frozen=True, eq=False)
class RecallParts:
    """What the channels are made of.

    Attributes:
        catalog: the item pool: the items of the stage outputs, and behind them those added later.
        encoder: texts to vectors.
        vectors: of the items, float32 `[N, D]`.
        table: the SID of each item.
        stages: the stage outputs by name.
        channels: settings of the channels.
    """

    catalog: Catalog
    encoder: Encoder
    vectors: NDArray[np.float32]
    table: SidTable
    stages: Mapping[str, Artifact]
    channels: ChannelsConfig

    def with_items(self, items: pl.DataFrame) -> RecallParts:
        """These parts over a catalog with more items; nothing is trained, nothing here changes.

        Each new item takes the nearest SID that has items of the stage outputs, of its category or
        as near to it as the category penalty asks, so it never makes a new token, and what was
        added before does not matter. All channels then
        know all items: postings, BM25 statistics, dense vectors, and the look-ahead's means and
        counts. Without items every answer stays the same.

        Args:
            items: columns and types of `ITEMS`.

        Raises:
            DataError: unusable items, or such as are in the catalog already.
        """
        catalog = extend_catalog(self.catalog, items)
        first = len(self.catalog)
        vectors = self.encoder.encode_items(catalog.titles[first:])
        sids = load_sids(self.stages["quantize"])
        codes = sids.assign_new(vectors, catalog.categories[first:])
        return replace(
            self,
            catalog=catalog,
            vectors=np.concatenate([self.vectors, vectors]),
            table=SidTable(self.table.space, np.concatenate([self.table.codes, codes])),
        )

    @property
    def eligible(self) -> Eligible:
        """Which items may be answered with: those not marked as unavailable."""
        available = self.catalog.frame["available"].fill_null(True)
        live = None if available.all() else available.to_numpy()
        return Eligible(ItemFilters(self.catalog.frame), live)

    @property
    def trained(self) -> tuple[str, ...]:
        """The generator's training stages in order; the last one serves."""
        return trained_stages(self.stages["generator"])

    def generative(self, stage: str | None = None) -> GenerativeChannel:
        """The generative channel, with the generator as it was after a training stage.

        Args:
            stage: one of `trained`; None for the last one.
        """
        loaded = load_generator(
            self.stages["generator"],
            stage or self.trained[-1],
            encoder=self.encoder,
            titles=self.catalog.titles,
            item_vectors=self.vectors,
            table=self.table,
            head_weight=self.channels.generative.head_weight,
        )
        eligible = self.eligible
        return GenerativeChannel(
            loaded.generator,
            catalog=self.catalog,
            postings=Postings(self.table, eligible.live),
            vectors=loaded.vectors,
            read=loaded.read,
            encode=loaded.encode,
            eligible=eligible,
            config=self.channels.generative,
        )

    def dense(self) -> DenseChannel:
        """The dense channel over the same vectors."""
        return DenseChannel(
            self.vectors,
            encode=lambda requests: self.encoder.encode([request.query for request in requests]),
            eligible=self.eligible,
        )

    def lexical(self) -> LexicalChannel:
        """The BM25 channel over the titles."""
        # Recall with the generative channel alone does not wait for bm25s and scipy.
        from genrecall.channels.lexical import LexicalChannel

        texts = [normalize(title) for title in self.catalog.titles]
        return LexicalChannel(
            texts, normalize=normalize, eligible=self.eligible, config=self.channels.lexical
        )


def load(path: str | Path) -> GenerativeChannel:
    """Open a bundle for recall.

    Raises:
        ArtifactError: the bundle is missing, damaged or of another schema; the file is named.
    """
    return load_parts(open_artifact(Path(path), kind=KIND)).generative()


def load_parts(bundle: Artifact) -> RecallParts:
    """Read the parts of a bundle.

    Raises:
        ArtifactError: a version with other settings made it.
    """
    try:
        channels = ChannelsConfig.model_validate(bundle.meta["config"]["channels"])
    except (KeyError, ValidationError) as error:
        raise ArtifactError(
            f"{bundle.path} was made by version {bundle.meta.get('version')}, which has other "
            "settings. Run the pipeline again with this version."
        ) from error
    return assemble(bundle.parts, channels=channels)


def assemble(stages: Mapping[str, Artifact], *, channels: ChannelsConfig) -> RecallParts:
    """Read the parts from stage outputs."""
    return RecallParts(
        catalog=Catalog(pl.read_parquet(stages["data"].file("items.parquet"))),
        encoder=load_encoder(stages["embed"]),
        vectors=np.load(stages["embed"].file("item_vectors.npy"), allow_pickle=False),
        table=load_table(stages["quantize"]),
        stages=stages,
        channels=channels,
    )
