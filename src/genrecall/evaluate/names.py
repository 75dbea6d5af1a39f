"""What stands in `metrics.json` by name: channels, controls, training stages, numbers of items."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

K: Final = 1000
"""Candidates that every channel and every fusion may give, so that they are compared as equals."""

RECALL_AT: Final = (10, 100, K)
HIT_AT: Final = (10,)
NDCG_AT: Final = (10,)
BEAM_WIDTHS: Final = (1, 10, 100)
GENERATIVE: Final = "generative"
TWO_VIEWS: Final = "two_views"
"""A control, not a channel to serve: exact search over the generator's vectors, without SIDs."""
LOOK_AHEAD: Final = "look_ahead"
"""A control: the same generator, decoded by its look-ahead without the learned heads."""
HEADS: Final = "heads"
"""A control: the same generator, decoded by its learned heads alone."""
ANONYMOUS: Final = "anonymous"
"""A control: the same generator, without the shopper."""
POPULARITY: Final = "popularity"
"""A baseline, not a channel to serve: what was chosen most often after the same query."""
CO_CHOICE: Final = "co_choice"
"""A baseline, not a channel to serve: what was chosen by those who chose what the shopper has."""
CONTROLS: Final = (TWO_VIEWS, LOOK_AHEAD, HEADS, ANONYMOUS, POPULARITY, CO_CHOICE)
JOIN: Final = "+"
"""Joins the names of the channels of a fusion: `bm25+dense`."""

CONTROLS_TOLD: Final = {
    TWO_VIEWS: "exact search over the generator's vectors, a control without SIDs",
    HEADS: "the generator decoded by its learned heads alone, a control",
    LOOK_AHEAD: "the generator decoded by its look-ahead alone, a control",
    ANONYMOUS: "the generator without the shopper, a control",
    POPULARITY: "what was chosen most often after the same query, a baseline",
    CO_CHOICE: "what was chosen by those who chose what the shopper has chosen, a baseline",
}
"""What is no channel to serve, said to a reader; terminal and page show the same names."""

STAGES: Final = ("item_to_sid", "query_to_sid", "user_query_to_sid", "align")
"""Training stages of the generator, in their order."""

Metrics = dict[str, Any]
"""What `metrics.json` holds."""


def stage_order(names: Iterable[str]) -> list[str]:
    """What has beams: training stages in their order, then controls and baselines.

    >>> stage_order(["anonymous", "item_to_sid", "popularity", "query_to_sid"])
    ['item_to_sid', 'query_to_sid', 'anonymous', 'popularity']
    """
    known = (*STAGES, *CONTROLS)
    place = {name: number for number, name in enumerate(known)}
    return sorted(names, key=lambda name: (name in CONTROLS, place.get(name, len(place)), name))


def channel_order(channels: Iterable[str]) -> list[str]:
    """Single channels first, then each fusion, with what is added to it behind it.

    >>> channel_order(["a+b+generative", "a+b+c", "b", "a+b", "a"])
    ['a', 'b', 'a+b', 'a+b+generative', 'a+b+c']
    """
    return sorted(channels, key=lambda name: (JOIN in name, *base_of(name)))


def base_of(name: str) -> tuple[int, str, str]:
    """A fusion without the generative channel or its control, and what was taken away.

    >>> base_of("bm25+dense+generative")
    (2, 'bm25+dense', 'generative')
    """
    channels = name.split(JOIN)
    if len(channels) == 1:
        return 0, name, ""
    kept = [channel for channel in channels if channel not in (GENERATIVE, TWO_VIEWS)]
    return len(kept), JOIN.join(kept), JOIN.join(sorted(set(channels) - set(kept)))


def single_channels(names: Iterable[str]) -> list[str]:
    """Channels to serve: no fusion, no control and no baseline; in their order.

    >>> single_channels(["generative", "two_views", "bm25", "bm25+generative"])
    ['bm25', 'generative']
    """
    return channel_order(name for name in names if JOIN not in name and name not in CONTROLS)
