"""Stage `generator`: supervised training, item→SID, query→SID and then user+query→SID."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Final, assert_never

import numpy as np

from genrecall.data.shop_data import ShopData
from genrecall.embed.load import Embedded
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import SidTable
from genrecall.foundation.trie import Trie
from genrecall.foundation.work import Work
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.history import ShopperSettings
from genrecall.generator.load import SHOPPER_FILE, STAGES_FILE, USER_QUERY_TO_SID
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.processes import is_main, part_processes
from genrecall.supervised.base import Trainer
from genrecall.supervised.compact.batch import Shop
from genrecall.supervised.compact.trainer import CompactTrainer
from genrecall.supervised.distill import Teacher
from genrecall.supervised.shoppers import KnownShoppers, known_shoppers
from genrecall.supervised.sources import training_stages

_PSEUDO: Final = 2  # a stream of chance of its own, beside those of the steps
_READS: Final = {"history", "related_categories"}  # settings of what is read of shoppers


def run(
    config: GeneratorConfig,
    data: ShopData,
    embedded: Embedded,
    table: SidTable,
    work: Work,
    *,
    teacher: Teacher | None = None,
) -> Artifact:
    """Train the generator and keep the weights after each stage.

    All processes of a launch call it alike; the main one writes.

    Args:
        config: sizes, rates and shares. Without steps of `user_query_to_sid` no shopper is read.
        data: the items, whose titles are prompts, and the training searches.
        embedded: for subwords, query vectors and vectors of the items.
        table: the SID of each item.
        work: where to write, to resume from and to report.
        teacher: for `config.distill`.
    """
    log = work.log
    titles = embedded.encoder.tokenizer.words(data.catalog.titles)
    log.say(f"  {len(data.queries):,} logged queries, {config.pseudo_queries:,} pseudo-queries")
    known = _known_shoppers(config, data, embedded, table)
    if known is not None:
        log.say(f"  {known.describe()}")
        config = _end_early(config, len(known.searches), log)
    stages = training_stages(
        config,
        data,
        embedded,
        titles=titles,
        sid_of_item=table.sid_of_item,
        known=known,
        teacher=teacher,
        rng=np.random.default_rng([work.seed, _PSEUDO]),
    )
    kept = Checkpoints(work.resumes_from, every=work.checkpoint_every)
    trainer: Trainer
    match config.family:
        case "compact":
            trie = Trie(table.space, table.packed)
            shop = Shop(embedded.encoder, titles, trie, table.sid_of_item, embedded.item_vectors)
            trainer = CompactTrainer(config, shop, known, seed=work.seed)
        case "lm":
            from genrecall.supervised.lm.trainer import LmTrainer

            texts = [*data.catalog.titles, *data.queries]
            trainer = LmTrainer(config, table, texts=texts, seed=work.seed)
        case _:
            assert_never(config.family)
    writes = writing(work.out, kind="generator", inputs=work.inputs) if is_main() else nullcontext()
    with writes as folder:
        for stage in stages:
            trainer.train(stage, checkpoints=kept, log=log)
            if folder is not None:
                trainer.save(folder / stage.name)
        if folder is not None:
            facts = {"family": config.family, "temperature": config.temperature}
            write_json(folder / STAGES_FILE, facts | {"stages": [stage.name for stage in stages]})
            if known is not None:
                reads = config.model_dump(include=_READS)
                write_json(folder / SHOPPER_FILE, reads | {"pairs": known.pairs})
    part_processes()
    return open_artifact(work.out, kind="generator")


def _known_shoppers(
    config: GeneratorConfig, data: ShopData, embedded: Embedded, table: SidTable
) -> KnownShoppers | None:
    """What stage 3 learns from; None without that stage."""
    if not config.user_query_to_sid.steps:
        return None
    # Which pairs of profiles are taught, these searches tell.
    settings = ShopperSettings(**config.model_dump(include=_READS))
    return known_shoppers(
        data.searches,
        data.users if config.profile else None,
        settings.over(embedded.item_vectors, table.codes[:, 0]),
        encode=embedded.encoder.encode,
        profile_shoppers=config.profile_shoppers,
    )


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
