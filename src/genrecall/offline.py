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
from typing import Any, Final, Literal, cast, get_args

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.artifact import open_artifact, write_text
from genrecall.channels.base import Channel, Ranking, Request
from genrecall.channels.bundle import KIND, RecallParts, load_parts
from genrecall.channels.dense import DenseChannel
from genrecall.channels.fusion import fuse
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.training import Weights, cross_fitted_fusion, fit_weights
from genrecall.config import Config
from genrecall.data import stage as data_stage
from genrecall.data.tables import Catalog, Rows, Searches, SplitName
from genrecall.embed.normalize import normalize
from genrecall.errors import ArtifactError, ConfigError, unknown_name
from genrecall.evaluate.config import EvaluateConfig
from genrecall.evaluate.metrics import EvaluationInputs, K, Metrics, build_metrics
from genrecall.evaluate.report.page import render_report
from genrecall.evaluate.slices import Masks, frequency_slices
from genrecall.evaluate.trec import write_qrels, write_run
from genrecall.generator.load import STAGES
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
    measured = sample_searches(every, config.searches, seed)
    log.say(f"  {len(measured):,} of {len(every):,} {split} searches with a good item")
    generative = parts.generative()
    # The control: an exact search with the generator's own vectors, without SIDs.
    two_views = DenseChannel(
        generative.vectors, encode=generative.encode, eligible=parts.eligible, name="two_views"
    )
    channels: list[Channel] = [generative, parts.lexical(), parts.dense(), two_views]
    # A popular query is answered once.
    queries = sorted(set(measured.queries))
    place = {query: i for i, query in enumerate(queries)}
    spread = np.array([place[query] for query in measured.queries], dtype=np.int64)
    spelled = [normalize(query) for query in measured.queries]
    requests = [Request(query) for query in queries]
    rankings: dict[str, list[Ranking]] = {}
    for channel in channels:
        start = time.monotonic()
        answers = channel.rank(requests, K) if requests else []
        log.say(f"  {channel.name}: {len(requests):,} queries in {time.monotonic() - start:.1f} s")
        rankings[channel.name] = [answers[i] for i in spread.tolist()]
    fitted = _fuse(parts, rankings, measured.positives, queries=spelled, weights=weights, seed=seed)
    trained = {stage: parts.generative(stage) for stage in STAGES[:-1]} | {STAGES[-1]: generative}
    # The curves of the report go further than the metrics, for the stage that serves.
    widths = dict.fromkeys(STAGES, config.beam) | {STAGES[-1]: max(config.beam, config.curve_beam)}
    beams = {stage: channel.generate(requests, widths[stage]) for stage, channel in trained.items()}
    inputs = EvaluationInputs(
        split=split,
        positives=measured.positives,
        channels={name: [r.rows for r in lists] for name, lists in rankings.items()},
        beams={stage: found.leaves[spread, : config.beam] for stage, found in beams.items()},
        sid_of_item=parts.table.sid_of_item,
        items_per_sid=generative.postings.sizes,
        slices=_slices(spelled, searches),
        new_items=_new_items(parts, searches),
        latencies_ms=_latencies(generative, queries, config, seed),
        latency_k=config.latency_k,
        queries=spelled,
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
            queries=queries,
            query_of_search=spread,
            rankings=rankings[generative.name],
            beams=beams,
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
    if len(searches) <= count:
        return searches
    chosen = np.random.default_rng(seed).choice(len(searches), size=count, replace=False)
    return Searches(searches.frame[np.sort(chosen)])


def _fuse(
    parts: RecallParts,
    rankings: dict[str, list[Ranking]],
    positives: Sequence[Rows],
    *,
    queries: Sequence[str],
    weights: Mapping[str, Weights] | None,
    seed: int,
) -> dict[str, Weights]:
    """Add the fusions to `rankings`; returns the weights to serve with."""
    config, fitted = parts.channels.fusion, {}
    # A query that comes back must not stand on both sides of a fold.
    groups = np.unique(np.array(queries, dtype=object), return_inverse=True)[1]
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


def _new_items(parts: RecallParts, searches: Searches) -> Rows | None:
    """Items dated after the last training search and never shown or chosen in training.

    None where times are unknown. A date alone does not tell: a new price may set it, too.
    """
    train = searches.frame.filter(searches.frame["split"] == "train")
    last = train["time"].max()
    entered = parts.catalog.frame["updated_at"]
    if not isinstance(last, int) or entered.null_count() == len(entered):
        return None
    new = (entered > last).fill_null(False).to_numpy().copy()
    for column in ("impressions", "positives"):
        new[train[column].explode().drop_nulls().unique().to_numpy()] = False
    return np.flatnonzero(new).astype(np.int32)


def _latencies(
    channel: GenerativeChannel, queries: Sequence[str], config: EvaluateConfig, seed: int
) -> NDArray[np.float64] | None:
    """Milliseconds of single requests on one thread, after a warm-up."""
    if not queries or not config.latency_searches:
        return None
    drawn = np.random.default_rng(seed).permutation(len(queries))[: config.latency_searches]
    chosen = [Request(queries[i]) for i in drawn.tolist()]
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
