"""An evaluation of searches with filters: every channel is asked with them."""

import json

import numpy as np
import polars as pl
import pytest

from genrecall.bundle import open_bundle
from genrecall.data.load import load_shop
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Searches
from genrecall.evaluate.config import EvaluateConfig
from genrecall.foundation.progress import SilentLog
from genrecall.funnel.config import FusionConfig
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.offline.evidence import gather
from genrecall.offline.measure import Plan, evaluate

BRANDS = ("Acme", "Bolt", "Corvid", "Dorn")


@pytest.fixture(scope="module")
def bundle(shop_run):
    return open_bundle(shop_run.bundle)


@pytest.fixture(scope="module")
def shop(shop_run):
    """A third of the searches of a query has no filters, one the brand of what was clicked, one a
    brand and a price that this may fail."""
    shop = load_shop(shop_run.open_stage("data"))
    brands = shop.catalog.frame["brand"].to_list()
    filters = []
    # Query by query: each is asked every thirty searches.
    for number, rows in enumerate(shop.searches.positives):
        turn = number // 30
        told = [
            None,
            {"brand": brands[rows[0]]},
            {"brand": BRANDS[turn % 4], "price": {"lte": 80}},
        ][turn % 3]
        filters.append(None if told is None else json.dumps(told))
    column = pl.Series("filters", filters, dtype=pl.String)
    return ShopData(shop.catalog, Searches(shop.searches.frame.with_columns(column)), shop.users)


@pytest.fixture(scope="module")
def prompts():
    """How often generators read a prompt."""
    return []


@pytest.fixture(scope="module")
def offline(bundle, shop, prompts):
    read = CompactGenerator.read

    def counted(generator, given):
        prompts.extend(given)
        return read(generator, given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CompactGenerator, "read", counted)
        return evaluate(
            bundle,
            shop,
            split="validation",
            plan=Plan(EvaluateConfig(latency_searches=0, beam=100), FusionConfig()),
            health={},
            log=SilentLog(),
        )


def passes(catalog, row, filters):
    item = catalog.frame.row(row, named=True)
    return all(
        item[name] <= wanted["lte"] if isinstance(wanted, dict) else item[name] == wanted
        for name, wanted in (filters or {}).items()
    )


def test_every_ranking_holds_only_what_passes(offline, shop):
    filters = offline.searches.filters
    fused = {"bm25+dense", "bm25+dense+generative"}
    assert {"generative", "bm25", "dense", "two_views"} | fused <= set(offline.rankings)
    for name, rankings in offline.rankings.items():
        for of_search, ranking in zip(filters, rankings, strict=True):
            assert all(passes(shop.catalog, row, of_search) for row in ranking.rows), name
    dense = [len(ranking.rows) for ranking in offline.rankings["dense"]]
    assert min(dense) < 30 < max(dense), "whoever has no filters is answered with all"


def test_every_beam_has_an_item_that_passes(offline, bundle):
    inputs = offline.evidence.inputs
    for name, beams in inputs.beams.items():
        for of_search, leaves in zip(offline.searches.filters, beams, strict=True):
            good = bundle.items.postings.valid(bundle.items.mask(of_search))
            assert good[leaves[leaves >= 0]].all(), name
            assert (leaves >= 0).sum() <= good.sum()


def test_who_answers_with_all_that_passes_finds_all_that_counts(offline):
    for name in ("dense", "two_views", "generative"):
        assert offline.metrics["channels"][name]["recall@1000"]["value"] == 1.0, name
    for stage, hits in offline.metrics["hit@beam"].items():
        assert hits["100"]["value"] == 1.0, stage


def test_what_does_not_pass_its_own_filters_is_told_and_counts_nowhere(offline, shop, bundle):
    every = shop.searches.of("validation")
    available = bundle.items.available
    kept = [[row for row in rows if available[row]] for rows in every.positives]
    passing = [
        [row for row in rows if passes(shop.catalog, row, of_search)]
        for rows, of_search in zip(kept, every.filters, strict=True)
    ]
    relevant = offline.metrics["relevant"]
    assert relevant["available"] == sum(map(len, passing))
    assert relevant["filtered_out"] == sum(map(len, kept)) - sum(map(len, passing)) > 0
    told = "no relevant item that is available passes the filters"
    assert offline.metrics["excluded"][told] == sum(
        bool(some) and not left for some, left in zip(kept, passing, strict=True)
    )
    assert offline.metrics["searches"] == sum(map(bool, passing))


def test_searches_with_and_without_filters_are_slices(offline):
    filtered = sum(filters is not None for filters in offline.searches.filters)
    slices = offline.metrics["slices"]
    for name, searches in (
        ("with_filters", filtered),
        ("without_filters", offline.metrics["searches"] - filtered),
    ):
        assert 0 < slices[name]["dense"]["recall@10"]["n"] == searches


def test_equal_requests_are_read_once_and_those_with_other_filters_apart(offline, prompts, bundle):
    searches = offline.searches
    keys = {
        (query, json.dumps(filters))
        for query, filters in zip(searches.queries, searches.filters, strict=True)
    }
    asked = offline.evidence.requests.distinct
    assert {(r.query, json.dumps(r.filters)) for r in asked} == keys
    assert len({query for query, _ in keys}) < len(keys)
    # The last stage reads both forms, the earlier ones the anonymous form alone.
    assert len(prompts) == len(offline.evidence.generated) + (len(bundle.trained) - 1) * len(keys)


def test_the_page_shows_what_was_filtered_by(offline, bundle):
    data = gather(offline.evidence, bundle, seed=0, log=SilentLog())
    (cut,) = [of for of in data["parts"] if of["kind"] == "filter"]
    searches = {part["name"]: part["searches"] for part in cut["parts"]}
    filters = offline.searches.filters
    assert searches == {
        "no filter": sum(told is None for told in filters),
        "brand": sum("brand" in (told or {}) for told in filters),
        "price": sum("price" in (told or {}) for told in filters),
    }
    assert list(searches.values()) == sorted(searches.values(), reverse=True)
    shown = [example["query"] for kind in ("good", "bad") for example in data["examples"][kind]]
    assert any(" · brand '" in query for query in shown)


def test_a_log_of_filtered_searches_alone_has_no_slices_of_them(bundle, shop):
    frame = shop.searches.frame.filter(pl.col("filters").is_not_null())
    log = ShopData(shop.catalog, Searches(frame), shop.users)
    plan = Plan(EvaluateConfig(latency_searches=0, beam=10), FusionConfig())
    metrics = evaluate(
        bundle, log, split="validation", plan=plan, health={}, log=SilentLog()
    ).metrics
    assert not {"with_filters", "without_filters"} & metrics["slices"].keys()
    assert np.isfinite(metrics["channels"]["dense"]["recall@10"]["value"])
