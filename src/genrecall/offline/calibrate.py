"""Stage `calibrate`: how much heads and look-ahead weigh, fitted after all training.

Heads are trained alone, on the training searches; what they are worth beside the look-ahead on
other searches is seen on the validation searches. Each supervised stage has weights of its own.
What was aligned serves with the weights it was rewarded with: others, fitted to clicks, give up
some of what is shown. An arm that no step made better is what it started from, and serves so. Heads
alone and look-ahead alone, the controls, have fitted ones. Figures of the validation split use for
each query the weights of its fold, which saw no search of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.bundle import OpenBundle
from genrecall.channels.chosen_together import ChosenTogether
from genrecall.channels.co_choice import by_shopper
from genrecall.channels.config import GenerativeConfig
from genrecall.channels.learned_order import FittedOrder, OrderFit, OrderParts, standing_of
from genrecall.data.shop_data import ShopData
from genrecall.data.splits import fold_of_query
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.work import Work
from genrecall.generator.compact.weights import BOTH, Fitted, LevelWeights
from genrecall.generator.load import CALIBRATE, USER_QUERY_TO_SID, WEIGHTS_FILE
from genrecall.offline.level_weights import PRIORS, fit_levels, level_choices
from genrecall.offline.order_weights import fit_order, item_prior, order_choices, usual_order
from genrecall.offline.requests import requests_of

FOLDS: Final = 5
_MOST_SEARCHES: Final = 2000  # a handful of weights is known well enough from these
_MOST_ORDERED: Final = 1000  # each is answered for it


def skip(work: Work) -> Artifact:
    """Fit nothing."""
    return _publish({}, work)


def run(bundle: OpenBundle, data: ShopData, work: Work) -> Artifact:
    """Weights of all trained generators, fitted where nothing was aligned, at `work.out`.

    Args:
        bundle: what was trained, of family `compact`, over all items, available or not.
        data: validation searches, what their shoppers did before, and the shop's own scores.
        work: where to write and to report.
    """
    # Pages on which nothing was chosen have shown their items, too.
    prior = item_prior(data.searches.told("train"), len(data.catalog))
    fitted = {name: _fit(bundle, data, name, prior) for name in (*bundle.supervised, *bundle.arms)}
    aligned = LevelWeights.usual(head_weight=bundle.channels.generative.head_weight)
    moved = [name for name in bundle.arms if name not in bundle.unmoved]
    for name in moved:
        fitted[name][BOTH] = Fitted(aligned, (aligned,) * FOLDS)
    for name, ways in fitted.items():
        kept = ", as it was aligned" if name in moved else ""
        work.log.say(f"  {name}: {describe(ways)}{kept}")
    levels = fitted[_serves(bundle)][BOTH]
    return _publish(fitted, work, _fit_order(bundle, data, levels, prior, work))


def _serves(bundle: OpenBundle) -> str:
    """Whose weights serve."""
    return next(iter(bundle.arms), bundle.trained[-1])


def _publish(
    fitted: Mapping[str, Mapping[str, Fitted]], work: Work, order: FittedOrder | None = None
) -> Artifact:
    weights = {
        name: {way: of_way.to_json() for way, of_way in ways.items()}
        for name, ways in fitted.items()
    }
    with writing(work.out, kind=CALIBRATE, inputs=work.inputs) as folder:
        write_json(folder / WEIGHTS_FILE, weights)
        if order is not None:
            order.save(folder)
    return open_artifact(work.out, kind=CALIBRATE)


def describe(ways: Mapping[str, Fitted]) -> str:
    """Say the weights that are served."""
    served = ways[BOTH].served
    told = "; ".join(
        f"{part} weigh {', '.join(f'{weight:.2f}' for weight in weights)}"
        for part, weights in (("heads", served.heads), ("the look-ahead", served.look_ahead))
    ).replace("look-ahead weigh", "look-ahead weighs")
    return told + (f", and in it the prior {served.prior:g}" if served.prior else "")


def _fit(
    bundle: OpenBundle, data: ShopData, name: str, prior: NDArray[np.float32]
) -> dict[str, Fitted]:
    searches = data.searches.of("validation").spread(_MOST_SEARCHES)
    reads_shoppers = bundle.reads_shoppers and (name == USER_QUERY_TO_SID or name in bundle.arms)
    # What was filtered by does not change what a model says, only what of it is followed.
    asked = requests_of(data, searches, "validation", shoppers=reads_shoppers, filters=False)
    sid_of_item = bundle.items.table.sid_of_item
    requests, sids = asked.spread(asked.distinct), [sid_of_item[of] for of in searches.positives]
    usual = LevelWeights.usual(head_weight=bundle.channels.generative.head_weight)
    # Where all items were chosen equally often, as without a log, no weight of it changes anything.
    tried = PRIORS if np.ptp(prior) else PRIORS[:1]
    weights = [usual._replace(prior=weight) for weight in tried]
    found = level_choices(bundle.weighed(name, weights, prior=prior), requests, sids)
    choices = dict(zip(tried, found, strict=True))
    fold = np.array([fold_of_query(query, FOLDS) for query in searches.queries], dtype=np.int64)
    return fit_levels(choices, fold, FOLDS, head_weight=bundle.channels.generative.head_weight)


def _fit_order(
    bundle: OpenBundle, data: ShopData, levels: Fitted, prior: NDArray[np.float32], work: Work
) -> FittedOrder | None:
    """How much what speaks for an item counts, of the generator that serves.

    Args:
        bundle: see `run`.
        data: likewise.
        levels: weights of its heads and look-ahead. Those of a fold make the beams that the order
            of that fold is fitted on, so that no search of it takes part.
        prior: see `item_prior`.
        work: where to report.

    Returns:
        None without words, and where nothing relevant was found.
    """
    words = bundle.words
    if words is None:
        return None
    searches = data.searches.of("validation").spread(_MOST_ORDERED)
    # What was filtered by changes which items compete, not what speaks for them.
    asked = requests_of(data, searches, "validation", shoppers=bundle.reads_shoppers, filters=False)
    each = dict.fromkeys((levels.served, *levels.folds))
    channels = bundle.weighed(bundle.trained[-1], list(each), prior=prior)
    together = None
    if bundle.reads_shoppers:
        together = ChosenTogether.of(by_shopper(data.searches.of("train"), len(data.catalog)))
    standing = standing_of(prior, data.catalog.scores)
    parts = OrderParts(channels[0].generator.views, words.fields, standing, together)
    found = order_choices(channels, asked.spread(asked.distinct), parts)
    choices = dict(zip(each, found, strict=True))
    usual = usual_order(parts, beam_weight=GenerativeConfig().beam_weight)
    fold = np.array([fold_of_query(query, FOLDS) for query in searches.queries], dtype=np.int64)

    def fit(weights: LevelWeights, kept: NDArray[np.int64]) -> OrderFit | None:
        positives = [searches.positives[row] for row in kept.tolist()]
        return fit_order(choices[weights].of(kept), positives, parts, usual=usual)

    served = fit(levels.served, np.arange(len(searches)))
    if served is None:  # the order that is set serves
        return None
    told = ", ".join(f"{name} {weight:.2f}" for name, weight in served.weights.items())
    work.log.say(f"  items are ordered by {told}")
    folds = tuple(
        fit(weights, np.flatnonzero(fold != number)) or OrderFit(usual)
        for number, weights in enumerate(levels.folds)
    )
    return FittedOrder(served, folds, prior, together)
