"""What a generator reads of a shopper: the profile, and the latest items in related categories.

The near-line history of CQ-SID (arXiv 2605.14434, §3.2): of what a shopper chose, the items that
have to do with the query. Category is the first code of an item's SID, so the rule works in every
shop, also in one without category columns. A category `c` stands for the normalized mean `m_c` of
its items' vectors; a query with vector `q` is related to the `R` categories with the highest

    q · m_c

Training and serving both choose with `ShopperRule`.

Shapes: `Q` queries, `N` items, `K` categories, `D` vector size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.shoppers import HISTORY, Pair
from genrecall.foundation.ragged import (
    Bags,
    filter_bags,
    make_bags,
    ragged_offsets,
    ragged_owners,
    ragged_ranges,
)
from genrecall.generator.prompts import Prompt
from genrecall.index.prefixes import mean_vectors
from genrecall.native.arrays import Numbers

_AT_ONCE: Final = 4096  # queries compared with all categories together: bounds the memory


class RelatedCategories:
    """Which categories a query is related to.

    Args:
        vectors: of the items, unit vectors, `[N, D]`.
        category: of each item, the first code of its SID, `[N]`.
        count: categories `R` that a query is related to, at least 1.

    Attributes:
        category: of each item, int64 `[N]`.
    """

    def __init__(self, vectors: Numbers, category: NDArray[np.integer[Any]], *, count: int) -> None:
        self.category = category.astype(np.int64)
        n_categories = int(self.category.max(initial=0)) + 1
        self._means = mean_vectors(self.category, vectors, n_categories)  # (K, D)
        self._empty = np.bincount(self.category, minlength=n_categories) == 0  # (K,)
        self._unrelated = max(n_categories - count, 0)

    def of(self, queries: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which categories queries are related to: `[Q, D]` to bool `[Q, K]`.

        Of equally close ones all are, so a query without a known word, whose vector is zero, is
        related to every category.
        """
        closeness = queries @ self._means.T  # (Q, K)
        closeness[:, self._empty] = -np.inf
        least = np.partition(closeness, self._unrelated, axis=1)[:, self._unrelated]
        related: NDArray[np.bool_] = closeness >= least[:, None]
        return related


@dataclass(frozen=True)
class ShopperSettings:
    """What a generator was taught to read of shoppers.

    Attributes:
        pairs: of profiles.
        history: most items of a history; see `GeneratorConfig`.
        related_categories: likewise; 0 for all.
    """

    pairs: frozenset[Pair] = frozenset()
    history: int = 0
    related_categories: int = 0

    @cached_property
    def fields(self) -> list[str]:
        """Fields of profiles that are read."""
        return sorted({field for field, _ in self.pairs})

    def over(self, vectors: Numbers, category: NDArray[np.integer[Any]]) -> ShopperRule:
        """The rule in a shop.

        Args:
            vectors: of the items by stage `embed`, `[N, D]`.
            category: of each item, the first code of its SID, `[N]`.
        """
        related = None
        if self.related_categories and self.history:
            related = RelatedCategories(vectors, category, count=self.related_categories)
        return ShopperRule(self, related)


@dataclass(frozen=True, eq=False)
class ShopperRule:
    """What a generator reads of the shoppers in prompts.

    Attributes:
        settings: what it was taught.
        related: chooses among the categories; None where every category counts.
    """

    settings: ShopperSettings
    related: RelatedCategories | None

    def choose(
        self,
        histories: Bags,
        vectors: NDArray[np.float32],
        place: NDArray[np.int64] | None = None,
    ) -> Bags:
        """Of each history the latest items in categories that its query is related to.

        Only the latest `HISTORY` items are looked through.

        Args:
            histories: catalog rows, oldest first, `Q` lists.
            vectors: of the queries by stage `embed`, float32 `[n, D]`; not read where every
                category counts.
            place: whose vector each history goes with, int64 `[Q]`; None for one each, in order.
        """
        histories = _latest(histories, HISTORY)
        if self.related is not None and len(histories.ids):
            of_query = np.arange(len(vectors)) if place is None else place
            histories = _in_related(self.related, histories, vectors, of_query)
        return _latest(histories, self.settings.history)

    def read(self, prompts: Sequence[Prompt], vectors: NDArray[np.float32]) -> list[Prompt]:
        """The prompts with what is read of their shoppers, and no more.

        Args:
            prompts: `[Q]`.
            vectors: of their texts by stage `embed`, float32 `[Q, D]`.
        """
        if not any(prompt.history or prompt.profile for prompt in prompts):
            return list(prompts)
        histories = make_bags([prompt.history for prompt in prompts])
        chosen = self.choose(histories, vectors)
        rows, cuts = chosen.ids.tolist(), chosen.offsets.tolist()
        return [
            replace(
                prompt,
                profile=tuple(pair for pair in prompt.profile if pair in self.settings.pairs),
                history=tuple(rows[first:end]),
            )
            for prompt, first, end in zip(prompts, cuts, cuts[1:], strict=False)
        ]


def _in_related(
    related: RelatedCategories,
    histories: Bags,
    vectors: NDArray[np.float32],
    of_query: NDArray[np.int64],
) -> Bags:
    place = ragged_owners(histories.counts)
    kept = np.empty(len(place), dtype=np.bool_)
    for first in range(0, len(of_query), _AT_ONCE):
        categories = related.of(vectors[of_query[first : first + _AT_ONCE]])
        end = first + len(categories)
        part = slice(histories.offsets[first], histories.offsets[end])
        kept[part] = categories[place[part] - first, related.category[histories.ids[part]]]
    return filter_bags(histories, kept)


def _latest(histories: Bags, length: int) -> Bags:
    counts = np.minimum(histories.counts, length)
    latest = ragged_ranges(histories.offsets[1:] - counts, counts)
    return Bags(histories.ids[latest], ragged_offsets(counts))
