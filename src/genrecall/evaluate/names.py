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
CONTROLS: Final = (TWO_VIEWS, LOOK_AHEAD, HEADS, ANONYMOUS, POPULARITY)
JOIN: Final = "+"
"""Joins the names of the channels of a fusion: `bm25+dense`."""

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
