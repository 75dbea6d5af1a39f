"""Queries won and lost, the list to be searched, and the parts, by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from genrecall.channels.base import Request
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import ITEMS, Catalog
from genrecall.evaluate.inputs import EvaluationInputs
from genrecall.offline.queries import Asked, contest_of, parts, query_list, won_and_lost
from genrecall.offline.requests import DistinctRequests


def rows(*values):
    return np.array(values, dtype=np.int32)


@pytest.fixture
def asked():
    """Four searches of three queries: one won, one lost, one as before."""
    frame = pl.DataFrame(
        {
            "item_id": list("abcd"),
            "title": ["Item a", "Item b", "Item c", "Item d"],
            "category": [["All", "Tools"], ["All", "Tools"], ["All", "Light"], None],
        },
        schema_overrides=dict(ITEMS),
    )
    inputs = EvaluationInputs(
        split="validation",
        positives=[rows(0, 1), rows(2), rows(0), rows(3)],
        channels={
            "generative": [rows(0, 1), rows(), rows(0), rows()],
            "bm25+dense": [rows(0), rows(2), rows(0), rows()],
            "bm25+dense+generative": [rows(0, 1), rows(3), rows(0), rows()],
        },
    )
    queries = ["cordless drill", "lamp", "cordless drill", "a b c d e"]
    requests = DistinctRequests([Request(query) for query in queries])
    sids = np.arange(12).reshape(4, 3)
    return Asked(inputs, requests, Catalog(frame), sids, seed=0)


def test_a_query_is_won_where_the_first_items_got_better(asked):
    contest = won_and_lost(asked)
    assert [contest[name] for name in ("won", "lost", "equal")] == [1, 1, 1]
    (won,), (lost,) = contest["queries"]["won"], contest["queries"]["lost"]
    # Of its two searches the first had one of two relevant items before, and the second all.
    assert won["recall"] == {"with": 1.0, "without": 0.75}
    assert (won["query"], won["searches"], won["relevant"]) == ("cordless drill", 2, 2)
    assert won["answers"]["with"] == [
        {"title": "Item a", "sid": [0, 1, 2], "relevant": True, "shared": True},
        {"title": "Item b", "sid": [3, 4, 5], "relevant": True, "shared": False},
    ]
    assert (lost["query"], lost["recall"]) == ("lamp", {"with": 0.0, "without": 1.0})
    assert [item["title"] for item in lost["answers"]["without"]] == ["Item c"]


def test_a_query_of_several_shoppers_is_shown_once_and_says_that_one_is_known(asked):
    shoppers = [Shopper([("gender", name)]) for name in ("f", "m")]
    requests = [
        *(Request("cordless drill", shopper=shopper) for shopper in (*shoppers, None)),
        Request("lamp"),
    ]
    channels = asked.inputs.channels | {
        "bm25+dense": [rows(), rows(), rows(0), rows()],
        "bm25+dense+generative": [rows(0, 1), rows(2), rows(0), rows(3)],
    }
    inputs = replace(asked.inputs, channels=channels)
    found = won_and_lost(asked._replace(inputs=inputs, requests=DistinctRequests(requests)))
    assert (found["won"], found["lost"], found["equal"]) == (3, 0, 1)
    shown = {query["query"]: query["shopper"] for query in found["queries"]["won"]}
    assert shown == {"cordless drill": True, "lamp": False}
    assert len(found["queries"]["won"]) == 2


def test_the_list_has_each_query_once_with_its_category_and_mean_recall(asked):
    found = query_list(asked)
    assert found["channels"] == ["generative", "bm25+dense", "bm25+dense+generative"]
    assert found["of"] == 3
    assert found["rows"] == [
        ["cordless drill", "All > Tools", 2, 1.0, 0.75, 1.0],
        ["a b c d e", "no category", 1, 0.0, 0.0, 0.0],
        ["lamp", "All > Light", 1, 0.0, 1.0, 0.0],
    ]


def test_parts_are_categories_where_they_differ_and_words_of_the_query(asked):
    category, words = parts(asked)
    assert [(part["name"], part["searches"]) for part in category["parts"]] == [
        ("All > Tools", 2),
        ("All > Light", 1),
        ("no category", 1),
    ]
    tools = category["parts"][0]
    assert tools["figures"]["bm25+dense"]["value"] == 0.75
    assert tools["paired"]["value"] == 0.25
    assert [(part["name"], part["searches"]) for part in words["parts"]] == [
        ("1", 1),
        ("2", 2),
        ("4 or more", 1),
    ]


def test_without_the_fusions_nothing_is_won_or_lost(asked):
    only = {"generative": asked.inputs.channels["generative"]}
    inputs = EvaluationInputs(split="validation", positives=asked.inputs.positives, channels=only)
    found = contest_of(asked._replace(inputs=inputs))
    assert "contest" not in found
    assert found["queries"]["channels"] == ["generative"]
    assert "paired" not in found["parts"][0]["parts"][0]
