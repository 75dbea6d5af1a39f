"""Who takes part in an evaluation."""

import numpy as np
import polars as pl
import pytest

from genrecall.bundle import open_bundle
from genrecall.data.load import load_shop
from genrecall.data.tables import Searches
from genrecall.evaluate.config import EvaluateConfig
from genrecall.foundation.progress import SilentLog
from genrecall.funnel.config import FusionConfig
from genrecall.offline import measure

PLAN = measure.Plan(EvaluateConfig(searches=1000, latency_searches=0, beam=5), FusionConfig())


@pytest.fixture(scope="module")
def shop(shop_run):
    return load_shop(shop_run.open_stage("data"))


def channels_of(shop_run, shop, known):
    """Who answers where so many of forty validation searches ask what training knows."""
    every = shop.searches.of("validation").frame
    training = shop.searches.of("train").frame["query"][0]
    asked = pl.concat([every] * (-(-40 // every.height))).head(40)
    queries = [training.upper()] * known + [f"unseen {n}" for n in range(40 - known)]
    asked = asked.with_columns(query=pl.Series(queries), search_id=pl.Series(map(str, range(40))))
    others = shop.searches.frame.filter(pl.col("split") != "validation")
    changed = type(shop)(shop.catalog, Searches(pl.concat([others, asked])), shop.users)
    offline = measure.evaluate(
        open_bundle(shop_run.bundle),
        changed,
        split="validation",
        plan=PLAN,
        health={},
        log=SilentLog(),
    )
    return offline.metrics


@pytest.mark.parametrize(("known", "there"), [(0, False), (1, False), (2, True)])
def test_popularity_takes_part_from_a_twentieth_of_known_searches_on(shop_run, shop, known, there):
    metrics = channels_of(shop_run, shop, known)
    assert ("popularity" in metrics["channels"]) == there
    assert ("popularity" in metrics["hit@beam"]) == there
    assert ("generative - popularity" in metrics["paired_shopper"]) == there
    if there:
        assert np.isfinite(metrics["channels"]["popularity"]["recall@1000"]["value"])
