"""Stage `embed`: from titles and logged queries to an encoder and the items' vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrecall.data.pairs import LoggedPairs
from genrecall.data.tables import Catalog
from genrecall.embed.cache import VectorCache
from genrecall.embed.config import EmbedConfig
from genrecall.embed.encoder import Encoder
from genrecall.embed.pretrained import PretrainedEncoder, model_hashes
from genrecall.embed.training import train_encoder, train_tokenizer
from genrecall.foundation.artifact import Artifact, content_hash, file_hash, open_artifact, writing
from genrecall.foundation.progress import RunLog
from genrecall.learning.checkpoint import Checkpoints


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
    """Train the encoder on the training split, or open a pretrained one, and encode the catalog.

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

    Raises:
        ConfigError: the pretrained model cannot be found or loaded, or its library is missing.
    """
    log.say(f"  {len(catalog):,} titles, {len(queries):,} queries, {len(pairs.query):,} pairs")
    titles = catalog.titles
    encoder: Encoder
    with writing(out, kind="embed", inputs=inputs) as folder:
        if config.pretrained is None:
            trained = train_encoder(
                config,
                titles=titles,
                queries=queries,
                pairs=pairs,
                seed=seed,
                checkpoints=Checkpoints(checkpoints / inputs[:16], every=config.checkpoint_every),
                log=log,
            )
            trained.save(folder)
            encoder = trained
        else:
            tokenizer = train_tokenizer(config, titles=titles, queries=queries)
            encoder = PretrainedEncoder.make(config, folder, tokenizer=tokenizer, log=log)
        vectors = VectorCache(cache, _digest(folder)).encode(encoder, titles)
        np.save(folder / "item_vectors.npy", vectors)
    return open_artifact(out, kind="embed")


def input_hash(config: EmbedConfig) -> str:
    """Hash of what `run` makes of its settings, and of the bytes of a model in a directory.

    Where that directory lies does not count.
    """
    settings = config.model_dump(mode="json")
    if config.pretrained is not None:
        settings["pretrained"] = model_hashes(config.pretrained)
    return content_hash(settings)


def _digest(folder: Path) -> str:
    """Hash of all files in a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return content_hash({str(path.relative_to(folder)): file_hash(path) for path in files})


def load_vectors(artifact: Artifact) -> NDArray[np.float32]:
    """Item vectors of an embed artifact, float32 `[N, D]`."""
    vectors: NDArray[np.float32] = np.load(artifact.file("item_vectors.npy"), allow_pickle=False)
    return vectors
