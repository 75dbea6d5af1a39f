"""From rankings of catalog rows to answers with items: the door that library users go through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from genrecall.channels.answer import Answer, Hit
from genrecall.channels.base import Page, Ranking, Request, check_lengths
from genrecall.channels.fields import check_fields, read_fields
from genrecall.data.filters.no_hits import NoHits
from genrecall.data.shoppers import Shopper
from genrecall.data.values.convert import shorten
from genrecall.foundation.errors import RequestError
from genrecall.foundation.sid import Sid
from genrecall.index.live import LiveItems
from genrecall.queries.reader import QueryReader

if TYPE_CHECKING:
    from genrecall.data.filters.items import Filters

_UNCALIBRATED: Final = (
    "min_score: scores of this channel are not calibrated, so they mean something else in every "
    "answer"
)
_NO_WORD: Final = (
    "no item, and no frequent query, has a word of the query: these are the nearest by letters and "
    "meaning"
)


class RecallChannel(ABC):
    """A channel that also answers with ids and titles.

    Attributes:
        items: what it answers with.
        reader: what it takes a query to say.
    """

    items: LiveItems
    reader: QueryReader

    @abstractmethod
    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""

    def recall(
        self,
        query: str,
        *,
        user: Shopper | Mapping[str, Any] | None = None,
        k: int = 100,
        filters: Filters | None = None,
        offset: int = 0,
        min_score: float | None = None,
        fields: Sequence[str] = (),
    ) -> list[Hit]:
        """The best live items for one query.

        Args:
            query: what was typed, at most `LONGEST_QUERY` characters.
            user: the shopper's profile and history; ids that the catalog does not have are read
                over. A channel other than the generative one reads nothing of it.
            k: items at most.
            filters: what they must satisfy.
            offset: leave out so many of the best: the second page of 20 has an offset of 20. The
                search is as wide as both need, so very long pages may overlap.
            min_score: the least score. Where scores are calibrated (`Answer.calibrated`), it is the
                least share of such items that is relevant, and comparable between answers; else
                within one answer only, and a note says so.
            fields: columns of the catalog to show in each hit, such as `["brand", "price"]`, and
                attributes, by `KEY` or `attributes.KEY` as in filters.

        Raises:
            RequestError: an empty or too long query, `k < 1`, an unknown field of the profile or of
                an item, or something of another type.
            FilterError: an unknown field or unusable condition.
        """
        page = Page(k, offset, min_score, fields)
        (answer,) = self._answers([Request(query, user, filters)], page)
        return list(answer.hits)

    def recall_many(
        self,
        requests: Iterable[Request | Mapping[str, Any] | str],
        k: int = 100,
        *,
        offset: int = 0,
        min_score: float | None = None,
        fields: Sequence[str] = (),
    ) -> list[Answer]:
        """The best live items of many searches, each answered as it would be alone.

        Args:
            requests: the searches: each a `Request`, a mapping of its parts, or its query alone.
            k: items of each at most.
            offset: as in `recall`, as are the others.
            min_score: likewise.
            fields: likewise.

        Returns:
            An answer for each, in order; one without items says why.

        Raises:
            RequestError: see `recall`.
            FilterError: an unknown field or unusable condition.
        """
        if isinstance(requests, str | bytes | Mapping) or not isinstance(requests, Iterable):
            raise RequestError(
                f"requests={requests!r} is not a list of searches; give one, such as ['drill']."
            )
        page = Page(k, offset, min_score, fields)
        return self._answers([Request.of(given) for given in requests], page)

    def _answers(self, requests: Sequence[Request], page: Page) -> list[Answer]:
        notes = self._check(requests, page)
        rankings = self.rank(requests, page.depth)
        return [
            self.answer_with(request, ranking, page, of_request)
            for request, ranking, of_request in zip(requests, rankings, notes, strict=True)
        ]

    def _check(self, requests: Sequence[Request], page: Page) -> list[Sequence[str]]:
        """As `check`, of requests and what is to be shown of their answers."""
        check_fields(self.items, page.fields)
        return self.check(requests)

    def check(self, requests: Sequence[Request]) -> list[Sequence[str]]:
        """Refuse requests that cannot be meant so, and note what of the others changes nothing.

        Returns:
            Notes on each request.

        Raises:
            RequestError: a query is too long.
        """
        check_lengths(requests)
        return [()] * len(requests)

    def answer_with(
        self, request: Request, ranking: Ranking, page: Page, notes: Sequence[str]
    ) -> Answer:
        """A page of a ranking as an answer.

        Args:
            request: what was searched.
            ranking: its items, `page.depth` at most.
            page: which part is wanted.
            notes: on the request.
        """
        part = page.part(ranking)
        hits = self._hits(ranking, page, part)
        why = None if hits else self._why_none(request, ranking, kept=part.stop)
        read = self.reader.read(request.query)
        if page.min_score is not None and len(ranking.rows) and not ranking.calibrated:
            notes = (*notes, _UNCALIBRATED)
        if hits and not read.known:
            notes = (*notes, _NO_WORD)
        return Answer(
            request.query,
            hits,
            no_hits=why,
            notes=notes,
            changes=read.changes,
            calibrated=ranking.calibrated,
        )

    def _hits(self, ranking: Ranking, page: Page, part: slice) -> list[Hit]:
        catalog, rows = self.items.catalog, ranking.rows[part]
        codes = self.items.table.codes[rows].tolist()
        shown = read_fields(self.items, page.fields, rows)
        return [
            Hit(
                item_id=catalog.item_ids[row],
                title=catalog.titles[row],
                score=score,
                rank=page.offset + place + 1,
                sid=Sid(*codes[place]),
                fields={name: values[place] for name, values in shown.items()},
            )
            for place, (row, score) in enumerate(
                zip(rows.tolist(), ranking.told[part].tolist(), strict=True)
            )
        ]

    def _why_none(self, request: Request, ranking: Ranking, *, kept: int) -> NoHits:
        if not ranking.known:
            query = shorten(request.query)
            return NoHits("unknown_words", f"no word of {query} is known; try others")
        if kept:
            return NoHits("offset", f"the page starts behind the {kept:,} items of the answer")
        if len(ranking.rows):
            best = float(ranking.told[0])
            return NoHits("min_score", f"the best item scores {best:.4g}, less than min_score")
        return self.items.why_none(request.filters) or NoHits(
            "no_match", "items pass the filters, and the query finds none of them; try other words"
        )
