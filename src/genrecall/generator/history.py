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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.shoppers import HISTORY, Pair
from genrecall.embed.encoder import Encoder
from genrecall.foundation.ragged import (
    Bags,
    filter_bags,
    ragged_offsets,
    ragged_owners,
    ragged_ranges,
)
from genrecall.generator.compact.look_ahead import mean_vectors
from genrecall.generator.prompts import Prompt

_AT_ONCE: Final = 4096  # queries compared with all categories together: bounds the memory


class RelatedCategories:
    """Which categories a query is related to.

    Args:
        vectors: of the items, unit vectors, float32 `[N, D]`.
        category: of each item, the first code of its SID, `[N]`.
        count: categories `R` that a query is related to, at least 1.

    Attributes:
        category: of each item, int64 `[N]`.
    """

    def __init__(
        self, vectors: NDArray[np.float32], category: NDArray[np.integer[Any]], *, count: int
    ) -> None:
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


@dataclass(frozen=True, eq=False)
class ShopperRule:
    """What a generator reads of the shoppers in prompts.

    Attributes:
        pairs: of profiles, those that it was taught.
        length: most items of a history.
        related: chooses among the categories; None where every category counts.
        encoder: of stage `embed`, for the vectors of queries.
    """

    pairs: frozenset[Pair]
    length: int
    related: RelatedCategories | None
    encoder: Encoder

    def choose(self, histories: Bags, queries: Sequence[str]) -> Bags:
        """Of each history the latest items in categories that its query is related to.

        Only the latest `HISTORY` items are looked through.

        Args:
            histories: catalog rows, oldest first, `Q` lists.
            queries: what was searched with each of them, `[Q]`.
        """
        histories = _latest(histories, HISTORY)
        if self.related is not None and len(histories.ids):
            histories = self._in_related(self.related, histories, queries)
        return _latest(histories, self.length)

    def read(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """The prompts with what is read of their shoppers, and no more."""
        histories = make_bags([prompt.history for prompt in prompts])
        chosen = self.choose(histories, [prompt.text for prompt in prompts])
        rows, cuts = chosen.ids.tolist(), chosen.offsets.tolist()
        return [
            replace(
                prompt,
                profile=tuple(pair for pair in prompt.profile if pair in self.pairs),
                history=tuple(rows[first:end]),
            )
            for prompt, first, end in zip(prompts, cuts, cuts[1:], strict=False)
        ]

    def _in_related(
        self, related: RelatedCategories, histories: Bags, queries: Sequence[str]
    ) -> Bags:
        number = {query: place for place, query in enumerate(dict.fromkeys(queries))}
        vectors = self.encoder.encode(list(number))
        asked = np.array([number[query] for query in queries])
        place = ragged_owners(np.diff(histories.offsets))
        kept = np.empty(len(place), dtype=np.bool_)
        for first in range(0, len(asked), _AT_ONCE):
            categories = related.of(vectors[asked[first : first + _AT_ONCE]])
            end = first + len(categories)
            part = slice(histories.offsets[first], histories.offsets[end])
            kept[part] = categories[place[part] - first, related.category[histories.ids[part]]]
        return filter_bags(histories, kept)


def make_rule(
    *,
    pairs: Iterable[Pair],
    history: int,
    related_categories: int,
    encoder: Encoder,
    item_vectors: NDArray[np.float32],
    category: NDArray[np.integer[Any]],
) -> ShopperRule:
    """The rule of the generator's settings.

    Args:
        pairs: of profiles, those that the generator was taught.
        history: see `GeneratorConfig`.
        related_categories: likewise; 0 for all.
        encoder: of stage `embed`.
        item_vectors: its vectors of the items, float32 `[N, D]`.
        category: of each item, the first code of its SID, `[N]`.
    """
    related = None
    if related_categories and history:
        related = RelatedCategories(item_vectors, category, count=related_categories)
    return ShopperRule(frozenset(pairs), length=history, related=related, encoder=encoder)


def make_bags(lists: Sequence[Sequence[int]]) -> Bags:
    """Lists of numbers, one behind the other."""
    flat = np.array([number for numbers in lists for number in numbers], dtype=np.int64)
    return Bags(flat, ragged_offsets([len(numbers) for numbers in lists]))


def _latest(histories: Bags, length: int) -> Bags:
    counts = np.minimum(np.diff(histories.offsets), length)
    latest = ragged_ranges(histories.offsets[1:] - counts, counts)
    return Bags(histories.ids[latest], ragged_offsets(counts))
