"""`metrics.json`: every figure of an evaluation with its interval, from rankings and good items.

The keys are a contract that others read; see `build_metrics`. Shapes: `M` searches, `N` items, `B`
beams, `S` distinct SIDs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.errors import DataError
from genrecall.evaluate.bootstrap import RESAMPLES, Bootstrap, Estimate
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

K: Final = 1000
"""Candidates that every channel and every fusion may give, so that they are compared as equals."""

RECALL_AT: Final = (10, 100, K)
HIT_AT: Final = (10,)
BEAM_WIDTHS: Final = (1, 10, 100)
GENERATIVE: Final = "generative"
JOIN: Final = "+"
"""Joins the names of the channels of a fusion: `bm25+dense`."""

Metrics = dict[str, Any]
"""What `metrics.json` holds."""


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """What an evaluation is computed from. All lists and arrays are in the order of the searches.

    Attributes:
        split: which part of the searches this is.
        positives: catalog rows of the good items of each search, at least one each.
        channels: by channel name the catalog rows that it gave each search, best first, at most
            `K`. A fusion is named after its channels, joined by `+`.
        beams: by training stage the SID positions that its beams gave each search, best first,
            `[M, B]`; negative entries are padding.
        sid_of_item: SID position of each catalog row, `[N]`; needed where there are beams.
        items_per_sid: live items behind each SID, `[S]`; all items when None.
        slices: further parts of the searches, bool `[M]` by name; empty ones are left out.
        new_items: catalog rows of items that training never saw; adds the slice `new_items`, in
            which only these count as good.
        latencies_ms: milliseconds that single requests took.
        quantize: health figures of the SIDs, passed on.
        excluded: how many searches of the split were left out, by cause.
        seed: of the bootstrap.
    """

    split: str
    positives: Sequence[Rows]
    channels: Mapping[str, Sequence[Rows]]
    beams: Mapping[str, IntArray] = field(default_factory=dict)
    sid_of_item: IntArray | None = None
    items_per_sid: IntArray | None = None
    slices: Masks = field(default_factory=dict)
    new_items: Rows | None = None
    latencies_ms: NDArray[np.floating[Any]] | None = None
    quantize: Mapping[str, Any] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0


def build_metrics(inputs: EvaluationInputs) -> Metrics:
    """Compute every figure. A figure is `{"value": x, "ci": [lo, hi], "n": searches}`.

    Keys, each only where the inputs allow it:

    - `split`, `searches`, `excluded` (by cause), `bootstrap` {resamples, seed}
    - `quantize`: passed on
    - `hit@beam`, `hit_micro@beam`, `candidates@beam`: stage → number of beams → figure. `hit@beam`
      is the share of a search's good items whose SID is among the beams, averaged over searches;
      `hit_micro@beam` averages over good items, as CQ-SID, arXiv 2605.14434, §4 counts;
      `candidates@beam` is the number of items behind the beams.
    - `channels`: channel → `recall@10`, `recall@100`, `recall@1000`, `hit@10`, `candidates`
    - `only_generative@1000`: share of the good items that no other single channel has
    - `slices`: slice → channel → as in `channels`
    - `paired`: `with - without` the generative channel → measure → difference
    - `latency_ms`: `p50`, `p99`

    Raises:
        DataError: there is no search.
        ValueError: lists, slices and searches do not fit together, or a list is longer than `K`.
    """
    _check(inputs)
    n = len(inputs.positives)
    bootstrap = Bootstrap(n, seed=inputs.seed)
    ranks = {name: target_ranks(lists, inputs.positives) for name, lists in inputs.channels.items()}
    metrics: Metrics = {
        "split": inputs.split,
        "searches": n,
        "excluded": dict(inputs.excluded),
        "bootstrap": {"resamples": RESAMPLES, "seed": inputs.seed},
        "channels": _channels(inputs.channels, ranks, bootstrap),
        "slices": _slices(inputs, ranks),
        "paired": _paired(ranks, bootstrap),
    }
    if inputs.quantize:
        metrics["quantize"] = dict(inputs.quantize)
    if inputs.beams:
        metrics.update(_beams(inputs, bootstrap))
    others = [ranks[name] for name in ranks if name != GENERATIVE and JOIN not in name]
    if GENERATIVE in ranks and others:
        only = only_here(ranks[GENERATIVE], others, K)
        metrics[f"only_{GENERATIVE}@{K}"] = bootstrap.mean(only).to_json()
    if inputs.latencies_ms is not None:
        metrics["latency_ms"] = _latency(inputs.latencies_ms, seed=inputs.seed)
    return metrics


def _check(inputs: EvaluationInputs) -> None:
    n = len(inputs.positives)
    if n == 0:
        raise DataError(
            f"the {inputs.split} split has no search with a good item, so there is nothing to "
            "measure. Give searches with clicks, purchases or judgments, or another split."
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
    table: Metrics = {}
    for name, lists in channels.items():
        lengths = np.array([len(rows) for rows in lists], dtype=np.float64)
        measures = _measures(ranks[name]) | {"candidates": lengths}
        table[name] = {
            measure: bootstrap.mean(values[chosen]).to_json()
            for measure, values in measures.items()
        }
    return table


def _slices(inputs: EvaluationInputs, ranks: Mapping[str, TargetRanks]) -> Metrics:
    table: Metrics = {}
    for name, mask in inputs.slices.items():
        if mask.any():
            bootstrap = Bootstrap(int(mask.sum()), seed=inputs.seed)
            table[name] = _channels(inputs.channels, ranks, bootstrap, mask)
    if inputs.new_items is not None:
        new = [rows[np.isin(rows, inputs.new_items)] for rows in inputs.positives]
        kept = [search for search, rows in enumerate(new) if len(rows)]
        if kept:
            positives = [new[search] for search in kept]
            channels = {
                name: [lists[search] for search in kept] for name, lists in inputs.channels.items()
            }
            of_new = {name: target_ranks(lists, positives) for name, lists in channels.items()}
            bootstrap = Bootstrap(len(kept), seed=inputs.seed)
            table["new_items"] = _channels(channels, of_new, bootstrap)
    return table


def _paired(ranks: Mapping[str, TargetRanks], bootstrap: Bootstrap) -> Metrics:
    """What the generative channel adds to each fusion that is there with and without it."""
    table: Metrics = {}
    for name in ranks:
        parts = name.split(JOIN)
        without = JOIN.join(part for part in parts if part != GENERATIVE)
        if GENERATIVE in parts and without in ranks:
            a, b = _measures(ranks[name]), _measures(ranks[without])
            table[f"{name} - {without}"] = {
                measure: bootstrap.difference(a[measure], b[measure]).to_json() for measure in a
            }
    return table


def _beams(inputs: EvaluationInputs, bootstrap: Bootstrap) -> Metrics:
    """`hit@beam`, `hit_micro@beam` and `candidates@beam` of every stage."""
    assert inputs.sid_of_item is not None  # `_check` saw to it
    sid_of_item = inputs.sid_of_item
    per_sid = inputs.items_per_sid
    if per_sid is None:
        per_sid = np.bincount(sid_of_item)
    targets = [sid_of_item[rows] for rows in inputs.positives]
    tables: Metrics = {"hit@beam": {}, "hit_micro@beam": {}, "candidates@beam": {}}
    for stage, beams in inputs.beams.items():
        ranks = target_ranks(list(beams), targets)
        widths = [width for width in BEAM_WIDTHS if width <= beams.shape[1]]
        figures: dict[str, dict[int, Estimate]] = {
            "hit@beam": {b: bootstrap.mean(recall(ranks, b)) for b in widths},
            "hit_micro@beam": {b: bootstrap.ratio(ranks.found(b), ranks.n_targets) for b in widths},
            "candidates@beam": {b: bootstrap.mean(candidates(beams, per_sid, b)) for b in widths},
        }
        for key, by_width in figures.items():
            tables[key][stage] = {str(b): figure.to_json() for b, figure in by_width.items()}
    return tables


def _latency(latencies_ms: NDArray[np.floating[Any]], *, seed: int) -> Metrics:
    bootstrap = Bootstrap(len(latencies_ms), seed=seed)
    return {
        "p50": bootstrap.quantile(latencies_ms, 0.50).to_json(),
        "p99": bootstrap.quantile(latencies_ms, 0.99).to_json(),
    }
