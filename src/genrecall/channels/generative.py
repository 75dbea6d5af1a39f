"""The generative channel: query → SIDs by constrained beam search → the live items behind them.

Shapes: `Q` requests, `B` beams, `N` items, `S` SIDs, `D` vector size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.answer import Beam, Hit
from genrecall.channels.base import Ranking, Request, check_requests
from genrecall.channels.config import GenerativeConfig
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import Catalog
from genrecall.decode.base import Beams
from genrecall.decode.reference import search
from genrecall.foundation.errors import RequestError
from genrecall.foundation.sid import Sid
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Generator
from genrecall.generator.prompts import Prompt
from genrecall.index.filters import Filters
from genrecall.index.live import Eligible
from genrecall.index.order import Ordered, fold_variants, group_numbers, order_items
from genrecall.index.postings import Postings

_AT_ONCE: Final = 64  # requests searched together: bounds the memory of the beams


class GenerativeChannel:
    """Recall by generated SIDs.

    Args:
        generator: scores SIDs.
        catalog: the items.
        postings: SID → live items.
        vectors: of the items, float32 `[N, D]`.
        read: prompts to those with what the generator reads of their shoppers.
        encode: such prompts to unit vectors, float32 `[Q, D]`.
        eligible: which items may be answered with.
        config: beam widths and item order.
    """

    name: Final = "generative"

    def __init__(
        self,
        generator: Generator[Any],
        *,
        catalog: Catalog,
        postings: Postings,
        vectors: NDArray[np.float32],
        read: Callable[[Sequence[Prompt]], list[Prompt]],
        encode: Callable[[Sequence[Prompt]], NDArray[np.float32]],
        eligible: Eligible,
        config: GenerativeConfig,
    ) -> None:
        table = postings.table
        self.catalog = catalog
        self.postings = postings
        self.trie = Trie(table.space, table.packed)
        self.generator = generator
        self.vectors = vectors
        self.read = read
        self._encode_prompts = encode
        self._eligible = eligible
        self._config = config
        self._efficiency = catalog.frame["score"].to_numpy().astype(np.float64)
        self._groups = group_numbers(catalog.frame["group_id"]) if config.fold_variants else None

    def recall(
        self,
        query: str,
        *,
        user: Shopper | None = None,
        k: int = 100,
        filters: Filters | None = None,
    ) -> list[Hit]:
        """The best `k` live items for one query.

        Args:
            query: what was typed.
            user: the shopper's profile and history; a history of items that the catalog does not
                have is read without them.
            k: items at most.
            filters: what they must satisfy.

        Raises:
            RequestError: an empty query, or `k < 1`.
            FilterError: an unknown field or unusable condition.
        """
        ranking = self.rank([Request(query, shopper=user, filters=filters)], k)[0]
        codes = self.postings.table.codes
        return [
            Hit(
                item_id=self.catalog.item_ids[row],
                title=self.catalog.titles[row],
                score=score,
                rank=rank,
                sid=Sid(*codes[row].tolist()),
            )
            for rank, (row, score) in enumerate(
                zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True), start=1
            )
        ]

    def encode(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Unit vectors of requests in the space of `vectors`, float32 `[Q, D]`."""
        return self._encode_prompts(self.prompts(requests))

    def prompts(self, requests: Sequence[Request]) -> list[Prompt]:
        """What the generator reads of requests: item ids of histories become catalog rows."""
        row_of = self.catalog.row_of
        prompts = []
        for request in requests:
            shopper = request.shopper or Shopper()
            # Each item once, at its latest choice, as in training.
            latest_first = dict.fromkeys(reversed(shopper.history))
            history = tuple(row_of[item] for item in reversed(latest_first) if item in row_of)
            prompts.append(Prompt(request.query, profile=shopper.profile, history=history))
        return self.read(prompts)

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`. A request whose beams hold too few items is searched wider.

        The widest is `max_beam`; each ranking says how many beams were searched for it.

        A query without a known word has an empty answer.
        """
        check_requests(requests, k)
        masks = [self._eligible.mask(request.filters) for request in requests]
        rankings: list[Ranking | None] = [None] * len(requests)
        open_requests, beam = list(range(len(requests))), self._first_beam(k)
        while open_requests:
            still_open: list[int] = []
            for start in range(0, len(open_requests), _AT_ONCE):
                part = open_requests[start : start + _AT_ONCE]
                prompts = self.prompts([requests[i] for i in part])
                queries = self._encode_prompts(prompts)
                beams = self._search(prompts, queries, [masks[i] for i in part], beam)
                for row, i in enumerate(part):
                    leaves, logprob = beams.leaves[row], beams.logprob[row]
                    ordered = self.answer(queries[row], leaves, logprob, masks[i])
                    ranking = Ranking(ordered.rows[:k], ordered.scores[:k], beams=beam)
                    exhausted = leaves[-1] < 0 or beam >= self._config.max_beam
                    if len(ranking.rows) < k and not exhausted:
                        still_open.append(i)
                    rankings[i] = ranking
            open_requests, beam = still_open, min(2 * beam, self._config.max_beam)
        return [ranking for ranking in rankings if ranking is not None]

    def generate(self, requests: Sequence[Request], beam: int) -> Beams:
        """The most probable valid SIDs of each request.

        Raises:
            RequestError: an empty query, or `beam < 1`.
            FilterError: an unknown field or unusable condition.
        """
        check_requests(requests, 1)
        if beam < 1:
            raise RequestError(f"beam={beam} generates no SID; give a beam of at least 1.")
        parts = []
        for start in range(0, len(requests), _AT_ONCE):
            part = requests[start : start + _AT_ONCE]
            prompts = self.prompts(part)
            queries = self._encode_prompts(prompts)
            masks = [self._eligible.mask(request.filters) for request in part]
            parts.append(self._search(prompts, queries, masks, beam))
        return Beams(
            leaves=np.concatenate([np.empty((0, beam), np.int64), *(b.leaves for b in parts)]),
            logprob=np.concatenate([np.empty((0, beam), np.float32), *(b.logprob for b in parts)]),
        )

    def explain(self, request: Request, *, beam: int = 10, titles: int = 3) -> list[Beam]:
        """What the generator thinks of a query: its best SIDs with what stands behind them."""
        beams = self.generate([request], beam)
        mask = self._eligible.mask(request.filters)
        explained = []
        for leaf, logprob in zip(beams.leaves[0], beams.logprob[0], strict=True):
            if leaf >= 0:
                rows = self.postings.items(np.array([leaf]), mask).rows
                explained.append(self._explain_beam(int(leaf), float(logprob), rows, titles))
        return explained

    def _explain_beam(
        self, leaf: int, logprob: float, rows: NDArray[np.int32], titles: int
    ) -> Beam:
        vectors = self.vectors[rows]
        central = np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")[:titles]
        listed = self.catalog.frame["category"][rows].to_list()
        paths = [tuple(path) for path in listed if path]
        return Beam(
            sid=Sid(*self.trie.sids[leaf].tolist()),
            logprob=logprob,
            items=len(rows),
            category=max(sorted(set(paths)), key=paths.count) if paths else None,
            titles=tuple(self.catalog.titles[row] for row in rows[central].tolist()),
        )

    def _first_beam(self, k: int) -> int:
        """Beams that hold `oversample · k` items if their clusters are of the usual size."""
        live = self.postings.sizes[self.postings.sizes > 0]
        usual = float(live.mean()) if len(live) else 1.0
        wanted = max(self._config.beam, int(np.ceil(self._config.oversample * k / usual)))
        return min(wanted, max(self._config.max_beam, self._config.beam))

    def _search(
        self,
        prompts: Sequence[Prompt],
        queries: NDArray[np.float32],
        masks: Sequence[NDArray[np.bool_] | None],
        beam: int,
    ) -> Beams:
        known: NDArray[np.bool_] = np.any(queries, axis=1)
        if known.all() and all(mask is masks[0] for mask in masks):
            valid = self.postings.valid(masks[0])
        else:
            # A query without a known word means nothing: it generates no SID, not the usual ones.
            valid = np.stack([self.postings.valid(mask) for mask in masks]) & known[:, None]
        return search(
            self.generator,
            self.trie,
            prompts,
            beam=beam,
            valid=valid,
            min_level1=min(self._config.min_level1, beam),
        )

    def answer(
        self,
        query: NDArray[np.float32],
        leaves: NDArray[np.int64],
        logprob: NDArray[np.float32],
        mask: NDArray[np.bool_] | None,
    ) -> Ordered:
        """All items behind the beams of one query, in the order of the answer.

        Args:
            query: its vector, from `encode`, `[D]`.
            leaves: positions of the SIDs, negative ones are padding, `[B]`.
            logprob: of the SIDs, `[B]`.
            mask: items that may be answered with, bool `[N]`; None for all.
        """
        posted = self.postings.items(leaves, mask)
        similarity = None
        if self._config.order == "dense":
            similarity = (self.vectors[posted.rows] * query).sum(axis=1)
        ordered = order_items(
            self._config.order,
            posted.rows,
            logprob=logprob[posted.beam],
            score=self._efficiency[posted.rows],
            similarity=similarity,
            beam_weight=self._config.beam_weight,
        )
        if self._groups is not None:
            ordered = fold_variants(ordered, self._groups)
        return ordered
