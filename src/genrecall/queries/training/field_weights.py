"""How much the words of each field of an item count, fitted on training searches.

As the weights of a fusion: they make the relevant items likeliest among the first that the words of
any field find. Nothing else was trained on the searches here, so training searches may tell. Few of
them say little: fitted weights and the usual ones are mixed as `n : 20`, `n` being the number of
searches.

Shapes: `M` searches, `N` items, `F` fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genrecall.data.tables import Searches
from genrecall.data.texts import TITLE
from genrecall.learning.likelihood import Choices, count_found, likeliest_weights, mixed_with_usual
from genrecall.queries.field_words import FieldWords

USUAL: Final = {TITLE: 1.0, "brand": 0.3, "attributes": 0.2, "description": 0.1}
"""Weights where no search says anything."""

_FIRST: Final = 200  # items of each field that compete
_MOST_SEARCHES: Final = 2000
_LEAST: Final = 0.05
"""So much a field counts at least: what no title says may still be found by it."""


def fit_field_weights(fields: Mapping[str, FieldWords], searches: Searches) -> dict[str, float]:
    """What the words of each field count; together as much as the usual weights.

    Args:
        fields: by name, the title among them.
        searches: of the training split.
    """
    usual = np.array([USUAL[name] for name in fields])
    some = searches.spread(_MOST_SEARCHES)
    if len(fields) > 1 and len(some):
        choices = _choices(list(fields.values()), some.queries)
        fitted = likeliest_weights(choices, some.positives, list(fields))
        if fitted.any():
            n = count_found(choices, some.positives)
            fitted *= usual.sum() / fitted.sum()
            usual = mixed_with_usual(fitted, usual, n)
    return dict(zip(fields, np.maximum(usual, _LEAST).tolist(), strict=True))


def _choices(fields: list[FieldWords], queries: list[str]) -> Choices:
    """The first items by each field's words, search by search, and what all fields say of them."""
    finders = [_Finder(field) for field in fields]
    search, rows, parts = [], [], []
    for number, query in enumerate(queries):
        found = np.unique(np.concatenate([finder.first(query) for finder in finders]))
        search.append(np.full(len(found), number, dtype=np.int64))
        rows.append(found.astype(np.int32))
        parts.append(np.stack([field.scores(query, found) for field in fields]))
    return Choices(np.concatenate(search), np.concatenate(rows), np.concatenate(parts, axis=1))


class _Finder:
    """Items by the words of one field."""

    def __init__(self, field: FieldWords) -> None:
        self._field = field
        shape = (len(field), len(field.rarity))
        found = np.ones(len(field.ids), dtype=np.float32)
        self._items = sparse.csr_matrix((found, field.ids, field.offsets), shape=shape).tocsc()

    def first(self, query: str) -> NDArray[np.int64]:
        """Rows of the items of which the query's words say most."""
        words = self._field.words(query)
        scores = (self._items[:, words] @ self._field.rarity[words]) / self._field.discount
        found = np.flatnonzero(scores)
        if len(found) <= _FIRST:
            return found
        least = np.partition(scores[found], -_FIRST)[-_FIRST]
        above, ties = found[scores[found] > least], found[scores[found] == least]
        return np.concatenate([above, ties[: _FIRST - len(above)]])
