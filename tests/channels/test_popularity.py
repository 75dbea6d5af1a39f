import dataclasses

import numpy as np
import pytest
from channel_shop import make_shop, searches_of

from genrecall.channels.base import Request
from genrecall.channels.popularity import PopularityChannel
from genrecall.data.tables import Catalog
from genrecall.foundation.errors import RequestError
from genrecall.foundation.sid import SidSpace, SidTable

SHOP = make_shop()
CHOSEN = [("Drills", [3, 4], [1.0, 2.0]), ("drill ", [3], [2.0]), ("saw", [9], [1.0])]


@pytest.fixture
def channel():
    return PopularityChannel(searches_of(CHOSEN), SHOP)


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


def test_sids_stand_by_the_gain_of_their_items():
    codes = np.zeros((60, 3), dtype=np.int32)
    codes[[3, 4, 9], 2] = [2, 1, 1]
    shop = dataclasses.replace(SHOP, table=SidTable(SidSpace((1, 1, 3)), codes))
    channel = PopularityChannel(searches_of(CHOSEN), shop)
    leaves = channel.generate([Request("drill"), Request("lamp")], 3)
    assert leaves.tolist() == [[2, 1, -1], [-1, -1, -1]]


def test_sids_stand_by_the_gain_of_their_live_items():
    """Of what is not available today nothing is generated, as by the other channels."""
    frame = SHOP.catalog.frame.with_columns(available=np.arange(60) != 4)
    shop = dataclasses.replace(SHOP, catalog=Catalog(frame))
    channel = PopularityChannel(searches_of(CHOSEN), shop)
    assert [ranking.rows.tolist() for ranking in channel.rank([Request("drill")], 10)] == [[3]]
    sid = int(SHOP.table.sid_of_item[3])
    assert channel.generate([Request("drill")], 2).tolist() == [[sid, -1]]
