"""How much each view counts, fitted on training searches that no view was trained on.

As the weights of a fusion: they make the relevant items likeliest among the first that any view
finds. Few searches say little: fitted weights and the usual ones are mixed as `n : 20`, `n` being
the number of searches.

Shapes: `M` searches, `N` items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from genrecall.embed.names import IN_DOMAIN, PRETRAINED, STATIC
from genrecall.learning.likelihood import Choices, count_found, likeliest_weights, mixed_with_usual

USUAL: Final = {IN_DOMAIN: 0.55, STATIC: 0.2, PRETRAINED: 0.25}
"""Weights where no search says anything, as shares of each other."""

_FIRST: Final = 200  # items of each view that compete

Vectors = NDArray[np.float32]


class Judged(NamedTuple):
    """One view of the searches that weights are fitted on.

    Attributes:
        queries: unit vectors, `[M, D]`.
        items: of all items, `[N, D]`.
    """

    queries: Vectors
    items: Vectors


def fit_view_weights(
    views: Mapping[str, Judged], positives: Sequence[NDArray[np.integer]]
) -> dict[str, float]:
    """Weights of the views, each above 0, together 1.

    Args:
        views: by name.
        positives: relevant items of each search.
    """
    usual = np.array([USUAL[name] for name in views])
    usual /= usual.sum()
    if len(views) == 1 or not len(positives):
        return dict(zip(views, usual.tolist(), strict=True))
    found = choices(list(views.values()))
    fitted = likeliest_weights(found, positives, list(views))
    n = count_found(found, positives) if fitted.any() else 0
    fitted /= max(fitted.sum(), np.finfo(np.float64).tiny)
    mixed = mixed_with_usual(fitted, usual, n)
    return dict(zip(views, (mixed / mixed.sum()).tolist(), strict=True))


def choices(views: Sequence[Judged]) -> Choices:
    """The first items of all views, search by search, and every view's cosines of them.

    Args:
        views: of the same searches and items.
    """
    first = min(_FIRST, len(views[0].items))
    found = np.concatenate(
        [faiss.knn(of.queries, of.items, first, faiss.METRIC_INNER_PRODUCT)[1] for of in views],
        axis=1,
    )
    distinct = [np.unique(rows) for rows in found]
    search = np.repeat(np.arange(len(found)), [len(rows) for rows in distinct])
    rows = np.concatenate(distinct)
    unsaid = np.empty((0, len(rows)), dtype=np.float32)
    candidates = Choices(search, rows.astype(np.int32), unsaid)
    return candidates._replace(parts=np.stack([cosines(candidates, of) for of in views]))


def cosines(found: Choices, view: Judged) -> NDArray[np.float32]:
    """What a view says of items that were found, search by search, float32 `[n]`."""
    said = np.empty(len(found.rows), dtype=np.float32)
    ends = np.searchsorted(found.search, np.arange(len(view.queries) + 1))
    for query, first, end in zip(view.queries, ends[:-1], ends[1:], strict=True):
        said[first:end] = view.items[found.rows[first:end]] @ query
    return said
