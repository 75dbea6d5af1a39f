"""What every channel promises. A new channel joins by one line in `CHANNELS`."""

import numpy as np
import pytest
from channel_shop import encode, make_shop, normalize, searches_of
from generative_shop import generative_channel

from genrecall.channels.base import Channel, Request
from genrecall.channels.config import LexicalConfig
from genrecall.channels.dense import DenseChannel
from genrecall.channels.lexical import LexicalChannel
from genrecall.channels.popularity import PopularityChannel
from genrecall.foundation.errors import FilterError, RequestError

CHANNELS = {
    "bm25": lambda shop: LexicalChannel(shop, LexicalConfig()),
    "dense": lambda shop: DenseChannel(
        shop, encode=lambda requests: encode([request.query for request in requests])
    ),
    "generative": lambda shop: generative_channel(shop.catalog),
    "popularity": lambda shop: PopularityChannel(log_of(shop), shop),
}

QUERIES = ("drill", "red drill", "blue Acme saw 3", "lamps", "green hammer bolt", "acme", "3")


def log_of(shop):
    """After every query each item was chosen that shares a word with it, and the best most."""
    chosen = []
    for query in QUERIES:
        words = {word.rstrip("s") for word in normalize(query).split()}
        shared = [len(words & set(normalize(title).split())) for title in shop.catalog.titles]
        rows = np.flatnonzero(shared)
        chosen.append((query, rows.tolist(), [float(shared[row]) for row in rows.tolist()]))
    return searches_of(chosen)


@pytest.fixture(scope="module")
def shop():
    return make_shop()


@pytest.fixture(scope="module", params=CHANNELS)
def channel(request, shop) -> Channel:
    return CHANNELS[request.param](shop)


def requests(filters=None):
    return [Request(query, filters=filters) for query in QUERIES]


@pytest.mark.parametrize("k", [1, 5, 1000])
def test_rankings_hold_at_most_k_items_once_best_first(channel, shop, k):
    rankings = channel.rank(requests(), k)
    assert len(rankings) == len(QUERIES)
    for ranking in rankings:
        assert ranking.rows.dtype == np.int32
        assert ranking.scores.dtype == np.float32
        assert len(ranking.rows) == len(ranking.scores) <= k
        assert len(set(ranking.rows.tolist())) == len(ranking.rows)
        assert (np.diff(ranking.scores) <= 0).all()
        assert np.isfinite(ranking.scores).all()
        assert shop.available[ranking.rows].all()


def test_every_query_of_known_words_finds_something(channel):
    assert all(len(ranking.rows) == 5 for ranking in channel.rank(requests(), 5))


def test_answer_fits_the_query(channel, shop):
    (ranking,) = channel.rank([Request("red drill")], 1)
    assert "red" in shop.catalog.titles[ranking.rows[0]]
    assert "drill" in shop.catalog.titles[ranking.rows[0]]


def test_batch_answers_as_single_requests_do(channel):
    mixed = [
        *requests(),
        *requests({"color": "red"}),
        Request("drill", filters={"price": {"gte": 30}}),
    ]
    together = channel.rank(mixed, 20)
    for request, ranking in zip(mixed, together, strict=True):
        (alone,) = channel.rank([request], 20)
        assert ranking.rows.tolist() == alone.rows.tolist()
        np.testing.assert_allclose(ranking.scores, alone.scores, rtol=1e-5, atol=1e-6)


def test_same_requests_have_the_same_answer(channel):
    first, second = (channel.rank(requests(), 20) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.rows.tolist() == b.rows.tolist()
        assert a.scores.tolist() == b.scores.tolist()


@pytest.mark.parametrize(
    "filters",
    [
        {"brand": "Acme"},
        {"color": {"not": "red"}},
        {"price": {"gte": 20, "lt": 40}, "available": True},
        {"category": "Tools > drill"},
    ],
)
def test_answers_pass_the_filters(channel, shop, filters):
    passing = shop.mask(filters)
    for ranking in channel.rank(requests(filters), 1000):
        assert passing[ranking.rows].all()


def test_filters_act_before_the_cut(channel, shop):
    request = Request("red drill")
    best = {int(row) for row in channel.rank([request], 3)[0].rows}
    prices = [shop.catalog.frame["price"][row] for row in best]
    others = Request("red drill", filters={"price": {"not": prices}})
    (ranking,) = channel.rank([others], 3)
    assert len(ranking.rows) == 3
    assert not best & set(ranking.rows.tolist())


def test_filters_that_nothing_passes_leave_an_empty_answer(channel):
    for ranking in channel.rank(requests({"price": {"gt": 10_000}}), 10):
        assert len(ranking.rows) == len(ranking.scores) == 0


def test_a_query_without_a_known_word_is_told_from_one_that_finds_nothing(channel):
    unknown, filtered = channel.rank(
        [Request("☂☂☂"), Request("drill", filters={"price": {"gt": 10_000}})], 10
    )
    assert len(unknown.rows) == len(filtered.rows) == 0
    assert (unknown.known, filtered.known) == (False, True)


def test_it_answers_with_ids_and_titles_what_it_ranks(channel, shop):
    rankings = channel.rank(requests(), 5)
    answers = channel.recall_many(QUERIES, 5)
    for ranking, answer in zip(rankings, answers, strict=True):
        found = [(shop.catalog.item_ids[row], shop.catalog.titles[row]) for row in ranking.rows]
        assert [(hit.item_id, hit.title) for hit in answer.hits] == found


def test_no_request_no_answer(channel):
    assert channel.rank([], 10) == []


@pytest.mark.parametrize("query", ["", "  \t"])
def test_empty_query_is_refused(channel, query):
    with pytest.raises(RequestError, match="of request 1 is empty; give at least one word"):
        channel.rank([Request("drill"), Request(query)], 10)


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(channel, k):
    with pytest.raises(RequestError, match=f"k={k} asks for no item; give k of at least 1"):
        channel.rank([Request("drill")], k)


def test_unknown_filter_is_refused(channel):
    with pytest.raises(FilterError, match=r"unknown filter field 'colour'; known: .*color"):
        channel.rank([Request("drill", filters={"colour": "red"})], 10)


def test_channel_has_a_name_without_a_plus(channel):
    assert channel.name
    assert "+" not in channel.name
