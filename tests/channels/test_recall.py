"""Answers as library users get them: of every channel, for many searches, page by page."""

import dataclasses
import json
import re

import numpy as np
import polars as pl
import pytest
from trained import open_whole

import genrecall
from genrecall import FilterError, Request, RequestError
from genrecall.channels.base import LONGEST_QUERY, Page
from genrecall.channels.fields import read_fields
from genrecall.data.tables import ITEMS, Catalog
from genrecall.data.texts import texts_beside
from genrecall.index.live import LiveItems

QUERIES = ["red cordless drill", "coffee maker", "blue lamp"]


@pytest.fixture(scope="module")
def bundle(shop_run):
    return open_whole(shop_run)


@pytest.fixture(scope="module", params=["generative", "dense", "lexical"])
def channel(request, bundle):
    return getattr(bundle, request.param)()


@pytest.fixture(scope="module")
def generative(bundle):
    return bundle.generative()


class TestMany:
    def test_many_searches_are_answered_as_each_alone(self, channel):
        asked = [
            QUERIES[0],
            {"query": QUERIES[1], "filters": {"color": "red"}},
            Request(QUERIES[2], filters={"price": {"lte": np.float64(40)}}),
        ]
        answers = channel.recall_many(asked, 7)
        assert [answer.query for answer in answers] == QUERIES
        for answer, given in zip(answers, asked, strict=True):
            request = Request.of(given)
            alone = channel.recall(request.query, k=7, filters=request.filters)
            assert [hit.item_id for hit in answer.hits] == [hit.item_id for hit in alone]
            scores = [[hit.score for hit in hits] for hits in (answer.hits, alone)]
            assert scores[0] == pytest.approx(scores[1], rel=1e-4)
            assert answer.hits and answer.no_hits is None and answer.beams is None

    def test_hits_have_ids_and_titles_of_the_catalog(self, channel):
        (answer,) = channel.recall_many(QUERIES[:1], 5)
        catalog = channel.items.catalog
        for place, hit in enumerate(answer.hits, start=1):
            row = catalog.row_of[hit.item_id]
            assert (hit.title, hit.rank) == (catalog.titles[row], place)
            assert list(hit.sid) == channel.items.table.codes[row].tolist()

    def test_no_search_no_answer(self, channel):
        assert channel.recall_many([]) == []
        assert channel.recall_many(query for query in ()) == []

    def test_answers_are_json(self, generative):
        (answer,) = generative.recall_many(["drill"], 2, fields=["brand", "category", "attributes"])
        told = json.loads(json.dumps(answer.to_dict()))
        assert set(told) == {"query", "calibrated", "items"}
        assert told["items"] == [hit.to_dict() for hit in answer.hits]
        first = told["items"][0]
        assert list(first) == ["item_id", "title", "score", "rank", "sid", "fields"]
        assert first["sid"] == str(answer.hits[0].sid)
        explained = generative.answer("drill", 2).to_dict()
        assert set(explained) == {"query", "calibrated", "items", "sids"}
        assert json.loads(json.dumps(explained))["sids"][0]["titles"]


class TestPage:
    def test_pages_make_up_the_answer(self, channel):
        whole = channel.recall("red cordless drill", k=10)
        pages = [channel.recall("red cordless drill", k=5, offset=offset) for offset in (0, 5)]
        assert [*pages[0], *pages[1]] == whole
        assert [hit.rank for hit in pages[1]] == [6, 7, 8, 9, 10]
        (answer,) = channel.recall_many(["red cordless drill"], 5, offset=5)
        assert answer.hits == pages[1]

    def test_no_item_scores_less_than_the_least(self, channel):
        whole = channel.recall("red cordless drill", k=10)
        least = whole[4].score
        kept = channel.recall("red cordless drill", k=10, min_score=least)
        assert kept == [hit for hit in whole if hit.score >= least]
        assert channel.recall("drill", min_score=np.float64("-inf"))

    def test_hits_show_the_fields_that_are_asked_for(self, channel):
        hits = channel.recall("drill", k=3, fields=["price", "brand", "attributes", "updated_at"])
        for hit in hits:
            catalog = channel.items.catalog
            item = catalog.frame.row(catalog.row_of[hit.item_id], named=True)
            attributes = {pair["key"]: pair["value"] for pair in item["attributes"]}
            assert hit.fields == {
                "price": item["price"],
                "brand": item["brand"],
                "attributes": attributes,
                "updated_at": None,
            }
        assert channel.recall("drill", k=1)[0].fields == {}

    def test_hits_show_an_attribute_by_the_name_that_filters_know_it_by(self, channel):
        named = ["color", "attributes.color", "attributes"]
        hits = channel.recall("drill", k=20, filters={"color": "red"}, fields=named)
        assert hits
        for hit in hits:
            assert hit.fields["color"] == hit.fields["attributes.color"] == ["red"]
            assert hit.fields["attributes"]["color"] == ["red"]

    def test_a_column_goes_before_the_attribute_of_its_name_and_items_without_it_show_nothing(
        self, generative
    ):
        frame = generative.items.catalog.frame
        attributes = [[{"key": "brand", "value": ["Own", "Other"]}], *[None] * (len(frame) - 1)]
        frame = frame.with_columns(pl.Series("attributes", attributes, ITEMS["attributes"]))
        items = dataclasses.replace(generative.items, catalog=Catalog(frame))
        shown = read_fields(items, ["brand", "attributes.brand"], np.array([0, 1], np.int32))
        assert shown == {
            "brand": frame["brand"][:2].to_list(),
            "attributes.brand": [["Own", "Other"], None],
        }

    def test_hits_are_equal_and_hashable_whatever_they_show(self, channel):
        (hit,) = channel.recall("drill", k=1, fields=["category"])
        assert len({hit, channel.recall("drill", k=1, fields=["category"])[0]}) == 1
        same = [Request("drill", filters={"brand": ["Acme"]}) for _ in range(2)]
        assert len({*same, Request("drill", filters={"brand": ["Bolt"]})}) == 2

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"k": "5"}, "k='5' is not a whole number; give k of at least 1"),
            ({"k": 2.0}, "k=2.0 is not a whole number"),
            ({"k": None}, "k=None is not a whole number"),
            ({"k": True}, "k=True is not a whole number"),
            ({"k": 0}, "k=0 asks for no item; give k of at least 1"),
            ({"offset": -1}, "offset=-1 is below 0"),
            ({"offset": "2"}, "offset='2' is not a whole number; give offset of at least 0"),
            ({"min_score": "high"}, "min_score='high' is not a number"),
            ({"min_score": float("nan")}, "min_score=nan is not a number"),
            ({"fields": "brand"}, r"fields='brand' is not a list of texts; .*\['brand', 'price'\]"),
            ({"fields": None}, "fields=None is not a list of texts"),
            ({"fields": [1]}, "fields holds 1, which is not text"),
            ({"fields": ["brnd"]}, "unknown field of an item 'brnd'; .*Did you mean 'brand'"),
            (
                {"fields": ["colour"]},
                r"unknown field of an item 'colour'; known: .*attributes, .*Did you mean 'color'",
            ),
            ({"fields": ["attributes.size"]}, r"unknown field of an item 'attributes\.size'"),
        ],
    )
    def test_what_is_no_page_is_refused(self, channel, given, message):
        with pytest.raises(RequestError, match=message):
            channel.recall("drill", **given)
        many = {"k": 5} | given
        with pytest.raises(RequestError, match=message):
            channel.recall_many(["drill"], many.pop("k"), **many)

    def test_numbers_of_numpy_will_do(self, channel):
        expected = channel.recall("drill", k=3, offset=1)
        assert channel.recall("drill", k=np.int64(3), offset=np.int32(1)) == expected
        (answer,) = channel.recall_many(["drill"], np.int64(3), offset=np.int32(1))
        assert [item["rank"] for item in json.loads(json.dumps(answer.to_dict()))["items"]] == [
            *(2, 3, 4)
        ]
        assert Page(np.int64(3), np.int32(1)).depth == 4

    def test_a_field_that_is_asked_for_twice_is_shown_once(self, channel):
        (hit,) = channel.recall("drill", k=1, fields=["brand", "price", "brand"])
        assert list(hit.fields) == ["brand", "price"]


class TestNothing:
    @pytest.mark.parametrize(
        ("given", "cause", "message"),
        [
            ("☂☂☂", "unknown_words", "no word of '☂☂☂' is known; try others"),
            (
                {"query": "drill", "filters": {"brand": "acmme"}},
                "no_such_value",
                "no item has brand 'acmme'; did you mean 'Acme'?",
            ),
            (
                {"query": "drill", "filters": {"brand": "Acme", "item_id": "item-7"}},
                "no_intersection",
                "no item passes all filters together; the items that pass each alone: brand 30, "
                "item_id 1",
            ),
            (
                {"query": "drill", "filters": {"available": False}},
                "none_available",
                "none of the 12 items that pass the filters is available now",
            ),
        ],
    )
    def test_it_says_why(self, channel, given, cause, message):
        (answer,) = channel.recall_many([given])
        assert answer.hits == []
        assert answer.no_hits.cause == cause
        assert answer.no_hits.message == message
        assert answer.to_dict()["no_items"] == {"cause": cause, "message": message}

    def test_a_page_behind_the_end_is_told(self, channel):
        found = len(channel.recall("drill", k=1000))
        (answer,) = channel.recall_many(["drill"], 5, offset=1000)
        message = f"the page starts behind the {found:,} items of the answer"
        assert (answer.no_hits.cause, answer.no_hits.message) == ("offset", message)

    def test_a_score_that_no_item_has_is_told(self, channel):
        best = channel.recall("drill", k=1)[0].score
        (answer,) = channel.recall_many(["drill"], min_score=best + 1)
        message = f"the best item scores {best:.4g}, less than min_score"
        assert (answer.no_hits.cause, answer.no_hits.message) == ("min_score", message)

    def test_a_query_whose_words_no_passing_item_has_is_told(self, bundle):
        (answer,) = bundle.lexical().recall_many(
            [{"query": "drill", "filters": {"category": "Shoes"}}]
        )
        assert answer.no_hits.cause == "no_match"

    def test_a_shop_that_is_sold_out_is_told(self, bundle):
        items = bundle.items
        assert items.why_none(None) is items.why_none({}) is None
        frame = items.catalog.frame.with_columns(available=pl.lit(False))
        sold_out = LiveItems(Catalog(frame), items.table, items.vectors)
        (answer,) = dataclasses.replace(bundle, items=sold_out).lexical().recall_many(["drill"])
        message = "none of the 120 items of the shop is available now"
        assert (answer.no_hits.cause, answer.no_hits.message) == ("none_available", message)


class TestRefused:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (None, "None is no search; give a Request, a query, or a mapping"),
            (5, "5 is no search"),
            ({}, r"the request \{\} has no query; give what the shopper typed"),
            ({"query": None}, "the query None is not text"),
            ({"query": b"drill"}, "the query b'drill' is not text"),
            ({"q": "drill"}, "unknown part of a request 'q'; known: filters, query, shopper"),
            ({"query": "drill", "filters": "price<5"}, "filters 'price<5' must map fields"),
            ({"query": "drill", "filters": [("price", 5)]}, "must map fields to conditions"),
            ({"query": "drill", "shopper": "u1"}, "'u1' is no shopper, and a bundle knows nothing"),
            ({"query": "drill", "shopper": {"name": "u1"}}, "unknown field of a shopper 'name'"),
            ({"query": "drill", "filters": {"brnd": "Acme"}}, "unknown filter field 'brnd'"),
            (" ", "the query ' ' of request 0 is empty"),
        ],
    )
    def test_what_is_no_search(self, channel, given, message):
        with pytest.raises(RequestError, match=message):
            channel.recall_many([given])

    @pytest.mark.parametrize("given", ["drill", {"query": "drill"}, None, 5, b"drill"])
    def test_what_is_no_list_of_searches(self, channel, given):
        with pytest.raises(RequestError, match="is not a list of searches; give one"):
            channel.recall_many(given)

    @pytest.mark.parametrize("given", ["u1", 5, ["i1"], ("gender", "female")])
    def test_a_user_that_is_no_shopper(self, channel, given):
        with pytest.raises(RequestError, match=r"is no shopper, .*Shopper\(profile=\{'gender'"):
            channel.recall("drill", user=given)

    def test_a_ranking_takes_requests(self, channel):
        with pytest.raises(RequestError, match="request 1 is 'drill' and no Request"):
            channel.rank([Request("drill"), "drill"], 3)
        with pytest.raises(RequestError, match="k='3' is not a whole number"):
            channel.rank([Request("drill")], "3")

    def test_a_query_that_nobody_types(self, channel):
        longest = ("drill " * LONGEST_QUERY)[:LONGEST_QUERY]
        assert channel.recall(longest, k=1)
        with pytest.raises(RequestError) as told:
            channel.recall(longest + "s")
        assert re.fullmatch(
            r"the query 'drill .{70}… of request 0 has 1,001 characters; give at most 1,000\.",
            str(told.value),
        )

    def test_filters_are_still_filters(self, channel):
        with pytest.raises(FilterError, match="filter on 'price': 'cheap' is not a number"):
            channel.recall("drill", filters={"price": "cheap"})


class TestExplained:
    def test_an_explained_answer_is_the_same_page(self, generative):
        told = generative.answer("red cordless drill", 4, offset=2, fields=["price"], min_score=-1)
        page = {"offset": 2, "fields": ["price"], "min_score": -1}
        assert told.hits == generative.recall("red cordless drill", k=4, **page)
        assert told.beams

    def test_an_explained_answer_without_items_says_why(self, generative):
        told = generative.answer({"query": "drill", "filters": {"brand": "Acmme"}})
        assert (told.hits, told.beams, told.no_hits.cause) == ([], [], "no_such_value")

    @pytest.mark.parametrize("given", [{"beams": "3"}, {"titles": None}, {"k": "5"}])
    def test_wrong_types_are_refused(self, generative, given):
        with pytest.raises(RequestError, match="is not a whole number"):
            generative.answer("drill", **given)

    def test_a_beam_of_another_type_is_refused(self, generative):
        with pytest.raises(RequestError, match="beam='8' is not a whole number"):
            generative.generate([Request("drill")], "8")


class TestBundle:
    def test_unknown_stages_and_arms_are_named(self, bundle):
        with pytest.raises(
            RequestError, match="unknown training stage or arm 'query'; known: item_to_sid"
        ):
            bundle.generative("query")
        with pytest.raises(RequestError, match="unknown training stage or arm 'query'"):
            bundle.of_folds("query")

    def test_the_encoder_gives_vectors(self, bundle):
        vectors = bundle.encoder.encode(["red drill", "☂☂☂"])
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0], atol=1e-6)
        catalog = bundle.items.catalog
        others = texts_beside(catalog.frame[:3], bundle.encoder.beside.fields)
        assert all(others)
        found = bundle.encoder.encode_items(catalog.titles[:3], others)
        np.testing.assert_allclose(found, bundle.items.vectors[:3], rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("given", ["red drill", None, 5, [None], ["red drill", 5]])
    def test_the_encoder_takes_lists_of_texts(self, bundle, given):
        for encode in (bundle.encoder.encode, bundle.encoder.encode_items):
            with pytest.raises(RequestError, match=r"such as \['"):
                encode(given)
        np.testing.assert_array_equal(
            bundle.encoder.encode(np.array(["red drill"])), bundle.encoder.encode(["red drill"])
        )

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"path": None}, "path=None is no path; give the folder of a bundle"),
            ({"path": 5}, "path=5 is no path"),
            ({"threads": "2"}, "threads='2' is not a whole number; give threads of at least 1"),
            ({"threads": 0}, "threads=0 compute nothing; give threads of at least 1"),
        ],
    )
    def test_what_opens_no_bundle(self, shop_run, given, message):
        for door in (genrecall.load, genrecall.open_bundle):
            with pytest.raises(RequestError, match=message):
                door(**({"path": shop_run.bundle} | given))


def test_the_public_names_are_there():
    assert dir(genrecall) == sorted(genrecall.__all__)
    for name in genrecall.__all__:
        assert getattr(genrecall, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'recall'"):
        _ = genrecall.recall
