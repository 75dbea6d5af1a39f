"""Which comparisons of the generative channel are told, in the terminal and in the report alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from genrecall.evaluate.names import (
    ANONYMOUS,
    CONTROLS,
    GENERATIVE,
    POPULARITY,
    Metrics,
    stage_order,
)

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
        told += [ANONYMOUS, POPULARITY]
    rows = [
        Compared(less, hits.get(less, {}), answers.get(less, {}))
        for less in stage_order({*hits, *answers})
        if less in told
    ]
    return Comparison(title, rows)


def _by_subtrahend(paired: Mapping[str, Differences]) -> dict[str, Differences]:
    return {pair.split(" - ")[1]: figures for pair, figures in paired.items()}
