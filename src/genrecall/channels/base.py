"""What a recall channel is: requests in, rankings of catalog rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genrecall.data.shoppers import Shopper
from genrecall.decode.base import Beams
from genrecall.foundation.errors import RequestError
from genrecall.index.filters import Filters


@dataclass(frozen=True)
class Request:
    """One search.

    Attributes:
        query: what the shopper typed.
        shopper: who, with profile and history; None for an unknown shopper.
        filters: what the answer must satisfy.
    """

    query: str
    shopper: Shopper | None = None
    filters: Filters | None = None


@dataclass(frozen=True, eq=False)
class Ranking:
    """Items in order, best first, each once.

    Attributes:
        rows: catalog rows, int32 `[n]`, `n <= k`.
        scores: not increasing, float32 `[n]`; comparable within one ranking only.
        beams: the SIDs that were searched for it, `[B]`; None for a channel without beams.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float32]
    beams: Beams | None = None


class Channel(Protocol):
    """One source of candidates."""

    @property
    def name(self) -> str:
        """Name in metrics and logs."""

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """The best `k` live items of each request that pass its filters.

        A batch answers as its requests would one by one.

        Raises:
            RequestError: an empty query, or `k < 1`.
            FilterError: an unknown field or unusable condition.
        """


def check_requests(requests: Sequence[Request], k: int) -> None:
    """Refuse what no channel can answer.

    Raises:
        RequestError: an empty query, or `k < 1`.
    """
    if k < 1:
        raise RequestError(f"k={k} asks for no item; give k of at least 1.")
    for place, request in enumerate(requests):
        if not request.query.strip():
            raise RequestError(
                f"the query {request.query!r} of request {place} is empty; give at least one word."
            )
