"""Stage `embed`: from titles and logged queries to an encoder and the items' vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genrecall.data.shop_data import ShopData
from genrecall.embed.cache import VectorCache
from genrecall.embed.config import EmbedConfig
from genrecall.embed.encoder import Encoder
from genrecall.embed.load import STATIC
from genrecall.embed.pretrained import PretrainedEncoder
from genrecall.embed.static import StaticVectors
from genrecall.embed.training import train_encoder, train_tokenizer
from genrecall.embed.views import Views
from genrecall.embed.word_vectors import find_static, named
from genrecall.foundation.artifact import Artifact, content_hash, file_hash, open_artifact, writing
from genrecall.foundation.work import Work
from genrecall.learning.checkpoint import Checkpoints


def run(config: EmbedConfig, data: ShopData, work: Work) -> Artifact:
    """Train the encoder on the training split, or open a pretrained one, and encode the catalog.

    Args:
        config: sizes and rates.
        data: the titles of all items are read whatever the split, and the training queries.
        work: where to write, to keep vectors and to report.

    Raises:
        ConfigError: the pretrained model cannot be found or loaded, or its library is missing.
    """
    titles, queries, pairs, log = data.catalog.titles, data.queries, data.pairs, work.log
    log.say(f"  {len(titles):,} titles, {len(queries):,} queries, {len(pairs.query):,} pairs")
    encoder: Encoder
    with writing(work.out, kind="embed", inputs=work.inputs) as folder:
        if config.pretrained is None:
            trained = train_encoder(
                config,
                titles=titles,
                queries=queries,
                pairs=pairs,
                seed=work.seed,
                checkpoints=Checkpoints(work.resumes_from, every=work.checkpoint_every),
                log=log,
            )
            trained.save(folder)
            encoder = trained
        else:
            tokenizer = train_tokenizer(config, titles=titles, queries=queries)
            encoder = PretrainedEncoder.make(config, folder, tokenizer=tokenizer, log=log)
        if files := find_static(config.static):
            static = StaticVectors.make(
                files, folder / STATIC, dim=config.static_dim, titles=titles
            )
            encoder = Views(encoder, static)
            log.say(f"  a second view by word vectors of {named(files)}, {static.dim} numbers")
        if work.cache is None:
            vectors = encoder.encode_items(titles)
        else:
            vectors = VectorCache(work.cache, _digest(folder)).encode(encoder, titles)
        np.save(folder / "item_vectors.npy", vectors)
    return open_artifact(work.out, kind="embed")


def _digest(folder: Path) -> str:
    """Hash of all files in a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return content_hash({str(path.relative_to(folder)): file_hash(path) for path in files})
