"""Stage `generator`: supervised training, item→SID and then query→SID."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.artifact import Artifact, open_artifact, writing
from genrecall.checkpoint import Checkpoints
from genrecall.data.tables import Catalog
from genrecall.embed.encoder import TextEncoder
from genrecall.embed.pairs import LoggedPairs
from genrecall.errors import ConfigError
from genrecall.generator.compact import CompactModel, read_bags
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.load import ITEM_TO_SID, OWN_VECTORS, QUERY_TO_SID, STAGES
from genrecall.generator.targets import (
    PromptSet,
    logged_prompts,
    pseudo_prompts,
    title_prompts,
)
from genrecall.generator.training import Shop, Source, train_stage
from genrecall.progress import RunLog
from genrecall.sid import SidTable
from genrecall.trie import Trie

_AT_ONCE: Final = 8192  # titles encoded together


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
    tokenizer = encoder.tokenizer
    torch.manual_seed(seed)
    model = CompactModel(
        space=table.space,
        n_features=tokenizer.n_features,
        width=config.width,
        dim=item_vectors.shape[1],
    )
    shop = Shop(
        tokenizer=tokenizer,
        titles=tokenizer.words(catalog.titles),
        trie=Trie(table.space, table.packed),
        sid_of_item=table.sid_of_item,
    )
    titles = title_prompts(tokenizer, shop.titles)
    log.say(f"  {len(queries):,} logged queries, {config.pseudo_queries:,} pseudo-queries")
    pseudo = pseudo_prompts(
        encoder,
        shop.titles,
        item_vectors=item_vectors,
        config=config,
        rng=np.random.default_rng([seed, len(STAGES)]),
    )
    logged = logged_prompts(tokenizer, queries, pairs) if queries else None
    sources = {
        ITEM_TO_SID: [Source(titles, 1.0)],
        QUERY_TO_SID: _query_sources(config, titles=titles, logged=logged, pseudo=pseudo),
    }
    kept = Checkpoints(checkpoints / inputs[:16], every=config.checkpoint_every)
    with writing(out, kind="generator", inputs=inputs) as folder:
        for number, name in enumerate(STAGES):
            train_stage(
                model,
                shop,
                sources[name],
                getattr(config, name),
                config,
                name=name,
                number=number,
                seed=seed,
                checkpoints=kept,
                log=log,
            )
            model.save(folder / name)
            np.save(folder / name / OWN_VECTORS, _encode_titles(model, titles))
    return open_artifact(out, kind="generator")


def _query_sources(
    config: GeneratorConfig, *, titles: PromptSet, logged: PromptSet | None, pseudo: PromptSet
) -> list[Source]:
    """Titles, logged queries and pseudo-queries by their share of a batch."""
    shares = [(titles, config.title_share)]
    if logged is not None:
        shares.append((logged, config.logged_share))
    given = sum(share for _, share in shares)
    if len(pseudo):
        shares.append((pseudo, 1.0 - given))
    elif given > 0:  # without pseudo-queries the others share the batch
        shares = [(prompts, share / given) for prompts, share in shares]
    else:
        raise ConfigError(
            "the generator has nothing to learn from: there are no pseudo-queries, and titles and "
            "logged queries have no share. Raise generator.pseudo_queries or title_share."
        )
    return [Source(prompts, share) for prompts, share in shares if share > 0]


def _encode_titles(model: CompactModel, titles: PromptSet) -> NDArray[np.float32]:
    """The generator's own vectors of all titles, float32 `[N, D]`."""
    every = np.arange(len(titles))
    blocks = [every[start : start + _AT_ONCE] for start in range(0, len(every), _AT_ONCE)]
    return np.concatenate([read_bags(model, titles.bags_of(block))[1] for block in blocks])
