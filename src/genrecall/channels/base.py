"""What a recall channel is: requests in, rankings of catalog rows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.calibration import shares
from genrecall.data.shoppers import Shopper
from genrecall.data.values.convert import shorten
from genrecall.decode.base import Beams
from genrecall.foundation.arguments import known_names, plain, texts, whole_number
from genrecall.foundation.errors import RequestError

if TYPE_CHECKING:
    from genrecall.data.filters.items import Filters

LONGEST_QUERY: Final = 1_000
"""Characters of a query at most: longer ones are not typed, and reading them takes its time."""


@dataclass(frozen=True, init=False)
class Request:
    """One search.

    Args:
        query: what the shopper typed.
        shopper: who; also as a mapping with `profile` and `history`. None for an unknown shopper.
        filters: what the answer must satisfy.

    Attributes:
        query: as given.
        shopper: with profile and history.
        filters: as given.

    Raises:
        RequestError: of another type.

    >>> Request("drill", {"history": ["i7"]}).shopper
    Shopper(profile=(), history=('i7',))
    """

    query: str
    shopper: Shopper | None
    filters: Filters | None = field(hash=False)

    def __init__(
        self,
        query: str,
        shopper: Shopper | Mapping[str, Any] | None = None,
        filters: Filters | None = None,
    ) -> None:
        if not isinstance(query, str):
            raise RequestError(f"the query {query!r} is not text; give what the shopper typed.")
        if filters is not None and not isinstance(filters, Mapping):
            raise RequestError(
                f"filters {filters!r} must map fields to conditions, such as "
                "{'price': {'lte': 50}}."
            )
        object.__setattr__(self, "query", query)
        object.__setattr__(self, "shopper", None if shopper is None else Shopper.of(shopper))
        object.__setattr__(self, "filters", filters)

    @classmethod
    def of(cls, given: object) -> Request:
        """A search that is given as one, as its query, or as a mapping of its parts.

        Raises:
            RequestError: it is none of these.

        >>> Request.of({"query": "drill", "filters": {"brand": "Acme"}})
        Request(query='drill', shopper=None, filters={'brand': 'Acme'})
        """
        if isinstance(given, Request):
            return given
        if isinstance(given, str):
            return cls(given)
        if not isinstance(given, Mapping):
            raise RequestError(
                f"{given!r} is no search; give a Request, a query, or a mapping such as "
                "{'query': 'drill', 'filters': {'brand': 'Acme'}}."
            )
        parts = known_names("part of a request", given, ("query", "shopper", "filters"))
        if "query" not in parts:
            raise RequestError(f"the request {given!r} has no query; give what the shopper typed.")
        return cls(**parts)


@dataclass(frozen=True)
class Page:
    """Which part of an answer is wanted, and what of each item.

    Attributes:
        k: items at most.
        offset: how many items of the answer stand before them.
        min_score: the least score of an item; None for any.
        fields: columns of the catalog, or attributes of its items, that each item shows; the
            channel knows which there are.

    Raises:
        RequestError: of another type, or below its least value.
    """

    k: int = 100
    offset: int = 0
    min_score: float | None = None
    fields: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_k(self.k)
        if whole_number("offset", self.offset, least=0) < 0:
            raise RequestError(f"offset={self.offset} is below 0; give an offset of at least 0.")
        least = plain(self.min_score)
        if least is not None and (
            isinstance(least, bool) or not isinstance(least, int | float) or least != least
        ):
            raise RequestError(f"min_score={least!r} is not a number; give one, or None for any.")
        named = texts("fields", self.fields, such_as="['brand', 'price']")
        # As JSON has them, and no field twice.
        object.__setattr__(self, "k", int(self.k))
        object.__setattr__(self, "offset", int(self.offset))
        object.__setattr__(self, "min_score", least)
        object.__setattr__(self, "fields", tuple(dict.fromkeys(named)))

    @property
    def depth(self) -> int:
        """Items of the answer that have to be known."""
        return self.k + self.offset

    def part(self, ranking: Ranking) -> slice:
        """Which items of a ranking, of which `depth` at most are known, stand on the page."""
        kept = len(ranking.rows)
        if self.min_score is not None:
            kept = int(np.count_nonzero(ranking.told >= self.min_score))
        return slice(min(self.offset, kept), min(self.depth, kept))


@dataclass(frozen=True, eq=False)
class Ranking:
    """Items in order, best first, each once.

    Attributes:
        rows: catalog rows, int32 `[n]`, `n <= k`.
        scores: not increasing, float32 `[n]`; comparable within one ranking only, unless they are
            log-odds.
        beams: the SIDs that were searched for it, `[B]`; None for a channel without beams.
        known: whether the channel knows a word of the query; one that it does not know means
            nothing and has no answer.
        calibrated: whether the scores are the log-odds that an item is relevant.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float32]
    beams: Beams | None = None
    known: bool = True
    calibrated: bool = False

    @property
    def told(self) -> NDArray[np.float32]:
        """The scores as answers tell them, float32 `[n]`: calibrated ones as shares, 0 to 1."""
        return shares(self.scores) if self.calibrated else self.scores

    @classmethod
    def of_nothing(cls) -> Ranking:
        """The answer to a query of which nothing is known."""
        return cls(np.empty(0, np.int32), np.empty(0, np.float32), known=False)


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
        RequestError: something else than a request, an empty query, or `k < 1`.
    """
    check_k(k)
    for place, request in enumerate(requests):
        if not isinstance(request, Request):
            raise RequestError(
                f"request {place} is {request!r} and no Request; `recall_many` also takes queries "
                "and mappings."
            )
        if not request.query.strip():
            raise RequestError(
                f"the query {request.query!r} of request {place} is empty; give at least one word."
            )


def check_k(k: int) -> None:
    """Refuse what is no number of items.

    Raises:
        RequestError: not a whole number, or below 1.
    """
    if whole_number("k", k, least=1) < 1:
        raise RequestError(f"k={k} asks for no item; give k of at least 1.")


def check_lengths(requests: Sequence[Request]) -> None:
    """Refuse queries that nobody types.

    Raises:
        RequestError: a query has more than `LONGEST_QUERY` characters.
    """
    for place, request in enumerate(requests):
        if (length := len(request.query)) > LONGEST_QUERY:
            raise RequestError(
                f"the query {shorten(request.query)} of request {place} has {length:,} characters; "
                f"give at most {LONGEST_QUERY:,}."
            )
