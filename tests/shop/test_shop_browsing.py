"""Shoppers read, click and buy with the probabilities that their model says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genrecall.shop.browsing import (
    PURCHASE,
    Browsed,
    Chance,
    browse,
    browse_by_position,
    browse_cascade,
    click_chance,
    looks_by_position,
    looks_cascade,
)
from genrecall.shop.catalog import Floats
from genrecall.shop.config import ShopConfig
from genrecall.shop.make import make_shop
from genrecall.shop.oracle import expected_clicks

APPEAL = np.array([0.9, 0.25, 0.0, 0.6, 0.04])
MODELS = ("position", "cascade")


def config_of(model: str, **settings: Any) -> ShopConfig:
    return ShopConfig.model_validate({"shopper_model": model, **settings})


def drawn(n: int, k: int) -> Chance:
    rng = np.random.default_rng(1)
    return Chance(*(rng.random((n, k)) for _ in Chance._fields))


def repeated(n: int) -> Floats:
    return np.tile(APPEAL, (n, 1))


def fixed(*, click: list[float], buy: list[float], go_on: list[float]) -> Chance:
    return Chance(*(np.array([draws]) for draws in (click, buy, go_on)))


@pytest.mark.parametrize("model", MODELS)
def test_clicks_come_as_often_as_expected(model: str) -> None:
    config, n = config_of(model), 200_000
    browsed = browse(repeated(n), drawn(n, 5), config)
    expected = click_chance(APPEAL[None], config)[0]
    assert browsed.clicked.mean(0) == pytest.approx(expected, abs=0.004)
    assert browsed.bought.mean(0) == pytest.approx(expected * PURCHASE * np.sqrt(APPEAL), abs=0.003)


@pytest.mark.parametrize("model", MODELS)
def test_what_does_not_appeal_is_never_clicked_and_only_clicks_are_bought(model: str) -> None:
    browsed = browse(repeated(5_000), drawn(5_000, 5), config_of(model))
    assert not browsed.clicked[:, 2].any()
    assert not (browsed.bought & ~browsed.clicked).any()
    assert browsed.bought.any()


class TestPosition:
    def test_looks_fall_with_the_position_alone(self) -> None:
        assert looks_by_position(3, position_bias=1.0) == pytest.approx([1, 1 / 2, 1 / 3])
        assert looks_by_position(3, position_bias=0.0).tolist() == [1, 1, 1]

    def test_a_click_takes_look_and_appeal(self) -> None:
        chance = Chance(click=np.array([[0.49, 0.24, 0.26]]), buy=np.array([[0.15, 0.1, 0.0]]))
        found = browse_by_position(np.full((1, 3), 0.5), chance, position_bias=1.0)
        assert found.clicked.tolist() == [[True, True, False]]
        # sqrt(0.5) / 5 = 0.141
        assert found.bought.tolist() == [[False, True, False]]


class TestCascade:
    def read(self, appeal: list[float], chance: Chance) -> Browsed:
        return browse_cascade(np.array([appeal]), chance, patience=0.8, after_click=0.4)

    def test_looks_by_hand(self) -> None:
        looks = looks_cascade(np.array([[0.25, 1.0, 0.5]]), patience=0.8, after_click=0.4)
        first = 0.75 * 0.8 + 0.25 * (1 - PURCHASE * 0.5) * 0.4
        second = (1 - PURCHASE) * 0.4
        assert looks[0] == pytest.approx([1, first, first * second])

    def test_a_reader_goes_on_after_a_click_less_often_than_without(self) -> None:
        chance = fixed(click=[0.0, 0.9, 0.0, 0.0], buy=[0.9] * 4, go_on=[0.3, 0.7, 0.5, 0.0])
        found = self.read([0.5] * 4, chance)
        assert found.clicked.tolist() == [[True, False, True, False]]

    def test_a_purchase_ends_the_search(self) -> None:
        chance = fixed(click=[0.0] * 3, buy=[0.9, 0.0, 0.0], go_on=[0.0] * 3)
        found = self.read([0.5] * 3, chance)
        assert found.clicked.tolist() == [[True, True, False]]
        assert found.bought.tolist() == [[False, True, False]]

    def test_without_patience_only_the_first_item_is_read(self) -> None:
        found = browse_cascade(repeated(500), drawn(500, 5), patience=0, after_click=0)
        assert found.clicked[:, 0].any()
        assert not found.clicked[:, 1:].any()

    def test_nobody_buys_twice_or_clicks_after_a_purchase(self) -> None:
        n = 5_000
        found = browse_cascade(repeated(n), drawn(n, 5), patience=1, after_click=1)
        assert (found.bought.sum(1) <= 1).all()
        behind = np.cumsum(found.bought, axis=1) - found.bought > 0
        assert not found.clicked[behind].any()

    def test_a_chance_that_does_not_say_who_goes_on_is_refused(self) -> None:
        chance = drawn(1, 5)._replace(go_on=None)
        with pytest.raises(ValueError, match=r"cascade.*`go_on`"):
            browse_cascade(repeated(1), chance, patience=1, after_click=1)


SMALL = {
    "items": 400,
    "searches": 3_000,
    "shoppers": 50,
    "distinct_queries": 300,
    "impressions": 10,
}


def test_the_model_changes_what_is_clicked_and_nothing_before() -> None:
    one, two = (make_shop(config_of(model, **SMALL)).log for model in MODELS)
    for name in ("time", "user", "anonymous", "query", "shown"):
        assert (getattr(one, name) == getattr(two, name)).all(), name
    assert (one.clicked != two.clicked).any()


def test_a_page_gets_about_as_many_clicks_in_both_models() -> None:
    clicks = [make_shop(config_of(model, **SMALL)).log.clicked for model in MODELS]
    assert clicks[1].sum() == pytest.approx(clicks[0].sum(), rel=0.15)
    assert clicks[1].any(1).mean() == pytest.approx(clicks[0].any(1).mean(), abs=0.05)


@pytest.mark.parametrize("model", MODELS)
def test_oracle_expects_the_clicks_of_the_log(model: str) -> None:
    config = config_of(model, **SMALL)
    shop, searches = make_shop(config), np.arange(SMALL["searches"])
    expected = expected_clicks(shop, config, searches.tolist(), repetitions=4).by_shopper
    assert expected.sum() == pytest.approx(shop.log.clicked.sum(), rel=0.06)
    found, _ = np.nonzero(shop.log.clicked)
    clicked = expected[found, shop.log.shown[shop.log.clicked]].mean()
    assert clicked > 1.3 * expected[searches[:, None], shop.log.shown][shop.log.shown >= 0].mean()
