"""Who answers the searches of an evaluation: a record each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.bundle import OpenBundle
from genrecall.channels.base import Channel, Request
from genrecall.channels.co_choice import CoChoiceChannel, chosen_again
from genrecall.channels.popularity import PopularityChannel
from genrecall.data.tables import Searches
from genrecall.evaluate.names import ANONYMOUS, CO_CHOICE, GENERATIVE, POPULARITY, TWO_VIEWS
from genrecall.offline.exact import ExactSearch
from genrecall.offline.generated import Control, GeneratedAnswers
from genrecall.offline.requests import DistinctRequests, Questions

PLAIN: Final = ("bm25", "dense")
"""What every shop can have."""

RIVALS: Final = (
    PLAIN,
    (*PLAIN, POPULARITY),
    (*PLAIN, POPULARITY, CO_CHOICE),
)
"""Channels that are fused without the generator: what a shop has anyway, and what a log gives for
nothing."""


def fusions(channels: Collection[str]) -> list[tuple[str, ...]]:
    """What is fused: each rival, the same with the generative channel, and with its control.

    Args:
        channels: that have answered.

    >>> fusions(["generative", "bm25", "dense", "two_views"])[1]
    ('bm25', 'dense', 'generative')
    """
    there = [rival for rival in RIVALS if set(rival) <= set(channels)]
    return [(*rival, *added) for rival in there for added in ((), (GENERATIVE,), (TWO_VIEWS,))]


LEAST_KNOWN: Final = 0.05
"""Share of the searches whose query training knows, from which on popularity is a baseline: on
fewer it has no answer to nearly all, and a row of zeros says nothing."""


class Contestant(NamedTuple):
    """Somebody who answers the searches.

    Attributes:
        name: in metrics and logs.
        channel: ranks items.
        requests: what it is asked.
        generate: requests to SIDs, best first, int64 `[n, B]`; None where it has none.
    """

    name: str
    channel: Channel
    requests: DistinctRequests
    generate: Callable[[Sequence[Request]], NDArray[np.int64]] | None = None

    def sids(self) -> NDArray[np.int64] | None:
        """SIDs for each search, best first, int64 `[M, B]`."""
        if self.generate is None:
            return None
        return self.generate(self.requests.distinct)[self.requests.place]


def contestants(
    bundle: OpenBundle,
    searches: Searches,
    questions: Questions,
    generated: GeneratedAnswers,
    *,
    beam: int,
) -> list[Contestant]:
    """The generative channel first, then all that it is compared with.

    Args:
        bundle: the channels.
        searches: of all splits; popularity is that of the training searches.
        questions: what is asked.
        generated: what the generative channel says of both forms of the questions.
        beam: SIDs of a control at most.
    """
    anonymous, personalised = questions
    popularity = PopularityChannel(searches.of("train"), bundle.items, reader=bundle.reader)

    def popular(requests: Sequence[Request]) -> NDArray[np.int64]:
        return popularity.generate(requests, beam)

    found = [
        Contestant(GENERATIVE, generated, personalised),
        Contestant("bm25", bundle.lexical(), anonymous),
        Contestant("dense", bundle.dense(), anonymous),
        Contestant(TWO_VIEWS, ExactSearch(generated), personalised),
    ]
    for name, control in generated.controls.items():
        found.append(Contestant(name, control, personalised, _sids_of(control, generated.widest)))
    if questions.reads_shoppers:
        found.append(Contestant(ANONYMOUS, generated, anonymous, _sids_of(generated, beam)))
    if known_share(popularity, anonymous) >= LEAST_KNOWN:
        found.append(Contestant(POPULARITY, popularity, anonymous, popular))
    if questions.reads_shoppers:
        training = searches.of("train")
        co_choice = CoChoiceChannel(
            training,
            bundle.items,
            reader=bundle.reader,
            leaves_out_chosen=not chosen_again(training),
        )
        found.append(Contestant(CO_CHOICE, co_choice, personalised))
    return found


def known_share(popularity: PopularityChannel, requests: DistinctRequests) -> float:
    """Share of the searches whose query was searched in training; 0 without any search."""
    known = np.array([request.query in popularity for request in requests.distinct], dtype=np.bool_)
    return float(known[requests.place].mean()) if len(requests.place) else 0.0


def _sids_of(generated: Control, beam: int) -> Callable[[Sequence[Request]], NDArray[np.int64]]:
    """Its SIDs at one of the widths that were searched."""
    return lambda requests: generated.generate(requests, beam).leaves
