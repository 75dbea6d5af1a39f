"""What checkpoints are chosen by: beams under the filters of a search, as they are served."""

import json

import numpy as np
import polars as pl
import pytest
from polars.exceptions import ColumnNotFoundError

from genrecall.align.pages import PassingSids, logged_pages
from genrecall.align.validation import Validation
from genrecall.bundle import open_bundle
from genrecall.data.load import load_shop
from genrecall.data.parts import keep_parts
from genrecall.data.shop_data import ShopData
from genrecall.data.tables import Searches


@pytest.fixture(scope="module")
def bundle(shop_run):
    return open_bundle(shop_run.bundle)


def shop_with(shop_run, filters):
    """The shop; by chance a third of its searches has one of these filters."""
    shop = load_shop(shop_run.open_stage("data"))
    rng = np.random.default_rng(0)
    told = [
        json.dumps(rng.choice(filters)) if rng.random() < 1 / 3 else None
        for _ in range(len(shop.searches))
    ]
    frame = shop.searches.frame.with_columns(pl.Series("filters", told, dtype=pl.String))
    return ShopData(shop.catalog, Searches(frame), shop.users)


def test_beams_of_a_search_with_filters_have_items_that_pass(shop_run, bundle):
    shop = shop_with(shop_run, [{"price": {"lte": 60}}, {"brand": "Acme"}])
    table = bundle.items.table
    pages = logged_pages(shop, "validation", table.sid_of_item, history=None)
    validation = Validation(bundle.generative().generator, pages)
    reading = bundle.generative().generator.read(pages.prompts)
    beams = validation._search(reading, range(len(pages)))
    seen = 0
    for filters, leaves in zip(pages.searches.filters, beams, strict=True):
        passing = table.sid_of_item[bundle.items.filters.mask(filters)]
        assert np.isin(leaves[leaves >= 0], passing).all()
        seen += filters is not None
    assert 5 < seen < len(pages)


def test_filters_that_let_all_pass_change_no_measure(shop_run, bundle):
    generator, sids = bundle.generative().generator, bundle.items.table.sid_of_item
    found = [
        Validation(generator, logged_pages(shop, "validation", sids, history=None))()
        for shop in (
            load_shop(shop_run.open_stage("data")),
            shop_with(shop_run, [{"price": {"gte": 0}}]),
            shop_with(shop_run, [{"price": {"lte": 30}}]),
        )
    ]
    assert found[0] == found[1]
    assert found[0]["clk@10"] != found[2]["clk@10"]


def test_of_the_items_only_what_searches_filter_by_is_read(shop_run, bundle):
    shop = shop_with(shop_run, [{"price": {"lte": 20}}, {"color": "red"}])
    parts = ["titles", "pages", "fields"]
    kept = keep_parts(shop, parts)
    assert set(kept.catalog.frame.columns) == {"item_id", "title", "price", "attributes"}
    sid_of_item = bundle.items.table.sid_of_item
    searches = range(len(kept.searches.told("validation")))

    def passing(shop):
        pages = logged_pages(shop, "validation", sid_of_item, history=None)
        return PassingSids(pages, len(bundle.items.trie)).of(searches)

    np.testing.assert_array_equal(passing(kept), passing(shop))
    with pytest.raises(ColumnNotFoundError):
        passing(keep_parts(shop, ["titles", "pages"]))
