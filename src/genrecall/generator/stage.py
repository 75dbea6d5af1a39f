"""Stage `generator`: supervised training, item→SID and then query→SID."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.artifact import Artifact, open_artifact, writing
from genrecall.data.tables import Catalog
from genrecall.embed.encoder import TextEncoder
from genrecall.embed.pairs import LoggedPairs
from genrecall.generator.checkpoint import Checkpoints
from genrecall.generator.compact import CompactModel
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.load import ITEM_TO_SID, QUERY_TO_SID, STAGES, make_look_ahead
from genrecall.generator.targets import (
    PromptSet,
    logged_prompts,
    pseudo_prompts,
    title_prompts,
)
from genrecall.generator.training import Source, train_stage
from genrecall.progress import RunLog
from genrecall.sid import SidTable


def run(
    config: GeneratorConfig,
    catalog: Catalog,
    *,
    queries: list[str],
    pairs: LoggedPairs,
    encoder: TextEncoder,
    item_vectors: NDArray[np.float32],
    table: SidTable,
    seed: int,
    out: Path,
    checkpoints: Path,
    inputs: str,
    log: RunLog,
) -> Artifact:
    """Train the generator and keep the weights after each stage.

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
    """
    look_ahead = make_look_ahead(config, table, item_vectors)
    torch.manual_seed(seed)
    model = CompactModel(
        space=table.space, n_features=encoder.tokenizer.n_features, width=config.width
    )
    titles = title_prompts(encoder, catalog.titles, table.sid_of_item)
    stages: Mapping[str, tuple[list[Source], int]] = {
        ITEM_TO_SID: ([Source(titles, 1.0)], 1),
        QUERY_TO_SID: (
            _query_sources(
                config,
                catalog,
                queries=queries,
                pairs=pairs,
                encoder=encoder,
                item_vectors=item_vectors,
                sid_of_item=table.sid_of_item,
                seed=seed,
            ),
            config.targets,
        ),
    }
    with writing(out, kind="generator", inputs=inputs) as folder:
        for number, (name, (sources, targets)) in enumerate(stages.items()):
            train_stage(
                model,
                look_ahead,
                sources,
                getattr(config, name),
                name=name,
                number=number,
                targets=targets,
                seed=seed,
                checkpoints=Checkpoints(checkpoints / inputs[:16], every=config.checkpoint_every),
                log=log,
            )
            model.save(folder / name)
    return open_artifact(out, kind="generator")


def _query_sources(
    config: GeneratorConfig,
    catalog: Catalog,
    *,
    queries: list[str],
    pairs: LoggedPairs,
    encoder: TextEncoder,
    item_vectors: NDArray[np.float32],
    sid_of_item: NDArray[np.int64],
    seed: int,
) -> list[Source]:
    """Logged queries and pseudo-queries, by their share of a batch."""
    share = config.logged_share if len(queries) else 0.0
    if config.pseudo_queries == 0 and len(queries):
        share = 1.0
    sources: list[tuple[PromptSet, float]] = []
    if share > 0:
        logged = logged_prompts(encoder, queries, pairs=pairs, sid_of_item=sid_of_item)
        sources.append((logged, share))
    if share < 1:
        pseudo = pseudo_prompts(
            encoder,
            encoder.tokenizer.words(catalog.titles),
            item_vectors=item_vectors,
            sid_of_item=sid_of_item,
            config=config,
            rng=np.random.default_rng([seed, len(STAGES)]),
        )
        sources.append((pseudo, 1.0 - share))
    return [Source(prompts, part) for prompts, part in sources]
