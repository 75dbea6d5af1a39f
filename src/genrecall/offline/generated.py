"""The generative channel in an evaluation: each distinct request is read once.

Everything that is measured of the channel comes from that reading: its answers, its beams at each
width, and the vectors that the control without SIDs searches with.

Shapes: `M` searches, `n` requests, `B` beams, `D` size of the views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking, Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.shoppers import Shopper
from genrecall.decode.base import Beams
from genrecall.generator.prompts import Prompt
from genrecall.offline.requests import DistinctRequests


class GeneratedAnswers:
    """What a generative channel says of requests, once and for all; a `Channel` for these.

    Args:
        channel: is asked.
        k: items of an answer at most.
        widths: which requests are searched at which number of beams, beside what their answer
            needs.

    Attributes:
        channel: the one that was asked.
        widest: the largest of the numbers of beams.
    """

    def __init__(
        self, channel: GenerativeChannel, k: int, widths: Mapping[int, Sequence[Request]]
    ) -> None:
        self.channel = channel
        self._k = k
        self.widest = max(widths)
        distinct = {_key(request): request for group in widths.values() for request in group}
        self._place = {key: row for row, key in enumerate(distinct)}
        wanted = {width: self._rows(group) for width, group in widths.items()}
        self._beams = {width: _padding(len(distinct), width) for width in widths}
        self._rankings: list[Ranking] = []
        self._queries: list[NDArray[np.float32]] = []
        self._prompts: list[Prompt] = []
        for read in channel.read(list(distinct.values())):
            first = len(self._rankings)
            self._rankings += channel.rank_read(read, k)
            self._queries += list(read.reading.queries)
            self._prompts += read.reading.prompts
            for width, rows in wanted.items():
                of_part = rows[(rows >= first) & (rows < first + len(read))]
                found = channel.search(read, width, of_part - first)
                self._beams[width].leaves[of_part] = found.leaves
                self._beams[width].logprob[of_part] = found.logprob

    def __len__(self) -> int:
        return len(self._place)

    @property
    def name(self) -> str:
        """Name in metrics and logs."""
        return self.channel.name

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`; `k` is the one that was asked for."""
        assert k == self._k
        return [self._rankings[row] for row in self._rows(requests).tolist()]

    def generate(self, requests: Sequence[Request], beam: int) -> Beams:
        """The most probable SIDs at one of the widths, `[n, beam]`."""
        rows, beams = self._rows(requests), self._beams[beam]
        return Beams(beams.leaves[rows], beams.logprob[rows])

    def encode(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The requests' vectors in the space of the items' views, float32 `[n, D]`."""
        return np.stack([self._queries[row] for row in self._rows(requests).tolist()])

    def prompt(self, request: Request) -> Prompt:
        """What the generator has read of a request."""
        return self._prompts[self._place[_key(request)]]

    def _rows(self, requests: Sequence[Request]) -> NDArray[np.int64]:
        return np.array([self._place[_key(request)] for request in requests], dtype=np.int64)


class Answers(NamedTuple):
    """What a generative channel says of searches.

    Attributes:
        rankings: of the items, one per search.
        sids: the most probable ones of each search, best first, int64 `[M, B]`; -1 is padding.
    """

    rankings: list[Ranking]
    sids: NDArray[np.int64]


def answer_searches(
    channel: GenerativeChannel, requests: DistinctRequests, k: int, beam: int
) -> Answers:
    """Items and SIDs of searches, from one reading of each distinct request.

    Args:
        channel: is asked.
        requests: of the searches.
        k: items of an answer at most.
        beam: SIDs of a search at most.
    """
    generated = GeneratedAnswers(channel, k, {beam: requests.distinct})
    sids = generated.generate(requests.distinct, beam).leaves
    return Answers(requests.ask(generated, k), sids[requests.place])


def _key(request: Request) -> tuple[str, Shopper | None]:
    return request.query, request.shopper


def _padding(n: int, width: int) -> Beams:
    return Beams(
        np.full((n, width), -1, dtype=np.int64), np.full((n, width), -np.inf, dtype=np.float32)
    )
