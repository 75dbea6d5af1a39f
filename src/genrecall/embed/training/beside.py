"""How much what stands beside a title counts in an item's vector, fitted for each view.

A view reads titles and the other texts apart; what both say of a query is weighed by likelihood, as
the views themselves are. An item's vector is that of its title and, by the ratio of the weights,
that of the other texts.

Shapes: `M` searches, `N` items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.training.weights import Judged, choices, cosines
from genrecall.learning.likelihood import count_found, likeliest_weights, mixed_with_usual

USUAL: Final = 0.1
"""How much the other texts count beside a title where no search says anything."""

_MOST: Final = 0.5  # a title is what an item is called

Vectors = NDArray[np.float32]


class ReadBeside(NamedTuple):
    """What a view makes of searches and items.

    Attributes:
        queries: unit vectors, `[M, D]`.
        titles: `[N, D]`.
        others: of the other texts, `[N, D]`, zeros where there are none.
    """

    queries: Vectors
    titles: Vectors
    others: Vectors


def fit_beside(
    views: Mapping[str, ReadBeside], positives: Sequence[NDArray[np.integer]]
) -> dict[str, float]:
    """How much the other texts count beside a title, by view, at least 0.

    Args:
        views: by name.
        positives: relevant items of each search.
    """
    if not len(positives):
        return dict.fromkeys(views, USUAL)
    found = choices([Judged(of.queries, of.titles) for of in views.values()])
    of_others = [cosines(found, Judged(of.queries, of.others)) for of in views.values()]
    found = found._replace(parts=np.concatenate([found.parts, np.stack(of_others)]))
    names = [f"{name} {kind}" for kind in ("titles", "others") for name in views]
    fitted = likeliest_weights(found, positives, names)
    titles, others = fitted.reshape(2, len(views))
    # Where the title says nothing, neither do the other texts say how much they count beside it.
    ratio = np.divide(others, titles, out=np.full(len(views), USUAL), where=titles > 0)
    n = count_found(found, positives)
    mixed = mixed_with_usual(np.minimum(ratio, _MOST), np.full(len(views), USUAL), n)
    return dict(zip(views, mixed.tolist(), strict=True))
