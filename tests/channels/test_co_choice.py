"""What shoppers chose together: its cosines by hand, categories, and what is left out."""

import numpy as np
import polars as pl
import pytest
from channel_shop import make_shop

from genrecall.channels.base import Request
from genrecall.channels.co_choice import CoChoiceChannel, chosen_again
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import SEARCHES, Searches

SHOP = make_shop()
THERE = [row for row in range(len(SHOP)) if SHOP.available is None or SHOP.available[row]]
IDS = [SHOP.catalog.item_ids[row] for row in THERE]
BASKETS = {"ann": [0, 1, 2], "bob": [0, 1], "cid": [1, 3], "dot": [5]}


def log_of(baskets):
    rows = [
        {"query": "any", "user_id": user, "time": time, "split": "train", "positives": [THERE[row]]}
        for user, chosen in baskets.items()
        for time, row in enumerate(chosen)
    ]
    rows.append(
        {
            "query": "any",
            "user_id": None,
            "time": 1,
            "split": "train",
            "positives": [THERE[0], THERE[5]],
        }
    )
    return Searches(pl.DataFrame(rows, schema_overrides=SEARCHES)).completed()


def channel_of(baskets=BASKETS, **settings):
    return CoChoiceChannel(log_of(baskets), SHOP, **settings)


def ask(channel, history, query="zzz", filters=None):
    shopper = Shopper(history=[IDS[row] for row in history])
    (ranking,) = channel.rank([Request(query, shopper, filters)], 10)
    rows = [THERE.index(row) for row in ranking.rows.tolist()]
    return dict(zip(rows, ranking.scores.tolist(), strict=True))


def cosine(one, other):
    both = sum(one in basket and other in basket for basket in BASKETS.values())
    sizes = [sum(row in basket for basket in BASKETS.values()) for row in (one, other)]
    return both / np.sqrt(np.prod(sizes))


def test_scores_are_summed_cosines():
    assert ask(channel_of(), [0]) == pytest.approx({1: cosine(0, 1), 2: cosine(0, 2)})
    expected = {row: cosine(0, row) + cosine(3, row) for row in (1, 2)}
    assert ask(channel_of(), [0, 3]) == pytest.approx(expected)


def test_who_shares_nothing_or_is_nobody_gets_nothing():
    assert ask(channel_of(), [5]) == {}
    assert ask(channel_of(), [7]) == {}
    (ranking,) = channel_of().rank([Request("any")], 5)
    assert len(ranking.rows) == 0
    assert not ranking.known
    assert ask(channel_of({}), [0]) == {}


def test_what_was_chosen_can_be_left_out():
    assert 0 in ask(channel_of(), [1, 0])
    assert set(ask(channel_of(leaves_out_chosen=True), [1, 0])) == {2, 3}


def test_a_query_that_names_a_category_keeps_to_it():
    paths = [list(path or ()) for path in SHOP.catalog.frame["category"].to_list()]
    path = next(paths[row] for row in THERE[:4] if paths[row])
    inside = {place for place, row in enumerate(THERE) if paths[row][: len(path)] == path}
    found = ask(channel_of(), [0, 1, 2, 3], query=" ".join(path))
    assert found
    assert set(found) <= inside
    assert set(found) == set(ask(channel_of(), [0, 1, 2, 3])) & inside


def test_filters_hold():
    wanted = IDS[2]
    assert set(ask(channel_of(), [0], filters={"item_id": wanted})) == {2}


def test_only_the_latest_choices_of_a_shopper_count(monkeypatch):
    monkeypatch.setattr("genrecall.channels.co_choice._MOST_CHOICES", 2)
    assert set(ask(channel_of(), [1])) == {0, 2, 3}
    assert set(ask(channel_of(), [0])) == {1}


def test_whether_anything_is_chosen_again():
    assert not chosen_again(log_of(BASKETS))
    assert chosen_again(log_of(BASKETS | {"eve": [4, 2, 4]}))
    assert not chosen_again(log_of({}))
