import numpy as np
import polars as pl
import pytest
from channel_shop import make_shop

from genrecall.channels.base import Request
from genrecall.channels.popularity import PopularityChannel
from genrecall.data.tables import SEARCHES, Searches
from genrecall.foundation.errors import RequestError
from genrecall.index.live import Eligible

SHOP = make_shop()
CHOSEN = [("Drill", [3, 4], [1.0, 2.0]), ("drill ", [3], [2.0]), ("saw", [9], [1.0])]


@pytest.fixture
def channel():
    rows = [
        dict.fromkeys(SEARCHES) | {"query": query, "positives": items, "gains": gains}
        for query, items, gains in CHOSEN
    ]
    searches = Searches(pl.DataFrame(rows, schema=SEARCHES))
    return PopularityChannel(searches, eligible=Eligible(SHOP.filters))


def test_items_stand_by_their_gain_after_the_same_query_however_spelled(channel):
    one, other = channel.rank([Request("DRILL"), Request("saw")], 10)
    assert (one.rows.tolist(), one.scores.tolist()) == ([3, 4], [3.0, 2.0])
    assert other.rows.tolist() == [9]
    assert channel.rank([Request("drill")], 1)[0].rows.tolist() == [3]


def test_a_query_that_training_never_saw_has_an_empty_answer(channel):
    (ranking,) = channel.rank([Request("lamp")], 10)
    assert len(ranking.rows) == 0
    assert "lamp" not in channel
    assert "drill" in channel


def test_filters_and_unusable_requests(channel):
    (ranking,) = channel.rank([Request("drill", filters={"price": {"gte": 4}})], 10)
    assert ranking.rows.tolist() == [4]
    with pytest.raises(RequestError, match="is empty"):
        channel.rank([Request("")], 10)


def test_sids_stand_by_the_gain_of_their_items(channel):
    sid_of_item = np.zeros(60, dtype=np.int64)
    sid_of_item[[3, 4, 9]] = [7, 5, 5]
    leaves = channel.generate([Request("drill"), Request("lamp")], 3, sid_of_item)
    assert leaves.tolist() == [[7, 5, -1], [-1, -1, -1]]
