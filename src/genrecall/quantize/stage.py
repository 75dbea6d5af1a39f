"""The quantize stage: item vectors and categories in, frozen SIDs out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genrecall.artifact import Artifact, open_artifact, write_json, writing
from genrecall.embed.pairs import LoggedPairs
from genrecall.errors import DataError
from genrecall.progress import RunLog
from genrecall.quantize.categories import UNKNOWN, CategoryCodes, CategoryPath, roll_up
from genrecall.quantize.clusters import codebook_sizes, control_sizes
from genrecall.quantize.config import QuantizeConfig
from genrecall.quantize.health import measure_health
from genrecall.quantize.load import CATEGORIES, CENTROIDS, HEALTH, KIND, SIDS, SPACE
from genrecall.quantize.quantizer import Vectors
from genrecall.quantize.training import train_quantizer


def run(
    config: QuantizeConfig,
    item_vectors: Vectors,
    categories: Sequence[CategoryPath | None],
    *,
    query_vectors: Vectors,
    pairs: LoggedPairs,
    seed: int,
    out: Path,
    inputs: str,
    log: RunLog,
) -> Artifact:
    """Train the quantizer, assign and freeze the SIDs, write them to `out`.

    Args:
        config: the section `quantize`.
        item_vectors: float32 `[N, D]`, L2-normalized, in the order of the catalog.
        categories: category path of each item, root first; None when unknown.
        query_vectors: float32 `[Q, D]`, L2-normalized, of the training searches.
        pairs: which item was good for which query; may be empty.
        seed: the same seed gives the same SIDs.
        out: where the artifact appears.
        inputs: hash of what this stage depends on.
        log: where to report.

    Raises:
        ConfigError: more categories than `max_categories`.
        DataError: no item, or arrays that do not fit each other.
    """
    _check(item_vectors, categories, query_vectors, pairs)
    found = roll_up(
        categories,
        min_items=config.min_items,
        max_categories=config.max_categories,
        reserve=config.reserve,
        depth=config.depth,
    )
    log.say(f"  categories: {found.report()}")
    frozen, forced = found.codes, found.of_item
    if not config.use_category:  # as many codes, but none belongs to a category
        frozen = CategoryCodes(paths=(), reserve=frozen.n_codes)
        forced = np.full_like(forced, UNKNOWN)
    n_items, k1 = len(item_vectors), frozen.n_codes
    k2, k3 = codebook_sizes(n_items, k1, config.items_per_sid)
    sizes = (k1, config.k2 or k2, config.k3 or k3)
    if not config.use_query_item:
        pairs = LoggedPairs(pairs.query[:0], pairs.item[:0], pairs.weight[:0])
    elif not len(pairs.item):
        log.say("  no query-item pair: the codes are trained without the query-item term")
    quantizer = train_quantizer(
        item_vectors,
        forced,
        queries=query_vectors,
        pairs=pairs,
        sizes=sizes,
        n_categories=len(frozen.paths),
        config=config.training,
        seed=seed,
        log=log,
    )
    clusters = config.clusters
    controlled = control_sizes(
        quantizer.assign(item_vectors, forced),
        quantizer.encode(item_vectors),
        sizes=sizes,
        t_max=config.t_max,
        g_max=clusters.g_max,
        method=clusters.method,
        merge_below=config.merge_below,
        rounds=clusters.refine,
        seed=seed,
    )
    table = controlled.table
    health = measure_health(table, found.of_item)
    log.say(
        f"  clusters: {controlled.n_split:,} SIDs split, {controlled.n_merged:,} merged, "
        f"{controlled.n_moved:,} items moved"
    )
    sizes_text = " × ".join(f"{size:,}" for size in table.space.sizes)
    log.say(
        f"  {health.sids:,} SIDs in {sizes_text} codes, {health.items_per_sid.mean:.1f} items per "
        f"SID ({health.items_per_sid.weighted:.1f} weighted, at most {health.items_per_sid.max:,})"
    )
    for warning in health.warnings(t_max=config.t_max):
        log.say(f"  warning: {warning}")
    log.event("quantize", **health.as_json())
    with writing(out, kind=KIND, inputs=inputs, meta={"space": table.space.digest}) as folder:
        quantizer.save(folder)
        write_json(folder / CATEGORIES, {**frozen.as_json(), "rolled_up": found.rolled_up})
        write_json(folder / SPACE, {"sizes": table.space.sizes, "digest": table.space.digest})
        write_json(folder / HEALTH, health.as_json())
        np.save(folder / SIDS, table.codes, allow_pickle=False)
        np.save(folder / CENTROIDS, quantizer.centroids(item_vectors, table), allow_pickle=False)
    return open_artifact(out, kind=KIND)


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
