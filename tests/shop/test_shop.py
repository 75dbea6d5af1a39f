"""The synthetic shop behaves like a shop: what is sold, asked, shown, clicked and bought."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from genrecall.shop.catalog import AUDIENCES, DAY, NEVER
from genrecall.shop.config import ShopConfig
from genrecall.shop.intent import Intent, relevance
from genrecall.shop.make import Shop, make_shop
from genrecall.shop.products import BRANDS, sold_types
from genrecall.shop.queries import popularity
from genrecall.shop.shoppers import FAVOURITE, GENDERS

CONFIG = ShopConfig(
    seed=3, items=3_000, searches=12_000, shoppers=500, days=20, distinct_queries=4_000
)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return make_shop(CONFIG)


def shown_pairs(shop: Shop) -> tuple[np.ndarray, np.ndarray]:
    """Search and row of every impression."""
    return (found := np.nonzero(shop.log.shown >= 0))[0], shop.log.shown[found]


class TestCatalog:
    def test_it_has_the_wanted_size(self, shop: Shop) -> None:
        assert len(shop.catalog) == CONFIG.items
        assert len(shop.catalog.types) == CONFIG.items // 50

    def test_every_type_has_items_and_some_types_are_very_small(self, shop: Shop) -> None:
        sizes = np.bincount(shop.catalog.type_of, minlength=len(shop.catalog.types))
        assert sizes.min() >= 1
        full = np.array([sold.kind.size for sold in sold_types(8_000)])
        assert (full < 0.1).sum() >= 4

    def test_the_default_shop_sells_over_all_departments(self) -> None:
        types = sold_types(ShopConfig().items)
        assert len(types) == 160
        assert len({sold.path for sold in types}) == 160
        assert len({sold.path[0] for sold in types}) == 15
        assert len({sold.path[:2] for sold in types}) > 50
        assert any(sold.kind.size < 0.1 for sold in types)

    def test_a_title_names_the_brand_and_the_model(self, shop: Shop) -> None:
        for draft in shop.catalog.drafts:
            assert draft.title.startswith(BRANDS[draft.brand_of] + " ")
            assert draft.name in draft.title
            assert "  " not in draft.title

    def test_variants_of_a_product_differ_only_in_what_varies(self, shop: Shop) -> None:
        variants: dict[int, list[dict[str, str]]] = {}
        for draft in shop.catalog.drafts:
            variants.setdefault(draft.product, []).append(draft.values)
        assert sum(len(values) > 1 for values in variants.values()) > 200
        for values in variants.values():
            assert len({tuple(v.items()) for v in values}) == len(values)
            assert len({tuple(v.get(k) for k in ("voltage", "material")) for v in values}) == 1

    def test_model_numbers_are_unique(self, shop: Shop) -> None:
        products = {
            (draft.product, draft.name)
            for draft in shop.catalog.drafts
            if not shop.catalog.types[draft.type_of].kind.named
        }
        assert len({name for _, name in products}) == len(products)

    def test_brands_concentrate_in_types(self, shop: Shop) -> None:
        types_of_brand: dict[int, set[int]] = {}
        for draft in shop.catalog.drafts:
            types_of_brand.setdefault(draft.brand_of, set()).add(draft.type_of)
        assert np.mean([len(types) for types in types_of_brand.values()]) < 5

    def test_the_score_is_log_normal_and_follows_attractiveness(self, shop: Shop) -> None:
        log_score = np.log(shop.catalog.score)
        skew = np.mean(((log_score - log_score.mean()) / log_score.std()) ** 3)
        assert abs(skew) < 0.2
        assert 0.4 < np.corrcoef(log_score, shop.catalog.attractiveness)[0, 1] < 0.9

    def test_some_categories_are_unknown(self, shop: Shop) -> None:
        assert np.mean(~shop.catalog.listed) == pytest.approx(0.08, abs=0.02)

    def test_new_items_enter_every_day(self, shop: Shop) -> None:
        entered = shop.catalog.entered
        new = entered[entered >= CONFIG.start]
        assert len(new) / len(entered) == pytest.approx(20 * 0.005, abs=0.03)
        assert len(np.unique((new - CONFIG.start) // DAY)) >= 18


class TestQueries:
    def test_their_frequencies_follow_the_law(self, shop: Shop) -> None:
        counts = np.bincount(shop.log.query, minlength=len(shop.queries))
        rank = np.arange(1, len(counts) + 1) + CONFIG.zipf_offset
        seen = slice(0, 300)
        slope, _ = np.polyfit(np.log(rank[seen]), np.log(counts[seen]), 1)
        assert slope == pytest.approx(-CONFIG.zipf_exponent, abs=0.1)

    def test_head_torso_and_tail_come_out(self, shop: Shop) -> None:
        counts = np.sort(np.unique(shop.log.query, return_counts=True)[1])[::-1]
        share = np.cumsum(counts) / counts.sum()
        assert 0.05 < share[9] < 0.3
        assert np.mean(counts == 1) > 0.25

    def test_popularity_sums_to_one_and_falls(self) -> None:
        share = popularity(100, ShopConfig())
        assert share.sum() == pytest.approx(1)
        assert (np.diff(share) < 0).all()

    def test_they_are_distinct_and_not_empty(self, shop: Shop) -> None:
        texts = [query.text for query in shop.queries]
        assert len(set(texts)) == len(texts) <= CONFIG.distinct_queries
        assert all(text == text.strip().lower() and text for text in texts)

    def test_some_are_mistyped(self, shop: Shop) -> None:
        wrong = np.array([query.text != query.spelled for query in shop.queries])
        assert 0.1 < wrong.mean() < 0.35
        assert 0.03 < wrong[shop.log.query].mean() < 0.12

    def test_all_kinds_occur(self, shop: Shop) -> None:
        kinds = Counter(shop.queries[number].intent.kind for number in shop.log.query)
        assert min(kinds.values()) > 50
        assert set(kinds) == {
            "type", "type_value", "brand_type", "brand_type_value", "broad", "product", "brand",
        }  # fmt: skip

    def test_units_are_spelled_in_several_ways(self, shop: Shop) -> None:
        texts = "\n".join(query.text for query in shop.queries)
        for form in (r"\d+v ", r"\d+ v ", r"\d+ volts? ", r"\d+ inch ", r"\d+in ", r'\d+" '):
            assert re.search(form, texts), form

    def test_a_word_that_means_several_types_says_so(self, shop: Shop) -> None:
        several = [q for q in shop.queries if q.intent.kind == "type" and len(q.intent.types) > 1]
        assert several
        for query in several:
            assert all(number < len(shop.catalog.types) for number in query.intent.types)


class TestRelevance:
    def test_misses_lower_it_step_by_step(self, shop: Shop) -> None:
        catalog = shop.catalog
        row = next(
            row
            for row, draft in enumerate(catalog.drafts)
            if {"color", "voltage"} <= set(draft.values)
        )
        draft = catalog.drafts[row]
        wanted = tuple((key, draft.values[key]) for key in ("color", "voltage"))
        intent = Intent("brand_type_value", (draft.type_of,), wanted, brand=draft.brand_of)
        rows = np.arange(len(catalog))
        grade = relevance(catalog, intent, rows)
        assert grade[row] == 1
        same_type = catalog.type_of == draft.type_of
        other_brand = same_type & (catalog.brand_of != draft.brand_of)
        assert grade[other_brand].max() <= 0.35
        assert grade[~same_type].max() <= 0.12
        assert grade[catalog.group_of_type[catalog.type_of] != 0].max() == 0
        assert relevance(catalog, intent, rows[:6].reshape(2, 3)).shape == (2, 3)


class TestLog:
    def test_it_is_in_the_order_of_time(self, shop: Shop) -> None:
        time = shop.log.time
        assert (np.diff(time) >= 0).all()
        assert CONFIG.start <= time[0] and time[-1] < CONFIG.start + CONFIG.days * DAY

    def test_items_are_only_shown_while_they_are_on_the_shelf(self, shop: Shop) -> None:
        search, row = shown_pairs(shop)
        time = shop.log.time[search]
        assert (shop.catalog.entered[row] <= time).all()
        assert (time < shop.catalog.left[row]).all()
        assert ((shop.catalog.left < NEVER) & (shop.catalog.entered >= CONFIG.start)).sum() == 0

    def test_new_items_are_shown_and_clicked(self, shop: Shop) -> None:
        new = shop.catalog.entered >= CONFIG.start
        _, row = shown_pairs(shop)
        assert 0.01 < new[row].mean() < 0.15
        assert new[shop.log.shown[shop.log.clicked]].sum() > 50

    def test_no_item_is_shown_twice_in_one_search(self, shop: Shop) -> None:
        for shown in shop.log.shown[:2_000]:
            found = shown[shown >= 0]
            assert len(np.unique(found)) == len(found)

    def test_purchases_are_clicks_and_clicks_are_impressions(self, shop: Shop) -> None:
        log = shop.log
        assert not (log.bought & ~log.clicked).any()
        assert not (log.clicked & (log.shown < 0)).any()
        assert 0.05 < log.bought.any(1).mean() < 0.25

    def test_most_searches_are_clicked(self, shop: Shop) -> None:
        assert 0.55 < shop.log.clicked.any(1).mean() < 0.78
        assert (shop.log.shown >= 0).any(1).mean() > 0.95

    def test_clicks_fall_with_the_position(self, shop: Shop) -> None:
        shown, clicked = shop.log.shown >= 0, shop.log.clicked
        rate = clicked.sum(0) / shown.sum(0)
        assert rate[0] > 1.3 * rate[1] > 1.3 * rate[4] > 1.3 * rate[14]

    def test_without_position_bias_the_fall_is_gentle(self) -> None:
        small = {"items": 1_000, "searches": 4_000, "distinct_queries": 500}
        shop = make_shop(CONFIG.model_copy(update={"position_bias": 0.0, **small}))
        rate = shop.log.clicked.sum(0) / (shop.log.shown >= 0).sum(0)
        assert rate[:3].mean() < 2 * rate[-3:].mean()  # what is left is the engine's order

    def test_clicked_items_are_of_the_type_meant(self, shop: Shop) -> None:
        of_intent, by_chance = [], []
        share = np.bincount(shop.catalog.type_of) / len(shop.catalog)
        for search, position in np.argwhere(shop.log.clicked):
            types = shop.queries[shop.log.query[search]].intent.types
            of_intent.append(shop.catalog.type_of[shop.log.shown[search, position]] in types)
            by_chance.append(share[list(types)].sum())
        assert np.mean(of_intent) > 0.9
        assert np.mean(of_intent) > 5 * np.mean(by_chance)

    def test_the_engine_shows_other_types_too_and_misses_relevant_items(self, shop: Shop) -> None:
        search, row = shown_pairs(shop)
        right = [
            shop.catalog.type_of[r] in shop.queries[shop.log.query[s]].intent.types
            for s, r in zip(search[:20_000], row[:20_000], strict=True)
        ]
        assert 0.02 < 1 - np.mean(right) < 0.3

    def test_taste_shows_in_the_clicks(self, shop: Shop) -> None:
        log, shoppers = shop.log, shop.shoppers
        search, _ = np.nonzero(log.shown >= 0)
        row, clicked = log.shown[log.shown >= 0], log.clicked[log.shown >= 0]
        user = log.user[search]
        favourite = shoppers.brand_taste[user, shop.catalog.brand_of[row]] == FAVOURITE
        assert clicked[favourite].mean() > 1.5 * clicked[~favourite].mean()
        for audience, gender in (("Women's", "female"), ("Men's", "male")):
            items = shop.catalog.audience_of[row] == AUDIENCES.index(audience)
            own = shoppers.gender[user] == GENDERS.index(gender)
            assert clicked[items & own].mean() > 2 * clicked[items & ~own].mean()

    def test_shoppers_return_to_their_interests(self, shop: Shop) -> None:
        log, shoppers = shop.log, shop.shoppers
        single = np.array([len(query.intent.types) == 1 for query in shop.queries])[log.query]
        kind = np.array([query.intent.types[0] for query in shop.queries])[log.query]
        group = shop.catalog.group_of_type[kind]
        own = shoppers.interest[log.user[single], group[single]]
        assert own.mean() > 2 * shoppers.interest[:, group[single]].mean()

    def test_some_searches_are_anonymous(self, shop: Shop) -> None:
        assert shop.log.anonymous.mean() == pytest.approx(0.25, abs=0.03)
