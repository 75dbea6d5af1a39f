"""What alignment has changed: the generators before and after it, and its controls, measured alike.

Beside clicks and exposures stand recall and the items behind the beams, so that what is gained at
the head is not paid for unseen. Shapes: `M` searches, `B` beams.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from genrecall.bundle import OpenBundle
from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.data.histories import shoppers_at
from genrecall.data.shop_data import ShopData
from genrecall.data.shoppers import HISTORY, Shopper
from genrecall.data.tables import Searches, SplitName
from genrecall.evaluate.alignment import STAGE_3, Metrics, alignment_metrics
from genrecall.evaluate.bootstrap import numbered
from genrecall.evaluate.exposure import AT, exposure_measures, shown_in
from genrecall.evaluate.figures import Measures
from genrecall.evaluate.measures import candidates, recall, target_ranks
from genrecall.evaluate.metrics import RECALL_AT, K
from genrecall.foundation.progress import RunLog
from genrecall.offline.generated import answer_searches
from genrecall.offline.requests import DistinctRequests
from genrecall.offline.slices import query_slices
from genrecall.text.normalize import normalize

_WIDTH = AT[-1]


def measure_alignment(
    bundle: OpenBundle, shop: ShopData, split: SplitName, *, most: int, seed: int, log: RunLog
) -> Metrics:
    """Figures of every arm, as `alignment_metrics`; none where nothing was aligned.

    Args:
        bundle: with an aligned generator, or without.
        shop: searches of all splits.
        split: which of them to measure.
        most: searches at most, taken evenly over the split.
        seed: of the bootstrap.
        log: where to report.
    """
    channels = arms_of(bundle)
    if len(channels) < 2:
        return {}
    has = (pl.col("impressions").list.len() > 0) | (pl.col("positives").list.len() > 0)
    frame = shop.searches.frame.filter((pl.col("split") == split) & has)
    if frame.height > most:
        frame = frame[np.linspace(0, frame.height - 1, most).round().astype(np.int64)]
    searches = Searches(frame)
    requests = _requests(bundle, shop, searches, split)
    queries = [normalize(query) for query in searches.queries]
    found = {}
    for name, channel in channels.items():
        found[name] = arm_measures(channel, searches, requests)
        log.say(f"  {name}: {len(requests.distinct):,} requests")
    return alignment_metrics(
        found, groups=numbered(queries), slices=query_slices(queries, shop.searches), seed=seed
    )


def arms_of(bundle: OpenBundle) -> Mapping[str, GenerativeChannel]:
    """Stage 3, the aligned generator and the controls that are there, by name."""
    return {STAGE_3: bundle.generative(bundle.supervised[-1])} | {
        arm: bundle.arm(arm) for arm in bundle.arms
    }


def arm_measures(
    channel: GenerativeChannel, searches: Searches, requests: DistinctRequests
) -> Measures:
    """All measures of each search: float64 `[M]`, NaN where it has nothing to count.

    Args:
        channel: is asked.
        searches: `M` of them.
        requests: theirs.
    """
    items = channel.items
    answers = answer_searches(channel, requests, K, _WIDTH)
    shown = shown_in(searches, items.table.sid_of_item)
    measures = dict(exposure_measures(answers.sids, shown))
    measures[f"candidates@{_WIDTH}"] = candidates(answers.sids, items.postings.sizes, _WIDTH)
    counted = np.array([len(rows) > 0 for rows in searches.positives])
    chosen = np.flatnonzero(counted)
    ranks = target_ranks(
        [answers.rankings[search].rows for search in chosen],
        [searches.positives[search] for search in chosen],
    )
    for k in RECALL_AT:
        measures[f"recall@{k}"] = np.full(len(searches), np.nan)
        measures[f"recall@{k}"][chosen] = recall(ranks, k)
    return measures


def _requests(
    bundle: OpenBundle, shop: ShopData, searches: Searches, split: SplitName
) -> DistinctRequests:
    if not bundle.reads_shoppers:
        return DistinctRequests([Request(query) for query in searches.queries])
    known = shoppers_at(shop, searches, split, length=HISTORY)
    return DistinctRequests(
        [
            Request(query, shopper if shopper != Shopper() else None)
            for query, shopper in zip(searches.queries, known, strict=True)
        ]
    )
