"""What the generative channel says of searches, from one reading."""

import numpy as np
import pytest

from genrecall.bundle import load
from genrecall.channels.base import Request
from genrecall.offline.generated import answer_searches
from genrecall.offline.requests import DistinctRequests

QUERIES = ["red drill", "blue lamp", "red drill", "xyzzy"]


@pytest.fixture(scope="module")
def channel(shop_run):
    return load(shop_run.bundle)


def test_searches_are_answered_as_the_channel_answers_them(channel):
    asked = [Request(query) for query in QUERIES]
    answers = answer_searches(channel, DistinctRequests(asked), 20, 10)
    for ranking, alone in zip(answers.rankings, channel.rank(asked, 20), strict=True):
        np.testing.assert_array_equal(ranking.rows, alone.rows)
    np.testing.assert_array_equal(answers.sids, channel.generate(asked, 10).leaves)


def test_each_distinct_request_is_read_once(channel, monkeypatch):
    read, of_generator = [], channel.generator.read

    def keep(prompts):
        read.extend(prompt.text for prompt in prompts)
        return of_generator(prompts)

    monkeypatch.setattr(channel.generator, "read", keep)
    answer_searches(channel, DistinctRequests([Request(query) for query in QUERIES]), 20, 10)
    assert read == ["red drill", "blue lamp", "xyzzy"]
