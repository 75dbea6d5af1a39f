"""Requests of an evaluation and who makes them."""

import polars as pl
import pytest
from channel_shop import shop_of

from genrecall.channels.base import Request
from genrecall.channels.config import LexicalConfig
from genrecall.channels.lexical import LexicalChannel
from genrecall.data.histories import shoppers_at
from genrecall.data.load import load_shop, load_tables
from genrecall.data.shop_data import ShopData
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import USERS
from genrecall.offline.requests import DistinctRequests

MIA, TOM = Shopper(history=("a",)), Shopper(profile=(("gender", "male"),))


def test_each_distinct_request_is_asked_once():
    given = [("saw", MIA), ("saw", None), ("saw", MIA), ("drill", MIA), ("saw", TOM)]
    asked = DistinctRequests([Request(query, shopper) for query, shopper in given])
    assert [(r.query, r.shopper) for r in asked.distinct] == [*given[:2], *given[3:]]
    answers = [f"{r.query} {r.shopper}" for r in asked.distinct]
    assert asked.spread(answers) == [f"{query} {shopper}" for query, shopper in given]


def test_requests_with_other_filters_are_others():
    acme, cheap = {"brand": "Acme", "price": {"lte": 5}}, {"price": {"lte": 5}, "brand": "Acme"}
    given = [acme, None, cheap, {}, {"brand": "Bolt"}]
    asked = DistinctRequests([Request("saw", MIA, filters) for filters in given])
    assert [request.filters for request in asked.distinct] == [acme, None, {"brand": "Bolt"}]
    assert asked.place.tolist() == [0, 1, 0, 1, 2]


def test_a_channel_is_asked_distinct_requests_and_answers_searches():
    shop = shop_of(["saw", "drill", "saw set"])
    asked = DistinctRequests([Request("saw"), Request("drill"), Request("saw")])
    rankings = asked.ask(LexicalChannel(shop, LexicalConfig()), k=2)
    assert [ranking.rows.tolist() for ranking in rankings] == [[0, 2], [1], [0, 2]]
    assert rankings[0] is rankings[2]


def test_what_a_run_has_read_is_its_log(shop_run):
    log = load_shop(shop_run.open_stage("data"))
    assert log.searches.of("train").queries
    assert log.users is not None  # nothing but their choices is known of these shoppers
    assert log.users.height == 0


@pytest.fixture(scope="module")
def tables(shop_run):
    return load_tables(shop_run.open_stage("data"))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_shopper_is_known_by_what_came_before(tables, split):
    catalog, searches = tables
    users = pl.DataFrame(
        [dict.fromkeys(USERS) | {"user_id": "shopper-3", "gender": "female"}], schema=USERS
    )
    measured = searches.of(split)
    shoppers = shoppers_at(ShopData(catalog, searches, users), measured, split, length=4)
    frame = measured.frame
    assert len(shoppers) == frame.height > 10
    seen = {"train": ["train"], "validation": ["train", "validation"]}.get(split)
    visible = searches.frame if seen is None else searches.frame.filter(pl.col("split").is_in(seen))
    for shopper, search in zip(shoppers, frame.iter_rows(named=True), strict=True):
        before = visible.filter(
            (pl.col("user_id") == search["user_id"]) & (pl.col("time") < search["time"])
        ).sort("time")
        rows = [row for rows in before["positives"].to_list() for row in reversed(rows)]
        latest = list(dict.fromkeys(reversed(rows)))[:4]
        assert shopper.history == tuple(catalog.item_ids[row] for row in reversed(latest))
        female = search["user_id"] == "shopper-3"
        assert shopper.profile == ((("gender", "female"),) if female else ())
