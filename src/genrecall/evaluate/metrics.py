"""`metrics.json`: every figure of an evaluation with its interval.

The keys are a contract that others read; see `build_metrics`. Shapes: `M` searches, `N` items, `B`
beams, `S` distinct SIDs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.evaluate.beam_figures import beam_figures
from genrecall.evaluate.bootstrap import RESAMPLES, Bootstrap
from genrecall.evaluate.channel_figures import (
    Answered,
    answered,
    channel_figures,
    fusion_pairs,
    paired_figures,
    slice_figures,
    strongest_rival,
)
from genrecall.evaluate.confidence import confidence_figures
from genrecall.evaluate.inputs import EvaluationInputs, check_inputs, unit_groups
from genrecall.evaluate.measures import only_here
from genrecall.evaluate.names import (
    ANONYMOUS,
    CO_CHOICE,
    GENERATIVE,
    HEADS,
    LOOK_AHEAD,
    POPULARITY,
    TWO_VIEWS,
    K,
    Metrics,
    single_channels,
)

OF_MACHINE: Final = ("latency_ms",)
"""Keys of what is measured on a machine; they stand apart, since that is never the same again."""


def build_metrics(inputs: EvaluationInputs) -> Metrics:
    """Compute every figure. A figure is `{"value": x, "ci": [lo, hi], "n": searches}`.

    Intervals are bootstrapped over the units, each drawn with all its searches.

    Keys, each only where the inputs allow it:

    - `split`, `searches`, `excluded` (by cause)
    - `relevant`: items of the split's searches that are `available` today and count as relevant in
      every figure, and those that count in none: `unavailable` ones, and where searches have
      filters those that are `filtered_out` by them
    - `bootstrap` {resamples, seed, units, clusters}:
      what is drawn again, `queries` or `shoppers`, and how many of them there are
    - `quantize`: passed on
    - `hit@beam`, `hit_micro@beam`, `candidates@beam`: stage → number of beams → figure. `hit@beam`
      is the share of a search's relevant items whose SID is among the beams, averaged over
      searches;
      `hit_micro@beam` averages over relevant items, as CQ-SID, arXiv 2605.14434, §4 counts;
      `candidates@beam` is the number of items behind the beams.
    - `channels`: channel → `recall@10`, `recall@100`, `recall@1000`, `hit@10`, `ndcg@10` with the
      gains of clicks and purchases, `mrr` of the first relevant item, `candidates` (items of an
      answer), `zero_results` (share of the searches with an empty answer), and where items have
      categories `other_category@1000`: share of all items answered whose category is none of those
      of the search's relevant items
    - `generative`: `beams`, mean number of SIDs found for a search; `filled`, share of the searches
      answered with all `K` items; `items`, no figure: how many live items it can answer with
    - `confidence`: whether calibrated scores of the generative channel say the truth; see
      `confidence_figures`
    - `only_generative@1000`: share of the relevant items that no other single channel has, controls
      and the baseline not counted
    - `slices`: slice → channel → as in `channels`; `with_filters` and `without_filters` where some
      searches have filters and some have none, `corrected` and `missed_by_bm25` where there are
      queries read otherwise than typed, and such of which BM25 finds no relevant item
    - `paired`: `with - without` → measure → difference, for each fusion with the generative channel
      and each one where that is left out or replaced by one other channel
    - `headline`: the two fusions whose difference matters most, `with` the generative channel and
      `without` it: of the fusions without it and its controls the one with the highest recalls
    - `paired_alone`: the same for the generative channel less each other single channel, controls
      and the baseline not counted
    - `paired_shopper`: the same for the generative channel less its control and the baseline that
      know nothing of the shopper
    - `paired_controls`: the same for the generative channel less each part of it alone, and less
      its exact search
    - `level_weights`: stage or arm → `heads` and `look_ahead`, their weights at the three levels,
      and `prior`, how much the look-ahead counts how often items were chosen, as they are served;
      `view_weights`: view → share; `order_weights`: part of what speaks for an
      item → weight
    - `paired_hit@beam`: `with - without` → number of beams → difference of the hit rates, for the
      last stage and each other one, control or baseline
    - `latency_ms`: channel → `p50`, `p99`, and, no figure, `k`; one of `OF_MACHINE`

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
    check_inputs(inputs)
    n = len(inputs.positives)
    bootstrap = Bootstrap(n, groups=unit_groups(inputs), seed=inputs.seed)
    channels = answered(inputs)
    pairs = fusion_pairs(list(channels))
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
        "channels": channel_figures(channels, bootstrap),
        "slices": slice_figures(inputs, channels),
        "paired": paired_figures(channels, pairs, bootstrap),
    }
    if headline := strongest_rival(metrics["channels"], pairs):
        metrics["headline"] = headline
    if inputs.quantize:
        metrics["quantize"] = dict(inputs.quantize)
    metrics.update({name: weights for name, weights in inputs.fitted.items() if weights})
    if inputs.beams:
        metrics.update(beam_figures(inputs, bootstrap))
    if GENERATIVE in channels:
        metrics.update(_generative(inputs, channels, bootstrap))
    if inputs.latencies_ms:
        metrics["latency_ms"] = _latency(inputs.latencies_ms, inputs.latency_k, seed=inputs.seed)
    return metrics


class Figures(NamedTuple):
    """The figures of an evaluation, by what they depend on.

    Attributes:
        of_inputs: the same whenever the same is measured.
        of_machine: measured on a machine at some time, and never quite the same again.
    """

    of_inputs: Metrics
    of_machine: Metrics


def tell_apart(metrics: Metrics) -> Figures:
    """Figures that are repeatable, and those that are not.

    >>> tell_apart({"searches": 3, "latency_ms": {"k": 100}})
    Figures(of_inputs={'searches': 3}, of_machine={'latency_ms': {'k': 100}})
    """
    kept = {name: figures for name, figures in metrics.items() if name not in OF_MACHINE}
    return Figures(kept, {name: metrics[name] for name in OF_MACHINE if name in metrics})


def _generative(
    inputs: EvaluationInputs, channels: Mapping[str, Answered], bootstrap: Bootstrap
) -> Metrics:
    """What is told of the generative channel alone."""
    figures: Metrics = {}
    if shopperless := [name for name in (ANONYMOUS, POPULARITY, CO_CHOICE) if name in channels]:
        pairs = [(GENERATIVE, name) for name in shopperless]
        figures["paired_shopper"] = paired_figures(channels, pairs, bootstrap)
    if controls := [name for name in (HEADS, LOOK_AHEAD, TWO_VIEWS) if name in channels]:
        pairs = [(GENERATIVE, name) for name in controls]
        figures["paired_controls"] = paired_figures(channels, pairs, bootstrap)
    if inputs.beams_found is not None:
        filled = channels[GENERATIVE].sizes == K
        figures[GENERATIVE] = {
            "beams": bootstrap.mean(inputs.beams_found.astype(np.float64)).to_json(),
            "filled": bootstrap.share(filled.astype(np.float64)).to_json(),
        }
        if (items := inputs.live_items) is not None:
            figures[GENERATIVE]["items"] = items
    if inputs.shares is not None:
        figures["confidence"] = confidence_figures(
            inputs.channels[GENERATIVE], inputs.shares, inputs.positives, bootstrap
        )
    others = [name for name in single_channels(channels) if name != GENERATIVE]
    if others:
        pairs = [(GENERATIVE, name) for name in others]
        figures["paired_alone"] = paired_figures(channels, pairs, bootstrap)
        ranks = [channels[name].ranks for name in others]
        only = only_here(channels[GENERATIVE].ranks, ranks, K)
        figures[f"only_{GENERATIVE}@{K}"] = bootstrap.share(only).to_json()
    return figures


def _latency(
    latencies_ms: Mapping[str, NDArray[np.floating[Any]]], k: int | None, *, seed: int
) -> Metrics:
    figures: Metrics = {} if k is None else {"k": k}
    for channel, of_channel in latencies_ms.items():
        bootstrap = Bootstrap(len(of_channel), seed=seed)
        quantiles = {"p50": 0.50, "p99": 0.99}
        figures[channel] = {
            name: bootstrap.quantile(of_channel, share).to_json()
            for name, share in quantiles.items()
        }
    return figures
