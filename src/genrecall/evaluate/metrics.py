"""`metrics.json`: every figure of an evaluation with its interval.

The keys are a contract that others read; see `build_metrics`. Shapes: `M` searches, `N` items, `B`
beams, `S` distinct SIDs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.evaluate.bootstrap import RESAMPLES, SHARE, Bootstrap, Estimate, Units
from genrecall.evaluate.figures import differences, estimates
from genrecall.evaluate.measures import (
    Floats,
    IntArray,
    TargetRanks,
    candidates,
    hit,
    only_here,
    recall,
    target_ranks,
)
from genrecall.evaluate.slices import Masks
from genrecall.foundation.errors import DataError
from genrecall.text.distinct import distinct

K: Final = 1000
"""Candidates that every channel and every fusion may give, so that they are compared as equals."""

RECALL_AT: Final = (10, 100, K)
HIT_AT: Final = (10,)
BEAM_WIDTHS: Final = (1, 10, 100)
_HEADLINE: Final = "recall@100"
"""The measure by which the strongest rival is chosen."""
GENERATIVE: Final = "generative"
TWO_VIEWS: Final = "two_views"
"""A control, not a channel to serve: exact search over the generator's vectors, without SIDs."""
ANONYMOUS: Final = "anonymous"
"""A control: the same generator, without the shopper."""
POPULARITY: Final = "popularity"
"""A baseline, not a channel to serve: what was chosen most often after the same query."""
CONTROLS: Final = (TWO_VIEWS, ANONYMOUS, POPULARITY)
JOIN: Final = "+"
"""Joins the names of the channels of a fusion: `bm25+dense`."""

STAGES: Final = ("item_to_sid", "query_to_sid", "user_query_to_sid", "align")
"""Training stages of the generator, in their order."""

Metrics = dict[str, Any]
"""What `metrics.json` holds."""


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """What an evaluation is computed from. All lists and arrays are in the order of the searches.

    Attributes:
        split: which part of the searches this is.
        positives: catalog rows of the relevant items of each search that are available, at least
            one each.
        channels: by channel name the catalog rows that it gave each search, best first, at most
            `K`. A fusion is named after its channels, joined by `+`.
        units: the query of each search, or its shopper; intervals are over the distinct ones. None:
            each search is a unit of its own.
        beams: by training stage the SID positions that its beams gave each search, best first,
            `[M, B]`; negative entries are padding.
        sid_of_item: SID position of each catalog row, `[N]`; needed where there are beams.
        items_per_sid: live items behind each SID, `[S]`; all items when None.
        slices: further parts of the searches, bool `[M]` by name; empty ones are left out.
        item_slices: parts of the items, catalog rows by name, such as those that training never
            saw; each adds a slice in which only these count as relevant. Empty ones are left out.
        beam_widths: how many beams the generative channel used for each search, `[M]`.
        latencies_ms: milliseconds that single requests took.
        latency_k: how many items these requests asked for.
        quantize: health figures of the SIDs, passed on.
        excluded: how many searches of the split were left out, by cause.
        relevant: how many relevant items of the split are `available` and count, and how many
            `unavailable` ones do not.
        seed: of the bootstrap.
    """

    split: str
    positives: Sequence[Rows]
    channels: Mapping[str, Sequence[Rows]]
    units: Units | None = None
    beams: Mapping[str, IntArray] = field(default_factory=dict)
    sid_of_item: IntArray | None = None
    items_per_sid: IntArray | None = None
    slices: Masks = field(default_factory=dict)
    item_slices: Mapping[str, Rows] = field(default_factory=dict)
    beam_widths: IntArray | None = None
    latencies_ms: NDArray[np.floating[Any]] | None = None
    latency_k: int | None = None
    quantize: Mapping[str, Any] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)
    relevant: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0


def build_metrics(inputs: EvaluationInputs) -> Metrics:
    """Compute every figure. A figure is `{"value": x, "ci": [lo, hi], "n": searches}`.

    Intervals are bootstrapped over the units, each drawn with all its searches.

    Keys, each only where the inputs allow it:

    - `split`, `searches`, `excluded` (by cause)
    - `relevant`: items of the split's searches that are `available` today and count as relevant in
      every figure, and those `unavailable`, which count in none
    - `bootstrap` {resamples, seed, units, clusters}:
      what is drawn again, `queries` or `shoppers`, and how many of them there are
    - `quantize`: passed on
    - `hit@beam`, `hit_micro@beam`, `candidates@beam`: stage → number of beams → figure. `hit@beam`
      is the share of a search's relevant items whose SID is among the beams, averaged over
      searches;
      `hit_micro@beam` averages over relevant items, as CQ-SID, arXiv 2605.14434, §4 counts;
      `candidates@beam` is the number of items behind the beams.
    - `channels`: channel → `recall@10`, `recall@100`, `recall@1000`, `hit@10`, `candidates`
    - `generative`: `beams`, mean number a search; `filled`, share of the searches answered with
      all `K` items
    - `only_generative@1000`: share of the relevant items that no other single channel has, controls
      and the baseline not counted
    - `slices`: slice → channel → as in `channels`
    - `paired`: `with - without` → measure → difference, for each fusion with the generative channel
      and each one where that is left out or replaced by one other channel
    - `headline`: the two fusions whose difference matters most, `with` the generative channel and
      `without` it: of the fusions without it and its controls the one with the highest recall@100
    - `paired_shopper`: the same for the generative channel less its control and the baseline that
      know nothing of the shopper
    - `paired_hit@beam`: `with - without` → number of beams → difference of the hit rates, for the
      last stage and each other one, control or baseline
    - `latency_ms`: `p50`, `p99` and, no figure, `k`

    Where the generator was aligned, `alignment_metrics` adds:

    - `align`: arm → `clk@k`, `exp@k`, `buy@k`, `pvr@10`, `exposure_recall@10`, `candidates@10`,
      `recall@k`; arms are `stage3`, the one that serves, such as `eg_grpo_k2`, and controls
    - `align_served`: the arm that serves
    - `paired_align`: `arm - other` → measure → difference, for each arm less `stage3`, and the one
      that serves less each control
    - `slices_align`: slice of queries → arm → as in `align`

    Raises:
        DataError: there is no search.
        ValueError: lists, slices and searches do not fit together, or a list is longer than `K`.
    """
    _check(inputs)
    n = len(inputs.positives)
    groups = unit_groups(inputs)
    bootstrap = Bootstrap(n, groups=groups, seed=inputs.seed)
    ranks = {name: target_ranks(lists, inputs.positives) for name, lists in inputs.channels.items()}
    metrics: Metrics = {
        "split": inputs.split,
        "searches": n,
        "excluded": dict(inputs.excluded),
        "relevant": dict(inputs.relevant),
        "bootstrap": {
            "resamples": RESAMPLES,
            "seed": inputs.seed,
            "units": "searches" if inputs.units is None else inputs.units.what,
            "clusters": bootstrap.clusters,
        },
        "channels": _channels(inputs.channels, ranks, bootstrap),
        "slices": _slices(inputs, ranks, groups),
        "paired": _paired(ranks, bootstrap),
    }
    if strongest := _headline(metrics):
        metrics["headline"] = strongest
    if GENERATIVE in ranks and (shopperless := [n for n in (ANONYMOUS, POPULARITY) if n in ranks]):
        pairs = [(GENERATIVE, name) for name in shopperless]
        metrics["paired_shopper"] = _differences(ranks, pairs, bootstrap)
    if inputs.quantize:
        metrics["quantize"] = dict(inputs.quantize)
    if inputs.beams:
        metrics.update(_beams(inputs, bootstrap))
    if inputs.beam_widths is not None and GENERATIVE in ranks:
        filled = np.array([len(rows) == K for rows in inputs.channels[GENERATIVE]])
        metrics[GENERATIVE] = {
            "beams": bootstrap.mean(inputs.beam_widths.astype(np.float64)).to_json(),
            "filled": bootstrap.share(filled.astype(np.float64)).to_json(),
        }
    others = [
        ranks[name] for name in ranks if name not in (GENERATIVE, *CONTROLS) and JOIN not in name
    ]
    if GENERATIVE in ranks and others:
        only = only_here(ranks[GENERATIVE], others, K)
        metrics[f"only_{GENERATIVE}@{K}"] = bootstrap.share(only).to_json()
    if inputs.latencies_ms is not None:
        metrics["latency_ms"] = _latency(inputs.latencies_ms, inputs.latency_k, seed=inputs.seed)
    return metrics


def check_searches(n: int, split: str) -> None:
    """Refuse to measure nothing.

    Raises:
        DataError: there is no search.
    """
    if n == 0:
        raise DataError(
            f"the {split} split has no search with a relevant item that is available, so there is "
            "nothing to measure. Give searches with clicks, purchases or judgments of items that "
            "are on sale, or another split."
        )


def stage_order(names: Iterable[str]) -> list[str]:
    """What has beams: training stages in their order, then controls and baselines.

    >>> stage_order(["anonymous", "item_to_sid", "popularity", "query_to_sid"])
    ['item_to_sid', 'query_to_sid', 'anonymous', 'popularity']
    """
    known = (*STAGES, *CONTROLS)
    place = {name: number for number, name in enumerate(known)}
    return sorted(names, key=lambda name: (name in CONTROLS, place.get(name, len(place)), name))


def unit_groups(inputs: EvaluationInputs) -> IntArray:
    """A number for the unit of each search: int64 `[M]`."""
    if inputs.units is None:
        return np.arange(len(inputs.positives))
    return distinct(inputs.units.of).number


def _check(inputs: EvaluationInputs) -> None:
    n = len(inputs.positives)
    check_searches(n, inputs.split)
    if inputs.units is not None and len(inputs.units.of) != n:
        raise ValueError(f"{len(inputs.units.of)} units do not fit {n} searches.")
    if inputs.beam_widths is not None and inputs.beam_widths.shape != (n,):
        raise ValueError(
            f"`beam_widths` has shape {inputs.beam_widths.shape}; it must be ({n},), one a search."
        )
    for name, lists in inputs.channels.items():
        if len(lists) != n:
            raise ValueError(f"channel {name!r} gave {len(lists)} lists for {n} searches.")
        longest = max(len(rows) for rows in lists)
        if longest > K:
            raise ValueError(
                f"channel {name!r} gave {longest} candidates; cut every list to {K}, since only "
                "equal numbers of candidates can be compared."
            )
    for name, beams in inputs.beams.items():
        if inputs.sid_of_item is None:
            raise ValueError(f"the beams of {name!r} need `sid_of_item`.")
        if beams.ndim != 2 or len(beams) != n:
            raise ValueError(f"stage {name!r} gave beams of shape {beams.shape} for {n} searches.")
    for name, mask in inputs.slices.items():
        if mask.shape != (n,):
            raise ValueError(f"slice {name!r} has shape {mask.shape}; it must be ({n},).")


def _measures(ranks: TargetRanks) -> dict[str, Floats]:
    """The measures of a channel per search, by name."""
    at = {f"recall@{k}": recall(ranks, k) for k in RECALL_AT}
    return at | {f"hit@{k}": hit(ranks, k) for k in HIT_AT}


def _channels(
    channels: Mapping[str, Sequence[Rows]],
    ranks: Mapping[str, TargetRanks],
    bootstrap: Bootstrap,
    mask: NDArray[np.bool_] | None = None,
) -> Metrics:
    """Figures of every channel, over the searches in `mask`."""
    chosen = slice(None) if mask is None else mask
    table = {}
    for name, lists in channels.items():
        lengths = np.array([len(rows) for rows in lists], dtype=np.float64)
        measures = _measures(ranks[name]) | {"candidates": lengths}
        table[name] = {measure: values[chosen] for measure, values in measures.items()}
    return estimates(table, bootstrap.mean)


def _slices(
    inputs: EvaluationInputs, ranks: Mapping[str, TargetRanks], groups: IntArray
) -> Metrics:
    table: Metrics = {}
    for name, mask in inputs.slices.items():
        if mask.any():
            bootstrap = Bootstrap(int(mask.sum()), groups=groups[mask], seed=inputs.seed)
            table[name] = _channels(inputs.channels, ranks, bootstrap, mask)
    for name, items in inputs.item_slices.items():
        relevant = [rows[np.isin(rows, items)] for rows in inputs.positives]
        kept = [search for search, rows in enumerate(relevant) if len(rows)]
        if kept:
            positives = [relevant[search] for search in kept]
            channels = {
                channel: [lists[search] for search in kept]
                for channel, lists in inputs.channels.items()
            }
            of_slice = {
                channel: target_ranks(lists, positives) for channel, lists in channels.items()
            }
            bootstrap = Bootstrap(len(kept), groups=groups[kept], seed=inputs.seed)
            table[name] = _channels(channels, of_slice, bootstrap)
    return table


def _paired(ranks: Mapping[str, TargetRanks], bootstrap: Bootstrap) -> Metrics:
    """Each fusion with the generative channel less those without it or with another in its place.

    The other channel may be the control: what is left then is what decoding SIDs changes.
    """
    pairs = [
        (name, without)
        for name in ranks
        for without in sorted(ranks, key=lambda other: other.count(JOIN))
        if _differ_by_generative(name, without)
    ]
    return _differences(ranks, pairs, bootstrap)


def _headline(metrics: Metrics) -> dict[str, str]:
    """The strongest fusion without the generative channel, and the same with it; none without both.

    To choose the strongest by these very searches flatters it, and never the generative channel.
    """
    pairs = (pair.split(" - ") for pair in metrics["paired"])
    found = [
        {"with": fusion, "without": without}
        for fusion, without in pairs
        if set(without.split(JOIN)) < set(fusion.split(JOIN))
    ]

    def recall_of_rival(pair: dict[str, str]) -> float:
        return float(metrics["channels"][pair["without"]][_HEADLINE]["value"])

    return max(found, key=recall_of_rival, default={})


def _differences(
    ranks: Mapping[str, TargetRanks], pairs: Sequence[tuple[str, str]], bootstrap: Bootstrap
) -> Metrics:
    measures = {name: _measures(of_channel) for name, of_channel in ranks.items()}
    return estimates(differences(measures, pairs), bootstrap.mean, paired=True)


def _differ_by_generative(name: str, without: str) -> bool:
    """Whether a fusion less its generative channel, or with one in its place, is the other one."""
    channels, others = set(name.split(JOIN)), set(without.split(JOIN))
    shared = channels - {GENERATIVE}
    return (
        GENERATIVE in channels - others
        and bool(shared)
        and shared <= others
        and len(others - shared) <= 1
    )


def _beams(inputs: EvaluationInputs, bootstrap: Bootstrap) -> Metrics:
    """`hit@beam` and its companions of every stage, and the differences to the last one."""
    assert inputs.sid_of_item is not None  # `_check` saw to it
    sid_of_item = inputs.sid_of_item
    per_sid = inputs.items_per_sid
    if per_sid is None:
        per_sid = np.bincount(sid_of_item)
    targets = [sid_of_item[rows] for rows in inputs.positives]
    tables: Metrics = {"hit@beam": {}, "hit_micro@beam": {}, "candidates@beam": {}}
    hits: dict[str, dict[int, Floats]] = {}
    for stage, beams in inputs.beams.items():
        ranks = target_ranks(list(beams), targets)
        widths = [width for width in BEAM_WIDTHS if width <= beams.shape[1]]
        hits[stage] = {b: recall(ranks, b) for b in widths}
        figures: dict[str, dict[int, Estimate]] = {
            "hit@beam": {b: bootstrap.share(hits[stage][b]) for b in widths},
            "hit_micro@beam": {
                b: bootstrap.ratio(ranks.found(b), ranks.n_targets, bounds=SHARE) for b in widths
            },
            "candidates@beam": {b: bootstrap.mean(candidates(beams, per_sid, b)) for b in widths},
        }
        for key, by_width in figures.items():
            tables[key][stage] = {str(b): figure.to_json() for b, figure in by_width.items()}
    served = [stage for stage in hits if stage not in CONTROLS][-1]
    tables["paired_hit@beam"] = {
        f"{served} - {other}": {
            str(b): bootstrap.difference(hits[served][b], hits[other][b]).to_json()
            for b in hits[served]
            if b in hits[other]
        }
        for other in hits
        if other != served
    }
    return tables


def _latency(latencies_ms: NDArray[np.floating[Any]], k: int | None, *, seed: int) -> Metrics:
    bootstrap = Bootstrap(len(latencies_ms), seed=seed)
    asked = {} if k is None else {"k": k}
    return asked | {
        "p50": bootstrap.quantile(latencies_ms, 0.50).to_json(),
        "p99": bootstrap.quantile(latencies_ms, 0.99).to_json(),
    }
