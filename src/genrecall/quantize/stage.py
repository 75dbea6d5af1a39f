"""The quantize stage: item vectors and categories in, frozen SIDs out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.data.pairs import LoggedPairs
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.errors import DataError
from genrecall.foundation.files import write_json
from genrecall.foundation.progress import RunLog
from genrecall.foundation.sid import SidTable
from genrecall.foundation.work import Work
from genrecall.learning.checkpoint import Checkpoints
from genrecall.quantize.categories import (
    UNKNOWN,
    Categories,
    CategoryCodes,
    CategoryPath,
    grow,
    roll_up,
)
from genrecall.quantize.config import QuantizeConfig
from genrecall.quantize.health.examples import EXAMPLES, find_examples
from genrecall.quantize.health.figures import Wanted, measure_health
from genrecall.quantize.health.warnings import find_warnings
from genrecall.quantize.load import CATEGORIES, CENTROIDS, HEALTH, KIND, SIDS, SPACE, Previous
from genrecall.quantize.quantizer import Quantizer, Vectors, sid_centroids
from genrecall.quantize.stability import sid_stability
from genrecall.quantize.training.sizes import codebook_sizes, control_sizes
from genrecall.quantize.training.train import CodeLayout, Examples, train_quantizer
from genrecall.quantize.training.warm import continued, keep_sids


class QuantizeInputs(NamedTuple):
    """What SIDs are made of.

    Attributes:
        item_vectors: float32 `[N, D]`, L2-normalized, in the order of the catalog.
        categories: category path of each item, root first; None when unknown.
        query_vectors: float32 `[Q, D]`, L2-normalized, of the training searches.
        pairs: which item was relevant to which query; may be empty.
        previous: SIDs to keep; None makes them anew.
    """

    item_vectors: Vectors
    categories: Sequence[CategoryPath | None]
    query_vectors: Vectors
    pairs: LoggedPairs
    previous: Previous | None = None


def run(config: QuantizeConfig, inputs: QuantizeInputs, work: Work) -> Artifact:
    """Train the quantizer, assign and freeze the SIDs, write them to `work.out`.

    Args:
        config: the section `quantize`; `warm_start` is not read here.
        inputs: what the SIDs are made of.
        work: where to write and to report.

    Raises:
        ConfigError: more categories than `max_categories`, or vectors of another width than those
            of `previous`.
        DataError: no item, or arrays that do not fit each other.
    """
    item_vectors, categories, query_vectors, pairs, previous = inputs
    seed, log = work.seed, work.log
    _check(item_vectors, categories, query_vectors, pairs)
    found, frozen, forced = _categorize(config, categories, previous)
    log.say(f"  categories: {found.report()}")
    k1 = frozen.n_codes
    k2, k3 = codebook_sizes(len(item_vectors), k1, config.items_per_sid)
    sizes = (k1, config.k2 or k2, config.k3 or k3)
    training, start = config.training, None
    if previous:
        start = continued(previous, frozen, item_vectors, forced)
        sizes, training = start.sizes, training.model_copy(update={"epochs": config.warm.epochs})
    if not config.use_query_item:
        pairs = LoggedPairs(pairs.query[:0], pairs.item[:0], pairs.weight[:0])
    elif not len(pairs.item):
        log.say("  no query-item pair: the codes are trained without the query-item term")
    quantizer = train_quantizer(
        Examples(item_vectors, forced, query_vectors, pairs),
        CodeLayout(sizes, len(frozen.paths), config.category_penalty),
        config=training,
        start=start,
        seed=seed,
        checkpoints=Checkpoints(work.resumes_from, every=work.checkpoint_every),
        log=log,
    )
    latents = quantizer.encode(item_vectors)
    if previous:
        table = _keep(quantizer, latents, forced, previous, config=config, seed=seed, log=log)
    else:
        table = _make(quantizer, latents, forced, config=config, seed=seed, log=log)
    health = measure_health(
        table,
        found.of_item,
        latents=latents,
        wanted=Wanted(
            sizes=sizes,
            reserve=frozen.n_codes - frozen.n_categories,
            items_per_sid=config.items_per_sid,
            t_max=config.t_max,
        ),
    )
    examples = find_examples(table, found.of_item, latents=latents, seed=seed)
    sizes_text = " × ".join(f"{size:,}" for size in table.space.sizes)
    log.say(
        f"  {health.sids:,} SIDs in {sizes_text} codes, {health.items_per_sid.mean:.1f} items per "
        f"SID ({health.items_per_sid.weighted:.1f} weighted, at most {health.items_per_sid.max:,})"
    )
    warnings = find_warnings(health, config)
    for warning in warnings:
        log.note(f"  warning: {warning}")
    figures = {**health.as_json(), "warnings": warnings}
    log.event("quantize", **figures)
    meta = {"space": table.space.digest}
    with writing(work.out, kind=KIND, inputs=work.inputs, meta=meta) as folder:
        quantizer.save(folder)
        write_json(folder / CATEGORIES, {**frozen.as_json(), "rolled_up": found.rolled_up})
        write_json(folder / SPACE, {"sizes": table.space.sizes, "digest": table.space.digest})
        write_json(folder / HEALTH, figures)
        write_json(folder / EXAMPLES, examples)
        np.save(folder / SIDS, table.codes, allow_pickle=False)
        np.save(folder / CENTROIDS, sid_centroids(latents, table), allow_pickle=False)
    return open_artifact(work.out, kind=KIND)


def _categorize(
    config: QuantizeConfig,
    paths: Sequence[CategoryPath | None],
    previous: Previous | None,
) -> tuple[Categories, CategoryCodes, NDArray[np.int32]]:
    """The categories, the level-1 codes, and the code of each item's category, int32 `[N]`."""
    before = previous.sids.categories if previous else None
    if previous and before and config.use_category:
        in_use = np.zeros(before.n_codes, dtype=np.bool_)
        in_use[previous.sids.table.sids[:, 0]] = True
        found = grow(
            before,
            paths,
            in_use=in_use,
            min_items=config.min_items,
            max_categories=config.max_categories,
        )
        return found, found.codes, found.of_item
    found = roll_up(
        paths,
        min_items=config.min_items,
        max_categories=config.max_categories,
        reserve=config.reserve,
        depth=config.depth,
    )
    if config.use_category:
        return found, found.codes, found.of_item
    # As many codes, but none belongs to a category.
    n_codes = before.n_codes if before else found.codes.n_codes
    unforced = np.full_like(found.of_item, UNKNOWN)
    return found, CategoryCodes(paths=(), reserve=n_codes), unforced


def _make(
    quantizer: Quantizer,
    latents: Vectors,
    forced: NDArray[np.int32],
    *,
    config: QuantizeConfig,
    seed: int,
    log: RunLog,
) -> SidTable:
    """SIDs without a past."""
    controlled = control_sizes(
        quantizer.assign(latents, forced),
        latents,
        codebooks=quantizer.code_vectors,
        config=config,
        seed=seed,
    )
    log.say(
        f"  clusters: {controlled.n_split:,} SIDs were too large, {controlled.n_merged:,} merged, "
        f"{controlled.n_moved:,} items moved"
    )
    return controlled.table


def _keep(
    quantizer: Quantizer,
    latents: Vectors,
    forced: NDArray[np.int32],
    previous: Previous,
    *,
    config: QuantizeConfig,
    seed: int,
    log: RunLog,
) -> SidTable:
    """The SIDs of before, for more items."""
    kept = keep_sids(quantizer, latents, forced, previous=previous, config=config, seed=seed)
    found = sid_stability(previous.sids.table.codes, kept.table.codes, previous.rows)
    log.say(
        f"  kept: {found.moved:.1%} of {found.items:,} known items moved "
        f"({kept.n_recategorized:,} to another category, {kept.n_nearer:,} to a nearer SID); "
        f"{len(latents) - found.items:,} new items, {kept.n_outgrown:,} SIDs outgrown, "
        f"{kept.n_new:,} new"
    )
    log.event("warm_start", **found._asdict())
    return kept.table


def _check(
    items: Vectors,
    categories: Sequence[CategoryPath | None],
    queries: Vectors,
    pairs: LoggedPairs,
) -> None:
    if not len(items):
        raise DataError("no item to quantize; the catalog needs at least one item.")
    if len(items) != len(categories):
        raise DataError(
            f"{len(items):,} item vectors but {len(categories):,} categories; both need one row "
            "per catalog item (None for an unknown category)."
        )
    outside = (pairs.query >= len(queries)) | (pairs.item >= len(items))
    if outside.any() or min(pairs.query.min(initial=0), pairs.item.min(initial=0)) < 0:
        raise DataError(
            f"a query-item pair lies outside the {len(queries):,} queries and {len(items):,} "
            "items; pairs are (query row, catalog row)."
        )
    if not np.isfinite(queries).all():
        raise DataError(
            "query vectors hold NaN or infinity; only finite numbers can be trained on. Check the "
            "encoder's output."
        )
