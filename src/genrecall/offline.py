"""Offline evaluation: every channel answers the same searches, and their fusion; then the figures.

Beside the generative channel stand BM25 and the dense channel over the same vectors. Fusions are
reported with weights that were fitted on other searches: on the validation split by cross-fitting,
on the test split with the weights of the validation split.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast, get_args

import faiss
import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from genrecall.artifact import open_artifact, write_text
from genrecall.asked import Asked, shoppers_of
from genrecall.channels.base import Channel, Ranking, Request
from genrecall.channels.bundle import KIND, RecallParts, load_parts
from genrecall.channels.dense import DenseChannel
from genrecall.channels.fusion import fuse
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.popularity import PopularityChannel
from genrecall.channels.training import Weights, cross_fitted_fusion, fit_weights
from genrecall.config import Config
from genrecall.data import stage as data_stage
from genrecall.data.shoppers import HISTORY
from genrecall.data.tables import Catalog, Rows, Searches, SplitName
from genrecall.embed.normalize import normalize
from genrecall.errors import ArtifactError, ConfigError, unknown_name
from genrecall.evaluate.config import EvaluateConfig
from genrecall.evaluate.metrics import (
    ANONYMOUS,
    POPULARITY,
    TWO_VIEWS,
    EvaluationInputs,
    K,
    Metrics,
    build_metrics,
)
from genrecall.evaluate.report.page import render_report
from genrecall.evaluate.slices import Masks, frequency_slices
from genrecall.evaluate.trec import write_qrels, write_run
from genrecall.generator.load import USER_QUERY_TO_SID
from genrecall.outputs import Outputs
from genrecall.progress import FileLog, RunLog
from genrecall.reporting import Evidence, gather

_Measurable = Literal["validation", "test"]

FUSIONS: Final = (
    ("bm25", "dense"),
    ("bm25", "dense", "generative"),
    ("bm25", "dense", "two_views"),
)
"""Channels that are fused: without and with the generative one, and with its control."""


TREC_DEPTH: Final = 100
"""Items of a search in the TREC runs; all 1,000 of them would be hundreds of megabytes."""


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
    fitted = _fuse(parts, rankings, measured.positives, units=units, weights=weights, seed=seed)
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


def evaluate_bundle(
    bundle: Path, *, split: str, data: Path | None = None, report: Path | None = None
) -> Metrics:
    """Measure a bundle on one split of the searches that its run has read.

    Each evaluation is written to the run's `log.jsonl`, and that of the test split is told.

    Args:
        bundle: the bundle's folder.
        split: `validation` or `test`.
        data: the run's data stage; None for the one beside the bundle.
        report: where to write a page about it; None for nowhere.

    Raises:
        ArtifactError: bundle or data stage are missing or damaged, or do not belong together.
        ConfigError: another split.
        DataError: no search of the split has a good item.
    """
    if split not in get_args(_Measurable):
        raise ConfigError(unknown_name("split", split, get_args(_Measurable)))
    opened = open_artifact(bundle, kind=KIND)
    outputs = Outputs(bundle.parent)
    read = open_artifact(data or outputs.stage("data"), kind=data_stage.KIND)
    _, searches = data_stage.load(read)
    parts = load_parts(opened)
    if read.digest != opened.meta.get("data"):
        raise ArtifactError(
            f"{read.path} holds other items, searches or splits than {bundle} was made of, so it "
            "might measure what the bundle was trained on. Give the data stage of the bundle's own "
            "run with --data, or run the pipeline again."
        )
    shoppers = data_stage.load_shoppers(read)
    config = Config.model_validate(opened.meta["config"])  # `load_parts` has seen that it is ours
    set_threads(config.threads)
    log = FileLog(outputs.log)
    log.event("evaluate", bundle=str(bundle), digest=opened.digest, split=split)
    if split == "test":
        log.say("  this is the test split: tune nothing on what it says")
    offline = evaluate(
        parts,
        searches,
        split=cast("_Measurable", split),
        users=None if shoppers is None else shoppers.users,
        config=config.evaluate,
        health=opened.meta["metrics"]["quantize"],
        log=log,
        weights=opened.meta["fusion"] if split == "test" else None,
        seed=config.seed,
    )
    if report is not None:
        gathered = gather(
            parts,
            searches,
            evidence=offline.evidence,
            inputs=opened.digest,
            log_file=outputs.log,
            seed=config.seed,
        )
        report.parent.mkdir(parents=True, exist_ok=True)
        write_text(report, render_report(offline.metrics, gathered))
    return offline.metrics


def write_trec(offline: Offline, catalog: Catalog, folder: Path) -> None:
    """Write the head of the rankings, and the good items: `<channel>.run` and `qrels.txt`."""
    folder.mkdir()
    search_ids = offline.searches.frame["search_id"].to_list()
    for name, rankings in offline.rankings.items():
        write_run(
            folder / f"{name}.run",
            search_ids=search_ids,
            item_ids=catalog.item_ids,
            rows=[ranking.rows[:TREC_DEPTH] for ranking in rankings],
            scores=[ranking.scores[:TREC_DEPTH] for ranking in rankings],
            tag=name,
        )
    write_qrels(
        folder / "qrels.txt",
        search_ids=search_ids,
        item_ids=catalog.item_ids,
        positives=offline.searches.positives,
    )


def set_threads(threads: int | None) -> None:
    """Let training and evaluation use so many threads; None for one per core."""
    if threads is None:
        # The cores that this process may use, where the system tells them.
        affinity = getattr(os, "sched_getaffinity", None)
        threads = len(affinity(0)) if affinity else os.cpu_count() or 1
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)


def sample_searches(searches: Searches, count: int, seed: int) -> Searches:
    """At most `count` of the searches, drawn evenly, in their order."""
    return Searches(searches.frame[_sample_rows(len(searches), count, seed)])


def _sample_rows(n: int, count: int, seed: int) -> NDArray[np.int64]:
    if n <= count:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=count, replace=False))


class _Asking(NamedTuple):
    name: str
    channel: Channel
    requests: Asked


def _channels(
    parts: RecallParts, searches: Searches, *, asked: Asked, told: Asked
) -> list[_Asking]:
    """The generative channel first, then all that it is compared with."""
    generative = parts.generative()
    # The control: an exact search with the generator's own vectors, without SIDs.
    two_views = DenseChannel(
        generative.vectors, encode=generative.encode, eligible=parts.eligible, name=TWO_VIEWS
    )
    popularity = PopularityChannel(searches.of("train"), eligible=parts.eligible)
    channels = [
        _Asking(generative.name, generative, told),
        _Asking("bm25", parts.lexical(), asked),
        _Asking("dense", parts.dense(), asked),
        _Asking(TWO_VIEWS, two_views, told),
    ]
    if told is not asked:
        channels.append(_Asking(ANONYMOUS, generative, asked))
    if any(request.query in popularity for request in asked.distinct):
        channels.append(_Asking(POPULARITY, popularity, asked))
    return channels


def _units(measured: Searches, searches: Searches, queries: Sequence[str]) -> list[str]:
    """Of which the searches are drawn: intervals and folds are over these.

    They are queries; but where all queries are known from training and only the shoppers tell
    searches apart, as in category-path queries, they are shoppers.
    """
    users = measured.frame["user_id"]
    if users.null_count():
        return list(queries)
    train = {normalize(query) for query in set(searches.of("train").queries)}
    return users.to_list() if train.issuperset(queries) else list(queries)


def _fuse(
    parts: RecallParts,
    rankings: dict[str, list[Ranking]],
    positives: Sequence[Rows],
    *,
    units: Sequence[str],
    weights: Mapping[str, Weights] | None,
    seed: int,
) -> dict[str, Weights]:
    """Add the fusions to `rankings`; returns the weights to serve with."""
    config, fitted = parts.channels.fusion, {}
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


def _slices(queries: Sequence[str], searches: Searches) -> Masks:
    """Slices of normalized queries."""
    train = searches.frame.filter(searches.frame["split"] == "train")["query"].to_list()
    spelled = {query: normalize(query) for query in set(train)}
    return frequency_slices(queries, [spelled[query] for query in train])


def _item_slices(parts: RecallParts, searches: Searches) -> dict[str, Rows]:
    """Parts of the items, by what training saw of them.

    `new_items` are dated after the last training search and were never shown or chosen in training;
    a date alone does not tell, since a new price may set it, too. Where items have no dates but
    searches are in order, as in sequences, `cold_items` were never shown or chosen in training, and
    `known_items` are the others.
    """
    train = searches.frame.filter(searches.frame["split"] == "train")
    last = train["time"].max()
    if not isinstance(last, int):
        return {}
    unseen = np.ones(len(parts.catalog), dtype=np.bool_)
    for column in ("impressions", "positives"):
        unseen[train[column].explode().drop_nulls().unique().to_numpy()] = False
    entered = parts.catalog.frame["updated_at"]
    if entered.null_count() == len(entered):
        parts_of = {"cold_items": unseen, "known_items": ~unseen}
    else:
        parts_of = {"new_items": unseen & (entered > last).fill_null(False).to_numpy()}
    return {name: np.flatnonzero(mask).astype(np.int32) for name, mask in parts_of.items()}


def _latencies(
    channel: GenerativeChannel, requests: Sequence[Request], config: EvaluateConfig, seed: int
) -> NDArray[np.float64] | None:
    """Milliseconds of single requests on one thread, after a warm-up."""
    if not requests or not config.latency_searches:
        return None
    drawn = np.random.default_rng(seed).permutation(len(requests))[: config.latency_searches]
    chosen = [requests[i] for i in drawn.tolist()]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for request in chosen[:10]:
            channel.rank([request], config.latency_k)
        return np.array([_milliseconds(channel, request, config.latency_k) for request in chosen])
    finally:
        torch.set_num_threads(threads)


def _milliseconds(channel: Channel, request: Request, k: int) -> float:
    start = time.perf_counter()
    channel.rank([request], k)
    return (time.perf_counter() - start) * 1e3


def _excluded(searches: Searches, split: str, usable: int, measured: int) -> dict[str, int]:
    in_split = int((searches.frame["split"] == split).sum())
    return {"without a good item": in_split - usable, "not sampled": usable - measured}
