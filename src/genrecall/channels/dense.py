"""The dense channel: exact inner product of query and item vectors.

Shapes: `Q` requests, `N` items, `D` vector size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Ranking, Request, check_requests
from genrecall.channels.recall import RecallChannel
from genrecall.channels.topk import kth_largest, top_k
from genrecall.foundation.blocks import blocks
from genrecall.index.item_views import ItemViews
from genrecall.index.live import LiveItems
from genrecall.queries.reader import AS_TYPED, QueryReader

Vectors = NDArray[np.float32]

_AT_ONCE: Final = 32  # requests scored together: bounds the memory at 32 N numbers
_MOST_KEPT: Final = 1 << 26  # numbers of vectors kept as floats, 256 MB
_PART: Final = 1 << 16  # of more vectors, so many are made floats at a time
_MOST_SCORES: Final = 1 << 27  # for more requests together, since that is the larger work
_MARGIN: Final = 1e-5
"""More than float32 sums of unit vectors' products are off by, in whatever order they are added."""


class DenseChannel(RecallChannel):
    """Items whose vectors are nearest to the query's.

    A query whose vector is zero, because the encoder knows no word of it, has an empty answer.

    A matrix product may differ in the last bits with the size of the batch and the place of the
    item, so it only chooses who comes into question; they are scored again one by one. Equal items
    have equal scores, and a batch answers as single requests do.

    Vectors of a very large shop stay as they lie on disk and are made floats part by part.

    Args:
        items: what can be answered with.
        encode: requests to L2-normalized vectors, float32 `[Q, D]`.
        vectors: of the items in the same space, `[N, D]`; None for `items.vectors`.
        name: in metrics and logs.
        reader: by which `encode` reads queries, for what an answer says of it.
    """

    def __init__(
        self,
        items: LiveItems,
        *,
        encode: Callable[[Sequence[Request]], Vectors],
        vectors: ItemViews | None = None,
        name: str = "dense",
        reader: QueryReader = AS_TYPED,
    ) -> None:
        self._name = name
        self.items, self.reader = items, reader
        self._views = ItemViews.alone(items.vectors) if vectors is None else vectors
        self._kept = self._views[:] if np.prod(self._views.shape) <= _MOST_KEPT else None
        self._encode = encode

    @property
    def name(self) -> str:
        """Name in metrics and logs."""
        return self._name

    def rank(self, requests: Sequence[Request], k: int) -> list[Ranking]:
        """See `Channel.rank`."""
        check_requests(requests, k)
        rankings: list[Ranking] = []
        together = _AT_ONCE
        if self._kept is None:
            together = max(together, _MOST_SCORES // len(self._views))
        for start in range(0, len(requests), together):
            part = requests[start : start + together]
            queries = self._encode(part)  # (Q, D)
            rough = self._products(queries)  # (Q, N)
            for request, query, scores in zip(part, queries, rough, strict=True):
                rankings.append(self._rank(query, scores, self.items.mask(request.filters), k))
        return rankings

    def _products(self, queries: Vectors) -> Vectors:
        """Of queries and all items, `[Q, D]` to `[Q, N]`."""
        if self._kept is not None:
            return np.asarray(queries @ self._kept.T)
        n = len(self._views)
        if len(queries) == 1:
            return self._views.products(np.arange(n, dtype=np.int32), queries[0])[None]
        products = np.empty((len(queries), n), dtype=np.float32)
        for start in range(0, n, _PART):
            part = slice(start, start + _PART)
            np.matmul(queries, self._views[part].T, out=products[:, part])
        return products

    def _rank(
        self, query: Vectors, rough: Vectors, mask: NDArray[np.bool_] | None, k: int
    ) -> Ranking:
        if not query.any():
            return Ranking.of_nothing()
        rows = np.arange(len(rough)) if mask is None else np.flatnonzero(mask)
        if len(rows) > k:
            scores = rough if mask is None else rough[rows]
            rows = rows[scores >= kth_largest(scores, k) - _MARGIN]
        # Each row is summed on its own in double precision, whoever stands beside it.
        exact = np.empty(len(rows), dtype=np.float32)
        for part in blocks(len(rows), len(query)):
            some = self._views if self._kept is None else self._kept
            exact[part] = (some[rows[part]].astype(np.float64) * query).sum(axis=1)
        return top_k(rows, exact, k)
