"""Offline evaluation: every channel answers the same searches, and their fusion; then the figures.

Beside the generative channel stand BM25 and the dense channel over the same vectors. Fusions are
reported with weights that were fitted on other searches: on the validation split by cross-fitting,
on the test split with the weights of the validation split.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrecall.bundle import OpenBundle
from genrecall.channels.base import Ranking
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Rows, Searches, SplitName
from genrecall.evaluate.bootstrap import Units, numbered
from genrecall.evaluate.config import EvaluateConfig
from genrecall.evaluate.inputs import EvaluationInputs, check_searches
from genrecall.evaluate.metrics import build_metrics
from genrecall.evaluate.names import GENERATIVE, JOIN, K, Metrics
from genrecall.foundation.progress import Progress, RunLog
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.fusion import fuse
from genrecall.funnel.weights import Weights, cross_fitted_fusion, fit_weights
from genrecall.generator.compact.weights import BOTH
from genrecall.generator.load import USER_QUERY_TO_SID
from genrecall.offline.alignment import measure_alignment
from genrecall.offline.chosen import Chosen, choose_searches, sample_rows
from genrecall.offline.contestants import PLAIN, Contestant, contestants, fusions
from genrecall.offline.evidence import Evidence
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.generated import GeneratedAnswers
from genrecall.offline.latency import measure_latency
from genrecall.offline.requests import Questions, make_questions
from genrecall.offline.slices import bootstrap_units, hard_slices, item_slices, search_slices
from genrecall.text.normalize import query_keys


@dataclass(frozen=True)
class Plan:
    """How an evaluation is made.

    Attributes:
        config: how much to measure.
        fusion: how lists become one.
        weights: by fusion; one that is not there is not measured. None fits them on the measured
            searches, with cross-fitting.
        seed: of the sample, the folds and the bootstrap.
    """

    config: EvaluateConfig
    fusion: FusionConfig
    weights: Mapping[str, Weights] | None = None
    seed: int = 0

    def channel(
        self,
        bundle: OpenBundle,
        name: str | None = None,
        *,
        way: str = BOTH,
        log: RunLog | None = None,
    ) -> FoldedChannel:
        """The generative channel of a stage or arm, with weights that saw no measured query.

        Those of heads and look-ahead are fitted on the validation split, as those of fusions are.
        """
        channels = (
            bundle.of_folds(name, way=way)
            if self.weights is None
            else [bundle.generative(name, way=way)]
        )
        return FoldedChannel(channels, log=log, what=name or channels[0].name)


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
    bundle: OpenBundle,
    shop: ShopData,
    *,
    split: SplitName,
    plan: Plan,
    health: Mapping[str, Any],
    log: RunLog,
) -> Offline:
    """Measure all channels on one split.

    Args:
        bundle: the channels.
        shop: searches of all splits, and their shoppers; training searches decide what is head and
            tail.
        split: which part to measure.
        plan: how.
        health: figures of the SIDs, passed on into the metrics.
        log: where to report.

    Raises:
        DataError: the split has no search with a relevant item that it can be answered with.
    """
    searches, answerable = shop.searches, bundle.items.mask
    chosen = choose_searches(searches, split, answerable, most=plan.config.searches, seed=plan.seed)
    measured = chosen.searches
    check_searches(len(measured), split)
    log.say(f"  {len(measured):,} {split} searches with a relevant item")
    questions = make_questions(shop, split, chosen.rows, shoppers=bundle.reads_shoppers)
    generated = _generate(bundle, questions, plan, log)
    answering = contestants(bundle, searches, questions, generated, beam=plan.config.beam)
    rankings = {contestant.name: _rank(contestant, log) for contestant in answering}
    keys = query_keys(measured.queries)
    units = bootstrap_units(shop, measured)
    weights = _fuse(rankings, measured.positives, units=units, plan=plan, log=log)
    stages = _sids_of_stages(bundle, questions, generated, plan, log)
    controls = {c.name: sids for c in answering if (sids := c.sids()) is not None}
    personalised = questions.personalised
    inputs = EvaluationInputs(
        split=split,
        positives=measured.positives,
        gains=measured.gains,
        categories=bundle.items.catalog.category_numbers,
        channels={name: [r.rows for r in lists] for name, lists in rankings.items()},
        beams={name: sids[:, : plan.config.beam] for name, sids in (stages | controls).items()},
        sid_of_item=bundle.items.table.sid_of_item,
        items_per_sid=bundle.items.postings.sizes,
        slices={
            **search_slices(keys, measured, searches),
            **hard_slices(measured, bundle.reader, rankings["bm25"]),
        },
        item_slices=item_slices(bundle.items.catalog, searches),
        latencies_ms=measure_latency(
            [bundle.generative(), *(asked.channel for asked in answering if asked.name in PLAIN)],
            personalised.distinct,
            count=plan.config.latency_searches,
            k=plan.config.latency_k,
            seed=plan.seed,
        ),
        latency_k=plan.config.latency_k,
        units=units,
        beams_found=np.array([r.beams.found for r in rankings[GENERATIVE] if r.beams], np.int64),
        shares=_shares(rankings[GENERATIVE]),
        fitted=bundle.fitted,
        quantize=health,
        excluded=chosen.excluded,
        relevant=chosen.relevant,
        seed=plan.seed,
    )
    evidence = Evidence(inputs, generated, personalised, rankings[GENERATIVE], stages)
    aligned = measure_alignment(
        bundle,
        shop,
        split,
        open_arm=lambda name: plan.channel(bundle, name, log=log),
        most=plan.config.searches,
        seed=plan.seed,
    )
    log.say("  figures and their intervals")
    metrics = build_metrics(inputs) | aligned
    return Offline(metrics, weights, measured, rankings, evidence)


def unmeasured(nothing: Chosen, *, split: SplitName, health: Mapping[str, Any]) -> Offline:
    """What stands in for an evaluation where no search of the split has a relevant item.

    A shop without a log has none; its channel works all the same.
    """
    metrics: Metrics = {
        "split": split,
        "searches": 0,
        "excluded": nothing.excluded,
        "relevant": nothing.relevant,
        "channels": {},
        "slices": {},
        "paired": {},
        "quantize": dict(health),
    }
    return Offline(metrics=metrics, weights={}, searches=nothing.searches, rankings={})


def sample_searches(searches: Searches, count: int, seed: int) -> Searches:
    """At most `count` of the searches, drawn evenly, in their order."""
    return Searches(searches.frame[sample_rows(len(searches), count, seed)])


def _widest(config: EvaluateConfig) -> int:
    return max(config.beam, config.curve_beam)


def _generate(
    bundle: OpenBundle, questions: Questions, plan: Plan, log: RunLog
) -> GeneratedAnswers:
    """Let the last training stage read every distinct request."""
    config = plan.config
    widths = {_widest(config): questions.personalised.distinct}
    if questions.reads_shoppers:
        anonymous = questions.anonymous.distinct
        widths[config.beam] = [*widths.get(config.beam, []), *anonymous]
    controls = {way: plan.channel(bundle, way=way) for way in bundle.ways if way != BOTH}
    return GeneratedAnswers(plan.channel(bundle), K, widths, controls, log=log)


def _shares(rankings: Sequence[Ranking]) -> list[NDArray[np.float32]] | None:
    """Calibrated scores of each answer; None where a fold of them has none."""
    if not all(ranking.calibrated or not len(ranking.rows) for ranking in rankings):
        return None
    return [ranking.told for ranking in rankings]


def _rank(contestant: Contestant, log: RunLog) -> list[Ranking]:
    """Answers to the measured searches."""
    requests = contestant.requests
    start = time.monotonic()
    rankings = requests.ask(contestant.channel, K)
    seconds = time.monotonic() - start
    log.say(f"  {contestant.name}: {len(requests.distinct):,} requests in {seconds:.1f} s")
    return rankings


def _sids_of_stages(
    bundle: OpenBundle, questions: Questions, generated: GeneratedAnswers, plan: Plan, log: RunLog
) -> dict[str, NDArray[np.int64]]:
    """SIDs of each search by training stage, the last one's the widest, int64 `[M, B]`."""
    *earlier, last = bundle.trained
    sids = {}
    for stage in earlier:
        # Before the stage that reads shoppers none is read.
        asked = questions.personalised if stage == USER_QUERY_TO_SID else questions.anonymous
        # In a view of its own: each generator sees all items by vectors of its own, which end here.
        found = plan.channel(replace(bundle), stage, log=log).generate(
            asked.distinct, plan.config.beam
        )
        sids[stage] = found.leaves[asked.place]
    served = generated.generate(questions.personalised.distinct, generated.widest).leaves
    return sids | {last: served[questions.personalised.place]}


def _fuse(
    rankings: dict[str, list[Ranking]],
    positives: Sequence[Rows],
    *,
    units: Units,
    plan: Plan,
    log: RunLog,
) -> dict[str, Weights]:
    """Add the fusions to `rankings`; returns the weights to serve with."""
    fitted = {}
    # A query, or shopper, that comes back must not stand on both sides of a fold.
    groups = numbered(units.of)
    wanted = fusions(rankings)
    progress = Progress(log, "fused", total=len(wanted), unit="fusions")
    for names in wanted:
        fusion = JOIN.join(names)
        lists = {name: rankings[name] for name in names}
        if plan.weights is not None:
            if fusion in plan.weights:  # else the other split lacked a channel
                fitted[fusion] = dict(plan.weights[fusion])
                rankings[fusion] = fuse(lists, K, config=plan.fusion, weights=fitted[fusion])
        else:
            fitted[fusion] = fit_weights(lists, positives, K, config=plan.fusion)
            crossed = cross_fitted_fusion(
                lists, positives, K, config=plan.fusion, groups=groups, seed=plan.seed
            )
            rankings[fusion] = crossed.rankings
        progress.update(1)
    progress.finish()
    return fitted
