"""The synthetic shop with a log of a bundle's channels, and kept where it is up to date."""

import json
import re

import numpy as np
import pytest
from tiny_shop import SETTINGS

from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.config import parse_config
from genrecall.foundation.errors import ArtifactError, ConfigError, RequestError
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.simulate import (
    CHANNELS,
    FUSION,
    LoggedBy,
    check_items,
    ensure_shop,
    recall_of,
    shop_config,
)
from genrecall.shop.make import make_items

SIZE = {"items": 150, "searches": 400, "shoppers": 20, "distinct_queries": 60, "impressions": 5}
CONFIG = shop_config(seed=1, **SIZE)
QUERIES = ["drill", "lamp blue", "Women's shoes", "xyzzy", "日本", "x" * 300]


class Told(SilentLog):
    """Keeps what it is told."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Outputs of a run on the shop's own log; only to be read."""
    folder = tmp_path_factory.mktemp("simulate")
    ensure_shop(folder / "shop", CONFIG)
    tables = {name: {"file": f"shop/{name}.jsonl"} for name in ("items", "searches", "users")}
    config = parse_config(SETTINGS | {"data": tables}, folder=folder, name="shop")
    run(config, Outputs(folder / "run"), log=SilentLog())
    return Outputs(folder / "run")


@pytest.fixture(scope="module")
def opened(made):
    return open_bundle(made.bundle)


# Channels as the recall of a shop


def test_candidates_are_what_the_channels_find(opened):
    k = 20
    recall = recall_of(opened, CHANNELS, k=k)
    assert recall.channels == CHANNELS
    channels = (opened.lexical(), opened.dense(), opened.generative())
    for query, found in zip(QUERIES, recall(QUERIES), strict=True):
        lists = [channel.rank([Request(query)], k)[0].rows.tolist() for channel in channels]
        assert set(found.rows) == {row for rows in lists for row in rows}
        summed = {}
        for row, bits in zip(found.rows.tolist(), found.found_by.tolist(), strict=True):
            assert [bool(bits >> at & 1) for at in range(3)] == [row in rows for rows in lists]
            ranks = [rows.index(row) + 1 for rows in lists if row in rows]
            summed[row] = sum(1 / (FUSION.rrf_k + rank) for rank in ranks)
        best = max(summed.values(), default=1)
        assert found.match == pytest.approx([value / best for value in summed.values()], rel=1e-5)


def test_a_batch_answers_as_its_queries_would_alone(opened):
    recall = recall_of(opened, CHANNELS, k=10)
    for query, found in zip(QUERIES, recall(QUERIES), strict=True):
        (alone,) = recall([query])
        for one, other in zip(found, alone, strict=True):
            assert np.array_equal(one, other)


def test_a_query_that_says_nothing_has_no_candidates(opened):
    lexical = recall_of(opened, ["bm25"])
    for found in lexical(["", "  ", "xyzzy"]):
        assert [len(column) for column in found] == [0, 0, 0]
    assert len(lexical(["", "drill", " "])[1].rows) > 0
    assert lexical([]) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["bm25", "dens"], r"unknown channel 'dens'; known: bm25, dense, generative. .*'dense'"),
        ([], r"channels \(none\): give at least one of bm25, dense, generative, each once"),
        (["dense", "dense"], r"channels dense, dense: .*each once"),
    ],
)
def test_unusable_channels_are_refused(opened, names, message):
    with pytest.raises(ConfigError, match=message):
        recall_of(opened, names)


def test_channels_find_at_least_one_item(opened):
    with pytest.raises(RequestError, match="k=0 asks for no item"):
        recall_of(opened, ["bm25"], k=0)


def test_a_bundle_of_other_items_is_refused(opened):
    check_items(opened.items.catalog, make_items(CONFIG), name="b")
    # The ids of another seed are the same, its titles are not.
    other = make_items(CONFIG.model_copy(update={"seed": 2}))
    with pytest.raises(ConfigError, match=r"b was made of another shop: item 0 is 'i000000 .*seed"):
        check_items(opened.items.catalog, other, name="b")
    larger = make_items(CONFIG.model_copy(update={"items": 160}))
    with pytest.raises(ConfigError, match="it has 150 items, the shop 160"):
        check_items(opened.items.catalog, larger, name="b")


# The shop on disk


def test_the_log_of_a_bundle_shows_what_its_channels_find(tmp_path, made, opened):
    names = ("bm25", "generative")
    told = ensure_shop(tmp_path / "shop", CONFIG, logged_by=LoggedBy(made.bundle, names))
    assert told["logging_policy"] == "bm25+generative"
    searches = [
        json.loads(line)
        for line in (tmp_path / "shop/searches.jsonl").read_text("utf-8").splitlines()
    ]
    ids = opened.items.catalog.item_ids
    recall, bits = recall_of(opened, names), {"bm25": 1, "generative": 2}
    texts = [search["query"] for search in searches[:30]]
    for search, found in zip(searches[:30], recall(texts), strict=True):
        found_by = {ids[row]: by for row, by in zip(found.rows, found.found_by, strict=True)}
        told_by = [sum(bits[name] for name in by) for by in search["impression_channels"]]
        assert told_by == [found_by[item] for item in search["impressions"]]


def test_a_shop_is_kept_if_everything_it_was_made_from_is_the_same(tmp_path, made):
    def ensure(config=CONFIG, **given):
        log = Told()
        ensure_shop(tmp_path / "shop", config, log=log, **given)
        return log.lines == ["  shop: up to date"]

    assert not ensure()
    assert ensure()
    assert not ensure(CONFIG.model_copy(update={"log_seed": 1}))
    for logged_by in (LoggedBy(made.bundle, ("bm25",)), LoggedBy(made.bundle, ("bm25",), k=3)):
        assert not ensure(logged_by=logged_by)
        assert ensure(logged_by=logged_by)
    (tmp_path / "shop/log.json").write_text("{}", "utf-8")
    assert not ensure(logged_by=logged_by)


def test_what_another_wrote_is_left(tmp_path):
    (tmp_path / "kept").write_text("precious", "utf-8")
    with pytest.raises(ArtifactError, match=re.escape(f"{tmp_path} was not written by")):
        ensure_shop(tmp_path, CONFIG)
    assert (tmp_path / "kept").read_text("utf-8") == "precious"


def test_a_bundle_that_does_not_fit_replaces_no_shop(tmp_path, made):
    told = ensure_shop(tmp_path / "shop", CONFIG)
    other = CONFIG.model_copy(update={"seed": 2})
    with pytest.raises(ConfigError, match="another shop"):
        ensure_shop(tmp_path / "shop", other, logged_by=LoggedBy(made.bundle))
    assert ensure_shop(tmp_path / "shop", CONFIG) == told


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shopper_model": "x"}, r"shopper_model 'x': .*should be 'position' or 'cascade'"),
        ({"items": 3}, r"items 3: .*greater than or equal to 100"),
        ({"shops": 3}, r"shops 3: .*not permitted"),
    ],
)
def test_unusable_settings_are_refused(given, message):
    with pytest.raises(ConfigError, match=f"no shop can be made with {message}"):
        shop_config(**given)
