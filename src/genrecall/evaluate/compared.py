"""Which figures and comparisons are told, in the terminal and in the report alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from genrecall.evaluate.names import (
    ANONYMOUS,
    CO_CHOICE,
    CONTROLS,
    GENERATIVE,
    HEADS,
    LOOK_AHEAD,
    POPULARITY,
    RECALL_AT,
    K,
    Metrics,
    stage_order,
)

RECALLS: Final = tuple(f"recall@{k}" for k in RECALL_AT)
ORDERS: Final = ("ndcg@10", "mrr", "hit@10")
"""Where in an answer the relevant items stand; a ranker orders them anew."""
PAIRED: Final = (*RECALLS, "ndcg@10")
"""Of a fusion with the generative channel less another one."""
OTHER_KIND: Final = f"other_category@{K}"

BEAMS: Final = ("1", "10")
MEASURES: Final = ("recall@10", "recall@100")

_UNTOLD: Final = ("item_to_sid", "user_query_to_sid")  # read no query, or shoppers too

Differences = Mapping[str, Any]
"""Figures by measure or number of beams."""


class Compared(NamedTuple):
    """The generative channel less something else.

    Attributes:
        less: a control, a baseline or an earlier training stage.
        hits: differences of hit@beam by number of beams; empty where it has no beams.
        answers: differences by measure; empty where it has not answered.
    """

    less: str
    hits: Differences
    answers: Differences


class Comparison(NamedTuple):
    """A table of such differences.

    Attributes:
        title: what they show.
        rows: one for each that it is compared with.
    """

    title: str
    rows: list[Compared]


class Paired(NamedTuple):
    """A fusion with the generative channel less another fusion.

    Attributes:
        fusion: with the generative channel.
        less: without it, or with another channel in its place.
        figures: the differences.
    """

    fusion: str
    less: str
    figures: Differences


def paired_fusions(metrics: Metrics) -> list[Paired]:
    """Those that the generative channel is added to, the strongest rival first."""
    told = []
    for pair, figures in metrics["paired"].items():
        fusion, _, less = pair.partition(" - ")
        told.append(Paired(fusion, less, figures))
    headline = metrics.get("headline", {}).get("with")
    return sorted(told, key=lambda pair: pair.fusion != headline)


def told_units(metrics: Metrics) -> str:
    """What intervals are over.

    >>> told_units({"bootstrap": {"units": "queries", "clusters": 1234}})
    '1,234 queries'
    """
    drawn = metrics.get("bootstrap")
    return "" if drawn is None else f"{drawn['clusters']:,} {drawn['units']}"


def told_unavailable(metrics: Metrics) -> str:
    """How many relevant items count in no figure; empty where all count.

    >>> told_unavailable({"relevant": {"available": 900, "unavailable": 100}})
    '100 of 1,000 relevant items are not available today; no figure counts them.'
    """
    relevant = metrics.get("relevant", {})
    causes = {
        "unavailable": "are not available today",
        "filtered_out": "do not pass what their search was filtered by",
    }
    of = f"of {sum(relevant.values()):,} relevant items"
    told = [f"{relevant[name]:,} {of} {why}" for name, why in causes.items() if relevant.get(name)]
    return f"{'; '.join(told)}; no figure counts them." if told else ""


def told_weights(metrics: Metrics) -> str:
    """The weights with which the generator serves; empty where there are none."""
    weights = metrics.get("level_weights")
    if not weights:
        return ""
    served = weights.get(metrics.get("align_served")) or list(weights.values())[-1]
    told = [
        f"{part} {', '.join(f'{weight:.2f}' for weight in served[name])}"
        for part, name in (("heads", HEADS), ("look-ahead", LOOK_AHEAD))
    ]
    if served.get("prior"):
        told.append(f"prior in the look-ahead {served['prior']:g}")
    # Where no step of alignment was better, what serves is the stage before, weights and all.
    before = [of for name, of in weights.items() if name not in metrics.get("align", {})]
    aligned = metrics.get("align_served") and served not in before
    how = "Weights that it was aligned with" if aligned else "Fitted weights"
    lines = [f"{how}, at the three levels: {'; '.join(told)}."]
    if order := metrics.get("order_weights"):
        parts = ", ".join(f"{name} {weight:.2f}" for name, weight in order.items())
        lines.append(f"Fitted weights of the item order: {parts}.")
    return " ".join(lines)


def beside_controls(metrics: Metrics) -> Comparison | None:
    """What heads, look-ahead and SIDs are worth; None where no control was measured."""
    paired = metrics.get("paired_controls")
    if not paired:
        return None
    hits = _by_subtrahend(metrics.get("paired_hit@beam", {}))
    answers = _by_subtrahend(paired)
    rows = [Compared(less, hits.get(less, {}), answers[less]) for less in answers]
    return Comparison(f"{GENERATIVE.capitalize()} beside its controls", rows)


def beside_shopperless(metrics: Metrics) -> Comparison | None:
    """What profile and history change; None where nothing was measured without them."""
    paired = metrics.get("paired_shopper")
    if not paired:
        return None
    hits, answers = _by_subtrahend(metrics.get("paired_hit@beam", {})), _by_subtrahend(paired)
    told = [POPULARITY]
    title = f"{GENERATIVE.capitalize()} beside popularity"
    if ANONYMOUS in answers:
        title = "What knowing the shopper adds"
        told = [name for name in hits if name not in _UNTOLD and name not in CONTROLS]
        told += [ANONYMOUS, POPULARITY, CO_CHOICE]
    rows = [
        Compared(less, hits.get(less, {}), answers.get(less, {}))
        for less in stage_order({*hits, *answers})
        if less in told
    ]
    return Comparison(title, rows)


def _by_subtrahend(paired: Mapping[str, Differences]) -> dict[str, Differences]:
    return {pair.split(" - ")[1]: figures for pair, figures in paired.items()}
