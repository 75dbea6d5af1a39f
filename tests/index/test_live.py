"""One view of what can be answered now."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from channel_shop import make_shop

from genrecall.data.tables import ITEMS, Catalog
from genrecall.foundation.errors import FilterError
from genrecall.index.item_views import ItemViews
from genrecall.index.live import LiveItems

SHOP = make_shop()


def test_only_what_is_not_marked_as_unavailable_can_be_answered():
    assert np.flatnonzero(~SHOP.available).tolist() == list(range(0, 60, 7))
    assert SHOP.postings.sizes[SHOP.table.sid_of_item].tolist() == SHOP.available.tolist()
    unknown = SHOP.catalog.frame.with_columns(available=pl.lit(None, pl.Boolean))
    assert LiveItems(Catalog(unknown), SHOP.table, SHOP.vectors).available is None


def test_a_mask_is_of_available_items_that_pass():
    assert SHOP.mask(None) is SHOP.mask({}) is SHOP.available
    green = SHOP.mask({"color": "green"})
    assert np.flatnonzero(green).tolist() == [i for i in range(60) if i % 3 == 2 and i % 7]
    with pytest.raises(FilterError, match="unknown filter field"):
        SHOP.mask({"colour": "green"})


def test_a_generator_sees_the_same_items_with_its_own_vectors():
    views = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    seen = SHOP.seen_as(ItemViews.alone(views))
    np.testing.assert_array_equal(SHOP.views[:], SHOP.vectors)
    assert seen.views.parts == (views,)
    assert seen.vectors is SHOP.vectors
    for name in ("available", "filters", "trie", "postings", "efficiency", "groups"):
        assert getattr(seen, name) is getattr(SHOP, name)
    np.testing.assert_allclose(
        seen.means, views / np.linalg.norm(views, axis=1)[:, None], rtol=1e-5
    )
    assert seen.means.shape == (60, 5) != SHOP.means.shape


def test_other_vectors_leave_nothing_of_the_old_ones():
    vectors = np.ones((60, 3), dtype=np.float32)
    replaced = dataclasses.replace(SHOP, vectors=vectors)
    assert replaced.views.parts == (vectors,)
    assert replaced.means.shape == (60, 3)


def test_more_items_share_the_sids_and_leave_the_old_view_alone():
    new = dict.fromkeys(ITEMS) | {"item_id": "new", "title": "lamp", "available": True}
    frame = pl.concat([SHOP.catalog.frame, pl.DataFrame([new], schema=ITEMS)])
    codes = SHOP.table.codes[[4]]
    grown = SHOP.grown(Catalog(frame), codes, SHOP.vectors[[4]])
    assert (len(SHOP), len(grown)) == (60, 61)
    assert grown.trie is SHOP.trie
    assert grown.postings.items(grown.table.sid_of_item[[4]]).rows.tolist() == [4, 60]
    assert SHOP.postings.items(SHOP.table.sid_of_item[[4]]).rows.tolist() == [4]
