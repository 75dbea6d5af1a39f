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
from genrecall.decode.base import Beams
from genrecall.generator.prompts import Prompt
from genrecall.offline.requests import DistinctRequests, request_key


class GeneratedAnswers:
    """What a generative channel says of requests, once and for all; a `Channel` for these.

    Args:
        channel: answers.
        k: items of an answer at most.
        widths: which requests are searched at which number of beams, beside what their answer
            needs.

    Attributes:
        channel: the one that has answered.
        widest: the largest of the numbers of beams.

    Raises:
        ValueError: a request with filters.
    """

    def __init__(
        self, channel: GenerativeChannel, k: int, widths: Mapping[int, Sequence[Request]]
    ) -> None:
        self.channel = channel
        self.widest = max(widths)
        self._k = k
        distinct = {request_key(request): request for group in widths.values() for request in group}
        self._place = {key: row for row, key in enumerate(distinct)}
        wanted = {width: np.unique(self._rows(group)) for width, group in widths.items()}
        self._beams = {width: _padding(len(distinct), width) for width in widths}
        self._rankings: list[Ranking] = []
        self._prompts: list[Prompt] = []
        queries = [np.empty((0, channel.items.views.shape[1]), dtype=np.float32)]
        for read in channel.read(list(distinct.values())):
            first = len(self._rankings)
            self._rankings += channel.rank_read(read, k)
            self._prompts += read.reading.prompts
            queries.append(read.reading.queries)
            for width, rows in wanted.items():
                of_part = rows[(rows >= first) & (rows < first + len(read))]
                found = channel.search(read, width, of_part - first)
                self._beams[width].leaves[of_part] = found.leaves
                self._beams[width].logprob[of_part] = found.logprob
        self._queries = np.concatenate(queries)  # (n, D)

    def __len__(self) -> int:
        return len(self._place)

    @property
    def name(self) -> str:
        """Name in metrics and logs."""
        return self.channel.name

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`.

        Raises:
            ValueError: another `k` than was answered, or a request that was not read.
        """
        if k != self._k:
            raise ValueError(f"k={k}, and these answers were made with k={self._k}.")
        return [self._rankings[row] for row in self._rows(requests).tolist()]

    def generate(self, requests: Sequence[Request], beam: int) -> Beams:
        """The most probable SIDs at one of the widths, `[n, beam]`.

        Raises:
            ValueError: another width, or a request that was not read.
        """
        if beam not in self._beams:
            made = ", ".join(map(str, self._beams))
            raise ValueError(f"beam={beam}, and these answers were searched with {made} beams.")
        rows, beams = self._rows(requests), self._beams[beam]
        return Beams(beams.leaves[rows], beams.logprob[rows])

    def encode(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The requests' vectors in the space of the items' views, float32 `[n, D]`.

        Raises:
            ValueError: a request that was not read.
        """
        return self._queries[self._rows(requests)]

    def prompt(self, request: Request) -> Prompt:
        """What the generator has read of a request.

        Raises:
            ValueError: the request was not read.
        """
        return self._prompts[int(self._rows([request])[0])]

    def _rows(self, requests: Sequence[Request]) -> NDArray[np.int64]:
        keys = [request_key(request) for request in requests]
        if unread := [key for key in keys if key not in self._place]:
            raise ValueError(f"{unread[0]} was not read; these answers are of {len(self)} others.")
        return np.array([self._place[key] for key in keys], dtype=np.int64)


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


def _padding(n: int, width: int) -> Beams:
    return Beams(
        np.full((n, width), -1, dtype=np.int64), np.full((n, width), -np.inf, dtype=np.float32)
    )
