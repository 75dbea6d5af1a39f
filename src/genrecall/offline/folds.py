"""A generative channel of which each fold of queries has its own, whose weights never saw it.

Shapes: `n` requests, `B` beams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking, Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.splits import fold_of_query
from genrecall.decode.base import Beams
from genrecall.foundation.progress import Progress, RunLog, SilentLog
from genrecall.index.live import LiveItems

Answer = TypeVar("Answer")

_AT_ONCE: Final = 256  # requests between two reports


class FoldedChannel:
    """Answers each request by the channel of its query's fold; a `Channel`.

    Args:
        channels: of each fold, over the same items; a single one answers all.
        log: where to report how far it is; None for nowhere.
        what: answers, in that report.
    """

    def __init__(
        self,
        channels: Sequence[GenerativeChannel],
        *,
        log: RunLog | None = None,
        what: str = GenerativeChannel.name,
    ) -> None:
        self.channels = channels
        self._log, self._what = log or SilentLog(), what

    @property
    def name(self) -> str:
        """Name in metrics and logs."""
        return self.channels[0].name

    @property
    def items(self) -> LiveItems:
        """What can be answered with, as the generator sees it."""
        return self.channels[0].items

    def folds(self, requests: Sequence[Request]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Which of the requests each fold answers, int64; folds without any are left out."""
        number = np.array(
            [fold_of_query(request.query, len(self.channels)) for request in requests],
            dtype=np.int64,
        )
        for fold in np.unique(number).tolist():
            yield fold, np.flatnonzero(number == fold)

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""
        return self._ask(requests, lambda channel, part: channel.rank(part, k), "items")

    def generate(self, requests: Sequence[Request], beam: int) -> Beams:
        """See `GenerativeChannel.generate`."""
        found = self._ask(
            requests, lambda channel, part: list(channel.generate(part, beam)), "SIDs"
        )
        return Beams.join([Beams(of.leaves[None], of.logprob[None]) for of in found], beam)

    def _ask(
        self,
        requests: Sequence[Request],
        ask: Callable[[GenerativeChannel, Sequence[Request]], Sequence[Answer]],
        wanted: str,
    ) -> list[Answer]:
        answers: dict[int, Answer] = {}
        name = f"{self._what}, {wanted}"
        progress = Progress(self._log, name, total=len(requests), unit="requests")
        for fold, places in self.folds(requests):
            for start in range(0, len(places), _AT_ONCE):
                part = places[start : start + _AT_ONCE].tolist()
                said = ask(self.channels[fold], [requests[place] for place in part])
                answers.update(zip(part, said, strict=True))
                progress.update(len(part))
        progress.finish()
        return [answers[place] for place in range(len(requests))]
