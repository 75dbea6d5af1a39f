"""The generative channel in an evaluation: each distinct request is read once.

Everything that is measured of the channel comes from that reading: its answers, its beams at each
width, what its parts say alone, and the vectors that the control without SIDs searches with.

Shapes: `M` searches, `n` requests, `B` beams, `D` size of the views.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking, Request
from genrecall.channels.generative import GenerativeChannel, ReadRequests
from genrecall.channels.learned_order import AskedQuery
from genrecall.data.tables import Rows
from genrecall.decode.base import Beams
from genrecall.foundation.progress import Progress, RunLog, SilentLog
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.prompts import Prompt
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.requests import DistinctRequests, request_key


class _Said:
    """What one channel says of requests that were read.

    Args:
        n: requests.
        widths: which of them are searched at which number of beams.
    """

    def __init__(self, n: int, widths: Mapping[int, NDArray[np.int64]]) -> None:
        self.rankings: dict[int, Ranking] = {}
        self.beams = {width: _padding(n, width) for width in widths}
        self.wanted = widths

    def add(
        self, channel: GenerativeChannel, read: ReadRequests, rows: NDArray[np.int64], k: int
    ) -> None:
        """Answer those of the read requests that are wanted, and search them at their widths.

        Args:
            channel: says it.
            read: some of the requests.
            rows: their places among all, int64 `[len(read)]`.
            k: items of an answer at most.
        """
        part = np.flatnonzero(np.isin(rows, np.concatenate(list(self.wanted.values()))))
        answers = channel.rank_read(read, k, part)
        self.rankings.update(zip(rows[part].tolist(), answers, strict=True))
        for width, wanted in self.wanted.items():
            part = np.flatnonzero(np.isin(rows, wanted))
            found = channel.search(read, width, part)
            self.beams[width].leaves[rows[part]] = found.leaves
            self.beams[width].logprob[rows[part]] = found.logprob


class Control:
    """A channel with other weights, asked of the same reading; a `Channel` for these requests.

    Args:
        name: in metrics and logs.
        said: what it says.
        rows: places of requests in that.
        k: items of an answer at most.
    """

    def __init__(
        self,
        name: str,
        said: _Said,
        rows: Callable[[Sequence[Request]], NDArray[np.int64]],
        k: int,
    ) -> None:
        self.name = name
        self._said, self._rows, self._k = said, rows, k

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`.

        Raises:
            ValueError: another `k` than was answered, or a request that was not asked.
        """
        if k != self._k:
            raise ValueError(f"k={k}, and these answers were made with k={self._k}.")
        rows = self._rows(requests).tolist()
        if unasked := [n for n, row in enumerate(rows) if row not in self._said.rankings]:
            raise ValueError(f"{self.name} was not asked {request_key(requests[unasked[0]])}.")
        return [self._said.rankings[row] for row in rows]

    def generate(self, requests: Sequence[Request], beam: int) -> Beams:
        """The most probable SIDs at one of the widths, `[n, beam]`.

        Raises:
            ValueError: another width, or a request that was not searched at it.
        """
        if beam not in self._said.beams:
            made = ", ".join(map(str, self._said.beams))
            raise ValueError(f"beam={beam}, and these answers were searched with {made} beams.")
        rows, beams = self._rows(requests), self._said.beams[beam]
        if len(unasked := np.flatnonzero(~np.isin(rows, self._said.wanted[beam]))):
            key = request_key(requests[int(unasked[0])])
            raise ValueError(f"{key} was not searched with {beam} beams.")
        return Beams(beams.leaves[rows], beams.logprob[rows])


class GeneratedAnswers(Control):
    """What a generative channel says of requests, once and for all; a `Channel` for these.

    Args:
        channel: answers.
        k: items of an answer at most.
        widths: which requests are searched at which number of beams, beside what their answer
            needs.
        controls: the same channel with other weights of its parts, by name. They answer what is
            searched at the largest of the numbers of beams.
        log: where to report how far it is.

    Attributes:
        channel: the one that has answered.
        widest: the largest of the numbers of beams.
        controls: what they say, by name.
    """

    def __init__(
        self,
        channel: FoldedChannel,
        k: int,
        widths: Mapping[int, Sequence[Request]],
        controls: Mapping[str, FoldedChannel] | None = None,
        *,
        log: RunLog | None = None,
    ) -> None:
        self.channel = channel
        self.widest = max(widths)
        distinct = {request_key(request): request for group in widths.values() for request in group}
        self._place = {key: row for row, key in enumerate(distinct)}
        wanted = {width: np.unique(self._find(group)) for width, group in widths.items()}
        said = _Said(len(distinct), wanted)
        super().__init__(channel.name, said, self._find, k)
        compared = {self.widest: wanted[self.widest]}
        others = {name: _Said(len(distinct), compared) for name in controls or {}}
        self.controls = {name: Control(name, of, self._find, k) for name, of in others.items()}
        self._prompts: dict[int, Prompt] = {}
        self._chosen: dict[int, Rows] = {}
        self._queries = np.empty((len(distinct), channel.items.views.shape[1]), dtype=np.float32)
        requests = list(distinct.values())
        progress = Progress(log or SilentLog(), "read", total=len(requests), unit="requests")
        for fold, rows in channel.folds(requests):
            first = 0
            for read in channel.channels[fold].read([requests[row] for row in rows.tolist()]):
                at = rows[first : first + len(read)]
                first += len(read)
                said.add(channel.channels[fold], read, at, k)
                self._prompts.update(zip(at.tolist(), read.reading.prompts, strict=True))
                self._chosen.update(zip(at.tolist(), read.chosen, strict=True))
                self._queries[at] = read.reading.queries
                for name, control in (controls or {}).items():
                    other = control.channels[fold]
                    others[name].add(other, reread(other, read), at, k)
                progress.update(len(read))
        progress.finish()

    def __len__(self) -> int:
        return len(self._place)

    def encode(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The requests' vectors in the space of the items' views, float32 `[n, D]`.

        Raises:
            ValueError: a request that was not read.
        """
        return self._queries[self._find(requests)]

    def prompt(self, request: Request) -> Prompt:
        """What the generator has read of a request.

        Raises:
            ValueError: the request was not read.
        """
        return self._prompts[int(self._find([request])[0])]

    def asked(self, request: Request) -> AskedQuery:
        """The request as the item order sees it.

        Raises:
            ValueError: the request was not read.
        """
        place = int(self._find([request])[0])
        return AskedQuery(self._prompts[place].text, self._queries[place], self._chosen[place])

    def _find(self, requests: Sequence[Request]) -> NDArray[np.int64]:
        keys = [request_key(request) for request in requests]
        if unread := [key for key in keys if key not in self._place]:
            raise ValueError(f"{unread[0]} was not read; these answers are of {len(self)} others.")
        return np.array([self._place[key] for key in keys], dtype=np.int64)


def reread(channel: GenerativeChannel, read: ReadRequests) -> ReadRequests:
    """What a channel makes of requests that one with other weights of its parts has read."""
    assert isinstance(channel.generator, CompactGenerator)  # no other one has parts
    return replace(read, reading=channel.generator.reread(read.reading))


class Answers(NamedTuple):
    """What a generative channel says of searches.

    Attributes:
        rankings: of the items, one per search.
        sids: the most probable ones of each search, best first, int64 `[M, B]`; -1 is padding.
    """

    rankings: list[Ranking]
    sids: NDArray[np.int64]


def answer_searches(
    channel: FoldedChannel, requests: DistinctRequests, k: int, beam: int
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
