"""What alignment has changed: the generators before and after it, and its controls, measured alike.

Beside clicks and exposures stand recall and the items behind the beams, so that what is gained at
the head is not paid for unseen. Shapes: `M` searches, `B` beams.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from genrecall.bundle import OpenBundle
from genrecall.channels.base import Ranking
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Searches, SplitName
from genrecall.evaluate.alignment import STAGE_3, Metrics, alignment_metrics
from genrecall.evaluate.bootstrap import numbered
from genrecall.evaluate.exposure import AT, exposure_measures, shown_in
from genrecall.evaluate.figures import Measures
from genrecall.evaluate.measures import Floats, IntArray, candidates, recall, target_ranks
from genrecall.evaluate.names import RECALL_AT, K
from genrecall.index.live import LiveItems
from genrecall.offline.chosen import only_answerable
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.requests import DistinctRequests, requests_of
from genrecall.offline.slices import bootstrap_units, search_slices
from genrecall.text.normalize import query_keys

_WIDTH: Final = AT[-1]
_RANKED: Final = 1000  # searches whose items are ranked, at most


def measure_alignment(
    bundle: OpenBundle,
    shop: ShopData,
    split: SplitName,
    *,
    open_arm: Callable[[str], FoldedChannel],
    most: int,
    seed: int,
) -> Metrics:
    """Figures of every arm, as `alignment_metrics`; none where nothing was aligned.

    Args:
        bundle: with an aligned generator, or without.
        shop: searches of all splits.
        split: which of them to measure.
        open_arm: opens the channel of an arm, or of a training stage.
        most: searches at most, taken evenly over the split.
        seed: of the bootstrap.
    """
    if not bundle.arms:
        return {}
    searches = only_answerable(shop.searches.told(split), bundle.items.mask)
    searches = searches.told(split).spread(most)
    requests = requests_of(shop, searches, split, shoppers=bundle.reads_shoppers)
    queries = query_keys(searches.queries)
    found = {}
    for name in (STAGE_3, *bundle.arms):  # one after another: each is a model of its own
        arm = bundle.supervised[-1] if name == STAGE_3 else name
        found[name] = arm_measures(open_arm(arm), searches, requests)
    return alignment_metrics(
        found,
        groups=numbered(bootstrap_units(shop, searches).of),
        slices=search_slices(queries, searches, shop.searches),
        seed=seed,
    )


def arm_measures(
    channel: FoldedChannel, searches: Searches, requests: DistinctRequests
) -> Measures:
    """All measures of each search: float64 `[M]`, NaN where it has nothing to count.

    Items are ranked for a part of the searches, since that takes most of the time.

    Args:
        channel: is asked.
        searches: `M` of them.
        requests: theirs.
    """
    sids = channel.generate(requests.distinct, _WIDTH).leaves[requests.place]
    ranked = np.linspace(0, len(searches) - 1, min(len(searches), _RANKED)).round().astype(np.int64)
    place = np.unique(requests.place[ranked])
    rankings = dict(
        zip(place.tolist(), channel.rank([requests.distinct[p] for p in place], K), strict=True)
    )
    of_part = recall_measures(
        Searches(searches.frame[ranked]), [rankings[p] for p in requests.place[ranked].tolist()]
    )
    measures: dict[str, Floats] = dict(beam_measures(channel.items, searches, sids))
    for name, values in of_part.items():
        measures[name] = np.full(len(searches), np.nan)
        measures[name][ranked] = values
    return measures


def beam_measures(items: LiveItems, searches: Searches, sids: IntArray) -> Measures:
    """Measures of the first beams of each search: float64 `[M]`.

    Args:
        items: whose SIDs they are.
        searches: `M` of them.
        sids: positions in the trie, best first, `[M, B]`.
    """
    return {
        **exposure_measures(sids, shown_in(searches, items.table.sid_of_item)),
        f"candidates@{_WIDTH}": candidates(sids, items.postings.sizes, _WIDTH),
    }


def recall_measures(searches: Searches, rankings: Sequence[Ranking]) -> dict[str, Floats]:
    """Recall of the items of each search: float64 `[M]`, NaN for one without a relevant item."""
    chosen = np.flatnonzero([len(rows) > 0 for rows in searches.positives]).tolist()
    ranks = target_ranks(
        [rankings[search].rows for search in chosen],
        [searches.positives[search] for search in chosen],
    )
    measures = {f"recall@{k}": np.full(len(searches), np.nan) for k in RECALL_AT}
    for k in RECALL_AT:
        measures[f"recall@{k}"][chosen] = recall(ranks, k)
    return measures
