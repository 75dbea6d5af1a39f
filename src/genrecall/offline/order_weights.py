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

from genrecall.channels.base import Ranking, Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.learned_order import LOGPROB, AskedQuery, OrderFit, OrderParts
from genrecall.data.tables import Rows, Searches
from genrecall.learning.likelihood import Choices, count_found, likeliest_weights, mixed_with_usual
from genrecall.offline.generated import reread
from genrecall.offline.score_calibration import fit_calibration

_FIRST: Final = 500  # items of a search that compete
_LEAST_VIEWS: Final = 0.01  # of all weights: what is fitted on a few searches may know no view
_SEEN: Final = 10.0  # times that an item counts as shown, before it was

Weights = dict[str, float]


def order_choices(
    channels: Sequence[GenerativeChannel], requests: Sequence[Request], parts: OrderParts
) -> list[Choices]:
    """What the parts say of the first items that each channel finds.

    Args:
        channels: of one generator with weights of each kind; they order items as where nothing was
            fitted.
        requests: of `M` searches.
        parts: what speaks for an item.
    """
    found: list[list[Choices]] = [[] for _ in channels]
    first = 0
    for read in channels[0].read(requests):
        for channel, of_channel in zip(channels, found, strict=True):
            again = reread(channel, read)
            rankings = channel.rank_read(again, _FIRST)
            for place, ranking in enumerate(rankings):
                asked = read.asked(place)
                of_channel.append(_choices_of(channel, first + place, asked, ranking, parts))
        first += len(read)
    return [_join(of_channel, len(parts.names)) for of_channel in found]


def _choices_of(
    channel: GenerativeChannel, search: int, query: AskedQuery, ranking: Ranking, parts: OrderParts
) -> Choices:
    """What the parts say of one answer."""
    assert ranking.beams is not None
    rows, leaves = np.sort(ranking.rows), ranking.beams.leaves
    order = np.argsort(leaves, kind="stable")
    at = order[np.searchsorted(leaves, channel.items.table.sid_of_item[rows], sorter=order)]
    said = parts.of(query, channel.items.views, rows, ranking.beams.logprob[at])
    return Choices(np.full(len(rows), search, dtype=np.int64), rows, said)


def _join(parts: Sequence[Choices], size: int) -> Choices:
    """Those of all searches."""
    nothing = Choices(np.empty(0, np.int64), np.empty(0, np.int32), np.empty((size, 0), np.float32))
    search, rows, said = zip(nothing, *parts, strict=True)
    return Choices(np.concatenate(search), np.concatenate(rows), np.concatenate(said, axis=1))


def fit_order(
    choices: Choices, positives: Sequence[Rows], parts: OrderParts, *, usual: Weights
) -> OrderFit | None:
    """Weights of the parts, by name, and the calibration of their sum; None of nothing relevant.

    The weights of the views are together 1, as in a cosine.

    Args:
        choices: what they say.
        positives: relevant items of each search.
        parts: what speaks for an item.
        usual: their weights where nothing is known; only their relation counts.
    """
    n = count_found(choices, positives)
    fitted = likeliest_weights(choices, positives, parts.names)
    if not fitted.any():
        return None
    before = np.array([usual[name] for name in parts.names])
    # An order has no scale: both are brought to that of a cosine before they are mixed.
    views = slice(len(parts.views))
    fitted /= max(fitted[views].sum(), _LEAST_VIEWS * fitted.sum())
    before /= before[views].sum()
    mixed = mixed_with_usual(fitted, before, n)
    mixed /= mixed[views].sum()
    weights = dict(zip(parts.names, mixed.tolist(), strict=True))
    return OrderFit(weights, fit_calibration(choices, mixed @ choices.parts, positives))


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
