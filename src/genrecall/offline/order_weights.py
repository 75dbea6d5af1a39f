"""Fitting how much each part of what speaks for an item counts in the item order `learned`.

As the weights of a fusion (`learning/likelihood.py`), among the first items that the channel finds
without them. Few searches say little: fitted weights and the usual ones are mixed as `n : 20`.

Shapes: `M` searches, `N` items, `E` parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.learned_order import LOGPROB, AskedQuery, OrderParts
from genrecall.data.tables import Rows, Searches
from genrecall.learning.likelihood import Choices, count_found, likeliest_weights

_PRIOR: Final = 20.0  # searches that the usual weights are worth
_FIRST: Final = 500  # items of a search that compete
_LEAST_VIEWS: Final = 0.01  # of all weights: what is fitted on a few searches may know no view
_SEEN: Final = 10.0  # times that an item counts as shown, before it was

Weights = dict[str, float]


def order_choices(
    channel: GenerativeChannel, requests: Sequence[Request], parts: OrderParts
) -> Choices:
    """What the parts say of the first items that a channel finds.

    Args:
        channel: orders them as where nothing was fitted.
        requests: of `M` searches.
        parts: what speaks for an item.
    """
    search, rows, said = [], [], []
    number = 0
    for read in channel.read(requests):
        rankings = channel.rank_read(read, _FIRST)
        for place, ranking in enumerate(rankings):
            found = np.sort(ranking.rows)
            assert ranking.beams is not None
            sid_of_item = channel.items.table.sid_of_item[found]
            order = np.argsort(ranking.beams.leaves, kind="stable")
            at = order[np.searchsorted(ranking.beams.leaves, sid_of_item, sorter=order)]
            query = AskedQuery(read.reading.prompts[place].text, read.reading.queries[place])
            items, logprob = channel.items.views[found], ranking.beams.logprob[at]
            search.append(np.full(len(found), number, dtype=np.int64))
            rows.append(found)
            said.append(parts.of(query, items, found, logprob))
            number += 1
    nothing = np.empty((len(parts.names), 0), dtype=np.float32)
    return Choices(
        np.concatenate([np.empty(0, dtype=np.int64), *search]),
        np.concatenate([np.empty(0, dtype=np.int32), *rows]),
        np.concatenate([nothing, *said], axis=1),
    )


def fit_order(
    choices: Choices, positives: Sequence[Rows], parts: OrderParts, *, usual: Weights
) -> Weights:
    """Weights of the parts, by name; those of the views are together 1, as in a cosine.

    Args:
        choices: what they say.
        positives: relevant items of each search.
        parts: what speaks for an item.
        usual: their weights where nothing is known; only their relation counts.
    """
    n = count_found(choices, positives)
    fitted = likeliest_weights(choices, positives, parts.names)
    if not fitted.any():
        return usual
    before = np.array([usual[name] for name in parts.names])
    # An order has no scale: both are brought to that of a cosine before they are mixed.
    views = slice(len(parts.views))
    fitted /= max(fitted[views].sum(), _LEAST_VIEWS * fitted.sum())
    before /= before[views].sum()
    mixed = (n * fitted + _PRIOR * before) / (n + _PRIOR)
    mixed /= mixed[views].sum()
    return dict(zip(parts.names, mixed.tolist(), strict=True))


def usual_order(parts: OrderParts, *, beam_weight: float) -> Weights:
    """The weights that are the item order `dense`."""
    views = {view.name: view.share for view in parts.views}
    return {name: views.get(name, 0.0) for name in parts.names} | {LOGPROB: beam_weight}


def item_prior(searches: Searches, n: int) -> NDArray[np.float32]:
    """How often each item was chosen in training, on a logarithmic scale, float32 `[N]`.

    Where the log tells what was shown, it is the share of showings, and an item that was hardly
    shown counts as the average one; else it is the number of searches.

    Args:
        searches: of the training split.
        n: items `N`.
    """
    chosen = _count(searches, "positives", n)
    shown = _count(searches, "impressions", n)
    if not shown.any():
        return np.log1p(chosen).astype(np.float32)
    average = max(chosen.sum(), 1.0) / shown.sum()
    rate: NDArray[np.float64] = (chosen + _SEEN * average) / (np.maximum(shown, chosen) + _SEEN)
    return np.log(rate).astype(np.float32)


def _count(searches: Searches, column: str, n: int) -> NDArray[np.float64]:
    """In how many searches each item stands in a column of lists, `[N]`."""
    rows = searches.frame[column].explode().drop_nulls().to_numpy()
    return np.bincount(rows, minlength=n).astype(np.float64)
