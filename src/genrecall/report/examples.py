"""Which queries the report shows: some that went well and some that did not, by a stated rule."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.evaluate.measures import Floats

COUNT: Final = 10
"""Queries of each kind."""

RULE: Final = (
    "Queries are ordered by recall@10 of the generative channel, ties by lot. The good ones are "
    "drawn at random from the best quarter, the bad ones from the worst quarter."
)


class Chosen(NamedTuple):
    """Positions of queries, by falling recall.

    Attributes:
        good: from the best quarter.
        bad: from the worst.
    """

    good: NDArray[np.int64]
    bad: NDArray[np.int64]


def choose(recall: Floats, *, seed: int, count: int = COUNT) -> Chosen:
    """Draw queries by `RULE`.

    Args:
        recall: of each distinct query.
        seed: same seed, same queries.
        count: of each kind; fewer where there are fewer than twice as many queries.
    """
    random = np.random.default_rng(seed)
    count = min(count, len(recall) // 2)
    by_lot = random.permutation(len(recall))
    ordered = by_lot[np.argsort(-recall[by_lot], kind="stable")]
    pool = max(len(recall) // 4, count)
    places = [np.sort(random.choice(pool, size=count, replace=False)) for _ in range(2)]
    worst = ordered[len(ordered) - pool :]
    return Chosen(good=ordered[:pool][places[0]], bad=worst[places[1]])
