"""Stage `generator`: supervised training, item→SID, query→SID and then user+query→SID."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.data.pairs import LoggedPairs
from genrecall.data.tables import Catalog, Searches
from genrecall.embed.encoder import Encoder
from genrecall.foundation.artifact import Artifact, open_artifact, write_json, writing
from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.history import ShopperSettings
from genrecall.generator.load import SHOPPER_FILE, STAGES_FILE, USER_QUERY_TO_SID
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.processes import is_main, part_processes
from genrecall.supervised.base import Trainer
from genrecall.supervised.compact import CompactTrainer, Shop
from genrecall.supervised.distill import Teacher
from genrecall.supervised.shoppers import known_shoppers
from genrecall.supervised.sources import stage_sources

_PSEUDO: Final = 2  # a stream of chance of its own, beside those of the steps


def run(
    config: GeneratorConfig,
    catalog: Catalog,
    *,
    queries: list[str],
    pairs: LoggedPairs,
    encoder: Encoder,
    item_vectors: NDArray[np.float32],
    table: SidTable,
    seed: int,
    out: Path,
    checkpoints: Path,
    inputs: str,
    log: RunLog,
    searches: Searches | None = None,
    users: pl.DataFrame | None = None,
    teacher: Teacher | None = None,
) -> Artifact:
    """Train the generator and keep the weights after each stage.

    All processes of a launch call it alike; the main one writes.

    Args:
        config: sizes, rates and shares.
        catalog: the items whose titles are prompts.
        queries: distinct training queries.
        pairs: which item was good for which query; may be empty.
        encoder: for subwords and query vectors.
        item_vectors: float32 `[N, D]`.
        table: the SID of each item.
        seed: same seed, same weights.
        out: where the artifact appears.
        checkpoints: folder from which an interrupted run resumes.
        inputs: hash of what this stage depends on.
        log: where to report.
        searches: for stage 3, of which those of the training split that tell who and when are
            read; None for no stage 3.
        users: columns of `USERS`; None where nothing is known of them.
        teacher: for `config.distill`.
    """
    trie = Trie(table.space, table.packed)
    titles = encoder.tokenizer.words(catalog.titles)
    log.say(f"  {len(queries):,} logged queries, {config.pseudo_queries:,} pseudo-queries")
    known = None
    reads = config.model_dump(include={"history", "related_categories"})
    if searches is not None and config.user_query_to_sid.steps:
        # Which pairs of profiles are taught is seen below.
        rule = ShopperSettings(**reads).over(item_vectors, table.codes[:, 0])
        users = users if config.profile else None
        known = known_shoppers(
            searches,
            users,
            rule,
            encode=encoder.encode,
            profile_shoppers=config.profile_shoppers,
        )
    if known is not None:
        log.say(f"  {known.describe()}")
        config = _end_early(config, len(known.searches), log)
    sources = stage_sources(
        config,
        catalog,
        titles,
        queries=queries,
        pairs=pairs,
        encoder=encoder,
        item_vectors=item_vectors,
        sid_of_item=table.sid_of_item,
        known=known,
        teacher=teacher,
        rng=np.random.default_rng([seed, _PSEUDO]),
    )
    kept = Checkpoints(checkpoints / inputs[:16], every=config.checkpoint_every)
    trainer: Trainer
    if config.family == "lm":
        from genrecall.supervised.lm.trainer import LmTrainer

        texts = [*catalog.titles, *queries]
        trainer = LmTrainer(config, table, trie, texts=texts, seed=seed)
    else:
        shop = Shop(encoder, titles, trie, table.sid_of_item, item_vectors)
        trainer = CompactTrainer(config, shop, known, seed=seed)
    with writing(out, kind="generator", inputs=inputs) if is_main() else nullcontext() as folder:
        for number, name in enumerate(sources):
            trainer.train(name, number, sources[name], checkpoints=kept, log=log)
            if folder is not None:
                trainer.save(folder / name)
        if folder is not None:
            write_json(folder / STAGES_FILE, {"family": config.family, "stages": list(sources)})
            if known is not None:
                write_json(folder / SHOPPER_FILE, reads | {"pairs": known.pairs})
    part_processes()
    return open_artifact(out, kind="generator")


def _end_early(config: GeneratorConfig, searches: int, log: RunLog) -> GeneratorConfig:
    """Stage 3 with no more steps than passes over its searches allow."""
    stage = config.user_query_to_sid
    a_step = max(stage.batch * config.shopper_share, 1.0)  # searches that it reads
    enough = max(round(config.shopper_passes * searches / a_step), 1)
    if enough >= stage.steps:
        return config
    log.say(
        f"  {USER_QUERY_TO_SID} ends after {enough:,} of {stage.steps:,} steps: "
        f"{config.shopper_passes:g} passes over its searches"
    )
    fewer = stage.model_copy(update={"steps": enough})
    return config.model_copy(update={"user_query_to_sid": fewer})
