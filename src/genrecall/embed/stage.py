"""Stage `embed`: from titles and logged queries to an encoder and the items' vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrecall.artifact import Artifact, content_hash, file_hash, open_artifact, writing
from genrecall.checkpoint import Checkpoints
from genrecall.data.tables import Catalog
from genrecall.embed.cache import VectorCache
from genrecall.embed.config import EmbedConfig
from genrecall.embed.pairs import LoggedPairs
from genrecall.embed.training import train_encoder
from genrecall.progress import RunLog


def run(
    config: EmbedConfig,
    catalog: Catalog,
    *,
    queries: list[str],
    pairs: LoggedPairs,
    seed: int,
    out: Path,
    cache: Path,
    checkpoints: Path,
    inputs: str,
    log: RunLog,
) -> Artifact:
    """Train the encoder on the training split and encode the catalog.

    Args:
        config: sizes and rates.
        catalog: all items; their titles are read whatever the split.
        queries: distinct training queries.
        pairs: which item was good for which query; may be empty.
        seed: same seed, same vectors.
        out: where the artifact appears.
        cache: folder of the vector cache.
        checkpoints: folder from which an interrupted run resumes.
        inputs: hash of what this stage depends on.
        log: where to report.
    """
    log.say(f"  {len(catalog):,} titles, {len(queries):,} queries, {len(pairs.query):,} pairs")
    encoder = train_encoder(
        config,
        titles=catalog.titles,
        queries=queries,
        pairs=pairs,
        seed=seed,
        checkpoints=Checkpoints(checkpoints / inputs[:16], every=config.checkpoint_every),
        log=log,
    )
    with writing(out, kind="embed", inputs=inputs) as folder:
        encoder.save(folder)
        digest = content_hash({path.name: file_hash(path) for path in folder.iterdir()})
        vectors = VectorCache(cache, digest).encode(encoder, catalog.titles)
        np.save(folder / "item_vectors.npy", vectors)
    return open_artifact(out, kind="embed")


def load_vectors(artifact: Artifact) -> NDArray[np.float32]:
    """Item vectors of an embed artifact, float32 `[N, D]`."""
    vectors: NDArray[np.float32] = np.load(artifact.file("item_vectors.npy"), allow_pickle=False)
    return vectors
