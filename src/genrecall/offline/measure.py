"""Offline evaluation: every channel answers the same searches, and their fusion; then the figures.

Beside the generative channel stand BM25 and the dense channel over the same vectors. Fusions are
reported with weights that were fitted on other searches: on the validation split by cross-fitting,
on the test split with the weights of the validation split.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrecall.bundle import RecallParts
from genrecall.channels.base import Ranking, Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.popularity import PopularityChannel
from genrecall.data.shoppers import HISTORY
from genrecall.data.tables import Rows, Searches, SplitName
from genrecall.evaluate.config import EvaluateConfig
from genrecall.evaluate.metrics import (
    ANONYMOUS,
    EvaluationInputs,
    K,
    Metrics,
    build_metrics,
)
from genrecall.foundation.progress import RunLog
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.fusion import fuse
from genrecall.funnel.weights import Weights, cross_fitted_fusion, fit_weights
from genrecall.generator.load import USER_QUERY_TO_SID
from genrecall.offline.asked import Asked, shoppers_of
from genrecall.offline.contestants import FUSIONS, _channels
from genrecall.offline.evidence import Evidence
from genrecall.offline.latency import _latencies
from genrecall.offline.slices import _item_slices, _slices, _units
from genrecall.text.normalize import normalize


@dataclass(frozen=True, eq=False)
class Offline:
    """What an evaluation found.

    Attributes:
        metrics: as in `metrics.json`.
        weights: fusion weights by fusion, fitted on all measured searches or given.
        searches: the measured searches.
        rankings: by channel or fusion, one per measured search.
        evidence: for the report; None where nothing was measured.
    """

    metrics: Metrics
    weights: Mapping[str, Weights]
    searches: Searches
    rankings: Mapping[str, Sequence[Ranking]]
    evidence: Evidence | None = None


def evaluate(
    parts: RecallParts,
    searches: Searches,
    *,
    split: SplitName,
    users: pl.DataFrame | None = None,
    config: EvaluateConfig,
    fusion: FusionConfig,
    health: Mapping[str, Any],
    log: RunLog,
    weights: Mapping[str, Weights] | None = None,
    seed: int = 0,
) -> Offline:
    """Measure all channels on one split.

    Args:
        parts: what the channels are made of.
        searches: of all splits; training searches decide what is head and tail.
        split: which part to measure.
        users: columns of `USERS`, for a generator that reads shoppers.
        config: how much to measure.
        fusion: how lists become one.
        health: figures of the SIDs, passed on into the metrics.
        log: where to report.
        weights: by fusion; one that is not there weighs its channels equally. None fits them on the
            measured searches, with cross-fitting.
        seed: of the sample, the folds and the bootstrap.

    Raises:
        DataError: the split has no search with a good item.
    """
    every = searches.of(split)
    chosen = _sample_rows(len(every), config.searches, seed)
    measured = Searches(every.frame[chosen])
    log.say(f"  {len(measured):,} of {len(every):,} {split} searches with a good item")
    # A popular query is answered once, and once for each shopper who is told from others.
    asked = told = Asked([Request(query) for query in measured.queries])
    if parts.trained[-1] == USER_QUERY_TO_SID:
        shoppers = shoppers_of(searches, split, catalog=parts.catalog, users=users, length=HISTORY)
        made_by = [shoppers[place] for place in chosen.tolist()]
        told = Asked([Request(*made) for made in zip(measured.queries, made_by, strict=True)])
    channels = _channels(parts, searches, asked=asked, told=told)
    rankings: dict[str, list[Ranking]] = {}
    for name, channel, requests in channels:
        start = time.monotonic()
        answers = channel.rank(requests.distinct, K) if requests.distinct else []
        seconds = time.monotonic() - start
        log.say(f"  {name}: {len(requests.distinct):,} requests in {seconds:.1f} s")
        rankings[name] = requests.spread(answers)
    spelled = [normalize(query) for query in measured.queries]
    units = _units(measured, searches, spelled)
    fitted = _fuse(
        rankings, measured.positives, units=units, config=fusion, weights=weights, seed=seed
    )
    generative = channels[0].channel
    assert isinstance(generative, GenerativeChannel)
    served = generative.generate(told.distinct, max(config.beam, config.curve_beam))
    stages = {
        stage: parts.generative(stage).generate(asked.distinct, config.beam).leaves[asked.place]
        for stage in parts.trained[:-1]
    } | {parts.trained[-1]: served.leaves[told.place]}
    controls: dict[str, NDArray[np.int64]] = {}
    for name, channel, _ in channels:
        if name == ANONYMOUS:
            controls[name] = generative.generate(asked.distinct, config.beam).leaves[asked.place]
        if isinstance(channel, PopularityChannel):
            sid_of_item = parts.table.sid_of_item
            controls[name] = channel.generate(asked.distinct, config.beam, sid_of_item)[asked.place]
    inputs = EvaluationInputs(
        split=split,
        positives=measured.positives,
        channels={name: [r.rows for r in lists] for name, lists in rankings.items()},
        beams={name: leaves[:, : config.beam] for name, leaves in (stages | controls).items()},
        sid_of_item=parts.table.sid_of_item,
        items_per_sid=generative.postings.sizes,
        slices=_slices(spelled, searches),
        item_slices=_item_slices(parts, searches),
        latencies_ms=_latencies(generative, told.distinct, config, seed),
        latency_k=config.latency_k,
        units=units,
        beam_widths=np.array([r.beams for r in rankings["generative"]], dtype=np.int64),
        quantize=health,
        excluded=_excluded(searches, split, len(every), len(measured)),
        seed=seed,
    )
    return Offline(
        metrics=build_metrics(inputs),
        weights=fitted,
        searches=measured,
        rankings=rankings,
        evidence=Evidence(
            inputs=inputs,
            channel=generative,
            requests=told.distinct,
            request_of_search=told.place,
            rankings=rankings[generative.name],
            stages=stages,
            served=served,
        ),
    )


def unmeasured(searches: Searches, *, split: SplitName, health: Mapping[str, Any]) -> Offline:
    """What stands in for an evaluation where no search of the split has a good item.

    A shop without a log has none; its channel works all the same.
    """
    metrics: Metrics = {
        "split": split,
        "searches": 0,
        "excluded": _excluded(searches, split, 0, 0),
        "channels": {},
        "slices": {},
        "paired": {},
        "quantize": dict(health),
    }
    return Offline(metrics=metrics, weights={}, searches=searches.of(split), rankings={})


def sample_searches(searches: Searches, count: int, seed: int) -> Searches:
    """At most `count` of the searches, drawn evenly, in their order."""
    return Searches(searches.frame[_sample_rows(len(searches), count, seed)])


def _sample_rows(n: int, count: int, seed: int) -> NDArray[np.int64]:
    if n <= count:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=count, replace=False))


def _fuse(
    rankings: dict[str, list[Ranking]],
    positives: Sequence[Rows],
    *,
    units: Sequence[str],
    config: FusionConfig,
    weights: Mapping[str, Weights] | None,
    seed: int,
) -> dict[str, Weights]:
    """Add the fusions to `rankings`; returns the weights to serve with."""
    fitted = {}
    # A query, or shopper, that comes back must not stand on both sides of a fold.
    groups = np.unique(np.array(units, dtype=object), return_inverse=True)[1]
    for names in FUSIONS:
        fusion = "+".join(names)
        lists = {name: rankings[name] for name in names}
        if weights is not None:
            fitted[fusion] = dict(weights.get(fusion) or dict.fromkeys(names, 1.0))
            rankings[fusion] = fuse(lists, K, config=config, weights=fitted[fusion])
        else:
            fitted[fusion] = fit_weights(lists, positives, K, config=config)
            crossed = cross_fitted_fusion(
                lists, positives, K, config=config, groups=groups, seed=seed
            )
            rankings[fusion] = crossed.rankings
    return fitted


def _excluded(searches: Searches, split: str, usable: int, measured: int) -> dict[str, int]:
    in_split = int((searches.frame["split"] == split).sum())
    return {"without a good item": in_split - usable, "not sampled": usable - measured}
