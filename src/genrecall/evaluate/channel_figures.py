"""Figures of the channels and their fusions: overall, by slice, and as paired differences.

Shapes: `M` searches, `N` items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genrecall.data.tables import Rows
from genrecall.evaluate.bootstrap import SHARE, Bootstrap
from genrecall.evaluate.figures import differences, estimates
from genrecall.evaluate.inputs import EvaluationInputs, unit_groups
from genrecall.evaluate.measures import (
    CategoryCounts,
    Floats,
    IntArray,
    TargetRanks,
    hit,
    ndcg,
    other_categories,
    recall,
    reciprocal_rank,
    target_ranks,
)
from genrecall.evaluate.names import GENERATIVE, HIT_AT, JOIN, NDCG_AT, RECALL_AT, K, Metrics


@dataclass(frozen=True, eq=False)
class Answered:
    """What a channel gave some searches, and where their relevant items stand in it.

    Attributes:
        ranks: of the relevant items.
        sizes: items of each answer, float64 `[M]`.
        categories: its items by category; None where items have none.
    """

    ranks: TargetRanks
    sizes: Floats
    categories: CategoryCounts | None

    @cached_property
    def measures(self) -> Mapping[str, Floats]:
        """The measures of each search by name, float64 `[M]`: made once for tables and slices."""
        found = {f"recall@{k}": recall(self.ranks, k) for k in RECALL_AT}
        found |= {f"hit@{k}": hit(self.ranks, k) for k in HIT_AT}
        found |= {f"ndcg@{k}": ndcg(self.ranks, k) for k in NDCG_AT}
        return found | {"mrr": reciprocal_rank(self.ranks)}


def answered(inputs: EvaluationInputs, items: Rows | None = None) -> dict[str, Answered]:
    """What every channel gave the searches that have a relevant item, by its name.

    Args:
        inputs: of the evaluation.
        items: only these count as relevant; None for all.
    """
    kept, positives, gains = _relevant(inputs, items)
    found = {}
    for name, every in inputs.channels.items():
        lists = [every[search] for search in kept]
        found[name] = Answered(
            target_ranks(lists, positives, gains),
            np.array([len(rows) for rows in lists], dtype=np.float64),
            None
            if inputs.categories is None
            else other_categories(lists, positives, inputs.categories),
        )
    return found


def channel_figures(
    channels: Mapping[str, Answered], bootstrap: Bootstrap, mask: IntArray | None = None
) -> Metrics:
    """Figures of every channel.

    Args:
        channels: by name what they gave.
        bootstrap: of the searches that are told of.
        mask: which these are; None for all.
    """
    chosen = slice(None) if mask is None else mask
    table = {
        name: {
            **channel.measures,
            "candidates": channel.sizes,
            "zero_results": (channel.sizes == 0).astype(np.float64),
        }
        for name, channel in channels.items()
    }
    of_mask = {
        name: {measure: values[chosen] for measure, values in measures.items()}
        for name, measures in table.items()
    }
    figures: Metrics = estimates(of_mask, bootstrap.mean)
    for name, channel in channels.items():
        if channel.categories is None:
            continue
        other, known = channel.categories.other[chosen], channel.categories.known[chosen]
        if known.any():
            share = bootstrap.ratio(other, known, bounds=SHARE)
            figures[name][f"other_category@{K}"] = share.to_json()
    return figures


def slice_figures(inputs: EvaluationInputs, channels: Mapping[str, Answered]) -> Metrics:
    """The same by slice: of the searches, and of the items that count as relevant."""
    groups = unit_groups(inputs)
    table: Metrics = {}
    for name, mask in inputs.slices.items():
        if mask.any():
            bootstrap = Bootstrap(int(mask.sum()), groups=groups[mask], seed=inputs.seed)
            table[name] = channel_figures(channels, bootstrap, np.flatnonzero(mask))
    for name, items in inputs.item_slices.items():
        kept, _, _ = _relevant(inputs, items)
        if kept:
            bootstrap = Bootstrap(len(kept), groups=groups[kept], seed=inputs.seed)
            table[name] = channel_figures(answered(inputs, items), bootstrap)
    return table


def fusion_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Each fusion with the generative channel, and those without it or with another in its place.

    The other channel may be the control: what is left then is what decoding SIDs changes.
    """
    return [
        (name, without)
        for name in names
        for without in sorted(names, key=lambda other: other.count(JOIN))
        if _differ_by_generative(name, without)
    ]


def paired_figures(
    channels: Mapping[str, Answered], pairs: Sequence[tuple[str, str]], bootstrap: Bootstrap
) -> Metrics:
    """Differences of the first of each pair less the second, by measure."""
    measures = {name: channels[name].measures for pair in pairs for name in pair}
    return estimates(differences(measures, pairs), bootstrap.mean, paired=True)


def strongest_rival(figures: Metrics, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The strongest fusion without the generative channel, and the same with it; none without both.

    It is the one whose recalls have the largest sum. To choose it by these very searches flatters
    it, and never the generative channel.

    Args:
        figures: of the channels.
        pairs: see `fusion_pairs`.
    """
    found = [
        {"with": fusion, "without": without}
        for fusion, without in pairs
        if set(without.split(JOIN)) < set(fusion.split(JOIN))
    ]

    def strength(pair: dict[str, str]) -> float:
        return sum(float(figures[pair["without"]][f"recall@{k}"]["value"]) for k in RECALL_AT)

    return max(found, key=strength, default={})


def _relevant(
    inputs: EvaluationInputs, items: Rows | None
) -> tuple[list[int], list[Rows], list[Floats] | None]:
    """Searches with a relevant item among some items; these items, and their gains."""
    masks = [
        np.ones(len(rows), dtype=np.bool_) if items is None else np.isin(rows, items)
        for rows in inputs.positives
    ]
    kept = [search for search, mask in enumerate(masks) if mask.any()]
    positives = [inputs.positives[search][masks[search]] for search in kept]
    if inputs.gains is None:
        return kept, positives, None
    gains = [inputs.gains[search][masks[search]].astype(np.float64) for search in kept]
    return kept, positives, gains


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
