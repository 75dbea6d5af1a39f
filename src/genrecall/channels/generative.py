"""The generative channel: query → SIDs by constrained beam search → the live items behind them.

A request is read once. What its answer needs is made of that reading: the beams, wider beams where
they hold too few items, the order of the items, and the explanation.

Shapes: `Q` requests, `B` beams, `N` items, `D` size of the views.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.answer import Answer, Beam
from genrecall.channels.base import Page, Ranking, Request, check_lengths, check_requests
from genrecall.channels.config import BeamsConfig, GenerativeConfig
from genrecall.channels.learned_order import AskedQuery, LearnedOrder
from genrecall.channels.recall import RecallChannel
from genrecall.channels.shopper import check_shopper
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import Rows
from genrecall.decode.base import BeamRule, Beams
from genrecall.decode.engines import engine_of
from genrecall.foundation.arguments import whole_number
from genrecall.foundation.errors import RequestError
from genrecall.foundation.sid import Sid
from genrecall.generator.base import Generator, Reading
from genrecall.generator.prompts import Prompt
from genrecall.index.order import Ordered, fold_variants, order_items
from genrecall.queries.reader import AS_TYPED, QueryReader

_AT_ONCE: Final = 64  # requests read and searched together: bounds the memory of the beams

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ReadRequests:
    """Requests that were read, ready for any number of searches.

    Attributes:
        reading: of the generator, `Q` prompts.
        masks: items that each may be answered with, bool `[N]`; None for all. Requests with one
            and the same `filters` share one.
        valid: SIDs that each may generate, bool `[S]`; shared likewise.
        chosen: catalog rows of what each one's shopper has chosen before, each once.
    """

    reading: Reading[Any]
    masks: Sequence[Mask | None]
    valid: Sequence[Mask]
    chosen: Sequence[Rows]

    def __len__(self) -> int:
        return len(self.masks)

    def asked(self, row: int) -> AskedQuery:
        """One of them as the item order sees it."""
        reading = self.reading
        return AskedQuery(reading.prompts[row].text, reading.queries[row], self.chosen[row])


class GenerativeChannel(RecallChannel):
    """Recall by generated SIDs.

    Args:
        generator: scores SIDs of its items.
        config: beam widths and item order.
        reader: what it takes a query to say.
        learned: for the item order of that name; None where nothing was fitted.

    Attributes:
        items: what can be answered with, as the generator sees it.
        learned: the item order that serves; None where none was fitted, or another one is set.
    """

    name: Final = "generative"

    def __init__(
        self,
        generator: Generator[Any],
        config: GenerativeConfig,
        *,
        reader: QueryReader = AS_TYPED,
        learned: LearnedOrder | None = None,
    ) -> None:
        self.generator, self.reader = generator, reader
        self.learned = learned if config.order == "learned" else None
        self.items = generator.items
        self._engine = engine_of(generator)
        self._config = config

    def answer(
        self,
        request: Request | Mapping[str, Any] | str,
        k: int = 100,
        *,
        beams: int = 10,
        titles: int = 3,
        offset: int = 0,
        min_score: float | None = None,
        fields: Sequence[str] = (),
    ) -> Answer:
        """The best live items, and the SIDs that they were found behind, of one search.

        Args:
            request: what was searched.
            k: items at most.
            beams: SIDs to explain at most, the most probable ones.
            titles: of an explained SID at most.
            offset: as in `recall`, as are the others.
            min_score: likewise.
            fields: likewise.

        Raises:
            RequestError: see `recall`; `beams < 1` or `titles < 0`.
            FilterError: an unknown field or unusable condition.
        """
        request, page = Request.of(request), Page(k, offset, min_score, fields)
        check_requests([request], k)
        if whole_number("beams", beams, least=1) < 1 or whole_number("titles", titles, least=0) < 0:
            raise RequestError(
                f"beams={beams}, titles={titles}: an explanation has at least one SID, and no or "
                "more titles of each."
            )
        (notes,) = self._check([request], page)
        (read,) = self.read([request])
        (ranking,) = self.rank_read(read, page.depth)
        assert ranking.beams is not None
        shown = Beams(ranking.beams.leaves[:beams], ranking.beams.logprob[:beams])
        explained = self.explain(shown, read.masks[0], titles=titles)
        return replace(self.answer_with(request, ranking, page, notes), beams=explained)

    def check(self, requests: Sequence[Request]) -> list[Sequence[str]]:
        """See `RecallChannel.check`; what a shopper tells must be something that is read.

        Raises:
            RequestError: also a shopper where the bundle reads none, or an unknown field of a
                profile.
        """
        check_lengths(requests)
        told = any(request.shopper is not None for request in requests)
        ids = self.items.catalog.row_of if told else ()
        return [check_shopper(request.shopper, self.generator.shopper, ids) for request in requests]

    def explain(self, beams: Beams, mask: Mask | None = None, *, titles: int = 3) -> list[Beam]:
        """SIDs of one search, with what stands behind them.

        Args:
            beams: of one request, `[B]`.
            mask: items that it may be answered with, bool `[N]`; None for all.
            titles: of each SID at most.
        """
        return [
            self._explain_beam(leaf, nats, mask, titles)
            for leaf, nats in zip(beams.leaves.tolist(), beams.logprob.tolist(), strict=True)
            if leaf >= 0
        ]

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`. A request whose beams hold too few items is searched wider.

        The widest is `max_beam`; each ranking carries the beams that were searched for it.

        A query without a known word has an empty answer.
        """
        check_requests(requests, k)
        return [ranking for read in self.read(requests) for ranking in self.rank_read(read, k)]

    def generate(self, requests: Sequence[Request], beam: int) -> Beams:
        """The most probable valid SIDs of each request.

        Raises:
            RequestError: an empty query, or `beam < 1`.
            FilterError: an unknown field or unusable condition.
        """
        check_requests(requests, 1)
        if whole_number("beam", beam, least=1) < 1:
            raise RequestError(f"beam={beam} generates no SID; give a beam of at least 1.")
        return Beams.join([self.search(read, beam) for read in self.read(requests)], beam)

    def read(self, requests: Sequence[Request]) -> Iterator[ReadRequests]:
        """Read requests, a part of them at a time, in their order.

        Raises:
            FilterError: an unknown field or unusable condition.
        """
        for start in range(0, len(requests), _AT_ONCE):
            part = requests[start : start + _AT_ONCE]
            allowed = self._allowed(part)
            prompts = [self._prompt(request) for request in part]
            reading = self.generator.read(prompts)
            # A query without a known word means nothing: it generates no SID, not the usual ones.
            nothing = np.zeros(len(self.items.trie), dtype=np.bool_)
            known = np.any(reading.queries, axis=1).tolist()
            valid = [
                sids if meant else nothing for meant, (_, sids) in zip(known, allowed, strict=True)
            ]
            # What is read of a history may be less than it.
            chosen = [np.array(prompt.history, dtype=np.int32) for prompt in prompts]
            yield ReadRequests(reading, [mask for mask, _ in allowed], valid, chosen)

    def rank_read(
        self, read: ReadRequests, k: int, rows: NDArray[np.int64] | None = None
    ) -> list[Ranking]:
        """See `rank`, of requests that were read.

        Args:
            read: the requests.
            k: items of an answer at most.
            rows: which of them, int64 `[Q]`; None for all.
        """
        rankings: dict[int, Ranking] = {}
        known = np.any(read.reading.queries, axis=1).tolist()
        asked = np.arange(len(read)) if rows is None else rows
        pending, most = [(self.first_rule(k), asked)], self._config.max_beam
        while pending:
            rule, rows = pending.pop()
            wider: dict[int, list[int]] = {}
            for row, beams in zip(rows.tolist(), self.search(read, rule, rows), strict=True):
                ordered = self.order(read.asked(row), beams, read.masks[row])
                rankings[row] = self._cut(ordered, k, beams, known=known[row])
                # As many beams as were asked for: there may be more SIDs.
                if len(ordered.rows) < k and beams.found in rule.widths and beams.found < most:
                    wider.setdefault(min(2 * beams.found, most), []).append(row)
            pending += [(BeamRule.of(width), np.array(of)) for width, of in wider.items()]
        return [rankings[row] for row in asked.tolist()]

    def search(
        self, read: ReadRequests, beam: int | BeamRule, rows: NDArray[np.int64] | None = None
    ) -> Beams:
        """The most probable valid SIDs of requests that were read.

        Args:
            read: the requests.
            beam: beams `B`, or a rule for them.
            rows: which of them, int64 `[Q]`; None for all.
        """
        valid = [read.valid[row] for row in (range(len(read)) if rows is None else rows.tolist())]
        shared = all(sids is valid[0] for sids in valid)
        return self._engine.search(
            read.reading,
            beam=beam,
            rows=rows,
            valid=(valid[0] if valid else None) if shared else np.stack(valid),
            min_level1=min(self._config.min_level1, BeamRule.of(beam).widths[0]),
        )

    def order(self, query: AskedQuery, beams: Beams, mask: Mask | None) -> Ordered:
        """All items behind the beams of one query, in the order of the answer.

        Args:
            query: as it was read.
            beams: of this query, `[B]`.
            mask: items that may be answered with, bool `[N]`; None for all.
        """
        posted = self.items.postings.items(beams.leaves, mask)
        if self._config.leave_out_chosen and len(query.chosen):
            posted = posted.of(np.isin(posted.rows, query.chosen, invert=True))
        rows, logprob, by = posted.rows, beams.logprob[posted.beam], self._config.order
        similarity: NDArray[np.floating[Any]] | None = None
        if self.learned is not None:
            similarity = self.learned.scores(query, self.items.views, rows, logprob)
        elif by in ("dense", "learned"):
            by, similarity = "dense", self.items.views.products(rows, query.vector)
        ordered = order_items(
            by,
            rows,
            logprob=logprob,
            score=self.items.efficiency[rows],
            similarity=similarity,
            beam_weight=self._config.beam_weight,
        )
        return fold_variants(ordered, self.items.groups) if self._config.fold_variants else ordered

    def _cut(self, ordered: Ordered, k: int, beams: Beams, *, known: bool) -> Ranking:
        rows, scores = ordered.rows[:k], ordered.scores[:k]
        calibration = None if self.learned is None else self.learned.fit.calibration
        if calibration is None:
            return Ranking(rows, scores, beams, known)
        return Ranking(rows, calibration.log_odds(scores), beams, known, calibrated=True)

    def _allowed(self, requests: Sequence[Request]) -> list[tuple[Mask | None, Mask]]:
        """Items and SIDs that requests may be answered with; the same for the same filters."""
        made: dict[int, tuple[Mask | None, Mask]] = {}
        for filters in (request.filters for request in requests):
            if id(filters) not in made:
                mask = self.items.mask(filters)
                made[id(filters)] = mask, self.items.postings.valid(mask)
        return [made[id(request.filters)] for request in requests]

    def _prompt(self, request: Request) -> Prompt:
        """What the generator is given: item ids of the history become catalog rows."""
        row_of = self.items.catalog.row_of
        shopper = request.shopper or Shopper()
        # Each item once, at its latest choice, as in training.
        latest_first = dict.fromkeys(reversed(shopper.history))
        history = tuple(row_of[item] for item in reversed(latest_first) if item in row_of)
        text = self.reader.read(request.query).text
        return Prompt(text, profile=shopper.profile, history=history)

    def depth(self, k: int) -> int:
        """Items that are put in order, if there are so many, for an answer of `k`."""
        return math.ceil(self._config.oversample * k)

    def first_beam(self, k: int) -> int:
        """Beams that hold these items if their clusters are of the usual size."""
        usual = self.items.postings.usual_size
        wanted = max(self._config.beam, math.ceil(self._config.oversample * k / usual))
        return min(wanted, max(self._config.max_beam, self._config.beam))

    def with_beams(self, beams: BeamsConfig | None) -> GenerativeChannel:
        """The same channel with other numbers of beams."""
        config = self._config.model_copy(update={"beams": beams})
        return GenerativeChannel(self.generator, config, reader=self.reader, learned=self.learned)

    def first_rule(self, k: int) -> BeamRule:
        """How many beams are searched first, by how sure the generator is of the first code."""
        beams = self._config.beams
        if beams is None:
            return BeamRule.of(self.first_beam(k))
        wanted = math.ceil(self.depth(k) / self.items.postings.usual_size)
        return BeamRule(beams.widths, beams.entropies).at_least(min(wanted, self._config.max_beam))

    def _explain_beam(self, leaf: int, logprob: float, mask: Mask | None, titles: int) -> Beam:
        items = self.items
        rows = items.postings.items(np.array([leaf]), mask).rows
        views = items.views[rows]
        central = np.argsort(-(views @ views.mean(axis=0)), kind="stable")[:titles]
        listed = items.catalog.frame["category"][rows].to_list()
        paths = [tuple(path) for path in listed if path]
        return Beam(
            sid=Sid(*items.trie.sids[leaf].tolist()),
            logprob=logprob,
            items=len(rows),
            category=max(sorted(set(paths)), key=paths.count) if paths else None,
            titles=tuple(items.catalog.titles[row] for row in rows[central].tolist()),
        )
