"""Who answers the searches of an evaluation."""

from __future__ import annotations

from typing import Final, NamedTuple

from genrecall.bundle import RecallParts
from genrecall.channels.base import Channel
from genrecall.channels.dense import DenseChannel
from genrecall.channels.popularity import PopularityChannel
from genrecall.data.tables import Searches
from genrecall.evaluate.metrics import (
    ANONYMOUS,
    POPULARITY,
    TWO_VIEWS,
)
from genrecall.offline.asked import Asked

FUSIONS: Final = (
    ("bm25", "dense"),
    ("bm25", "dense", "generative"),
    ("bm25", "dense", "two_views"),
)
"""Channels that are fused: without and with the generative one, and with its control."""


class _Asking(NamedTuple):
    name: str
    channel: Channel
    requests: Asked


def _channels(
    parts: RecallParts, searches: Searches, *, asked: Asked, told: Asked
) -> list[_Asking]:
    """The generative channel first, then all that it is compared with."""
    generative = parts.generative()
    # The control: an exact search with the generator's own vectors, without SIDs.
    two_views = DenseChannel(
        generative.vectors, encode=generative.encode, eligible=parts.eligible, name=TWO_VIEWS
    )
    popularity = PopularityChannel(searches.of("train"), eligible=parts.eligible)
    channels = [
        _Asking(generative.name, generative, told),
        _Asking("bm25", parts.lexical(), asked),
        _Asking("dense", parts.dense(), asked),
        _Asking(TWO_VIEWS, two_views, told),
    ]
    if told is not asked:
        channels.append(_Asking(ANONYMOUS, generative, asked))
    if any(request.query in popularity for request in asked.distinct):
        channels.append(_Asking(POPULARITY, popularity, asked))
    return channels
