"""The files of the synthetic shop: layout, truth, and the same bytes for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic
import pytest

from genrecall.data.tables import ITEMS, SEARCH_LOG, USERS
from genrecall.foundation.artifact import file_hash
from genrecall.shop.config import ShopConfig
from genrecall.shop.write import ShopFiles, write_shop

CONFIG = ShopConfig(seed=5, items=600, searches=1_500, shoppers=80, days=10, distinct_queries=600)

Row = dict[str, Any]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ShopFiles:
    return write_shop(CONFIG, tmp_path_factory.mktemp("shop"))


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def hashes(files: ShopFiles) -> dict[str, str]:
    return {name: file_hash(path) for name, path in vars(files).items()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    files: ShopFiles, tmp_path: Path
) -> None:
    assert hashes(write_shop(CONFIG, tmp_path / "again")) == hashes(files)
    other = hashes(write_shop(CONFIG.model_copy(update={"seed": 6}), tmp_path / "other"))
    assert all(other[name] != found for name, found in hashes(files).items())


def test_columns_are_those_of_the_tables(files: ShopFiles) -> None:
    assert list(read(files.items)[0]) == [name for name in ITEMS if name != "description"]
    assert set(read(files.searches)[0]) <= set(SEARCH_LOG)
    assert list(read(files.users)[0]) == list(USERS)


def test_items_are_complete(files: ShopFiles) -> None:
    items = read(files.items)
    assert len({item["item_id"] for item in items}) == len(items) == CONFIG.items
    for item in items:
        assert item["title"] and item["brand"] and item["price"] > 0 and item["score"] > 0
        assert item["category"] is None or len(item["category"]) == 3
        assert all(isinstance(values, list) for values in item["attributes"].values())
    assert any(item["category"] is None for item in items)
    assert any(not item["available"] for item in items)
    assert len({item["group_id"] for item in items}) < len(items)


def test_every_id_in_the_log_exists(files: ShopFiles) -> None:
    entered = {item["item_id"]: item["updated_at"] for item in read(files.items)}
    users = {user["user_id"] for user in read(files.users)}
    searches = read(files.searches)
    assert len({search["search_id"] for search in searches}) == len(searches) == CONFIG.searches
    for search in searches:
        assert search["user_id"] is None or search["user_id"] in users
        shown = search["impressions"]
        assert len(shown) <= CONFIG.impressions
        assert all(entered[item_id] <= search["timestamp"] for item_id in shown)
        assert set(search["purchases"]) <= set(search["clicks"]) <= set(shown)


def test_users_have_gender_and_age_band(files: ShopFiles) -> None:
    users = read(files.users)
    assert len(users) == CONFIG.shoppers
    assert {user["gender"] for user in users} == {"female", "male", None}
    assert len({user["age_band"] for user in users}) == 5


def test_the_truth_explains_every_query_and_item(files: ShopFiles) -> None:
    truth = {row["query"]: row for row in read(files.truth)}
    items = read(files.items)
    item_truth = {row["item_id"]: row for row in read(files.item_truth)}
    assert set(truth) == {search["query"] for search in read(files.searches)}
    assert set(item_truth) == {item["item_id"] for item in items}
    types = {row["product_type"] for row in item_truth.values()}
    groups = {item["group_id"] for item in items}
    for row in truth.values():
        assert set(row["product_types"]) <= types and row["product_types"]
        assert row["group_id"] is None or row["group_id"] in groups
    for item in items:
        if item["category"] is not None:
            assert item["category"][-1] == item_truth[item["item_id"]]["product_type"]


def test_the_smallest_shop_works(tmp_path: Path) -> None:
    config = ShopConfig(items=100, searches=100, shoppers=10, days=2, distinct_queries=50)
    files = write_shop(config, tmp_path / "a" / "b")
    assert len(read(files.items)) == 100
    assert len(read(files.searches)) == 100


@pytest.mark.parametrize(
    ("field", "value"), [("items", 10), ("days", 1), ("anonymous", 1.5), ("seed", -1)]
)
def test_unusable_settings_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(pydantic.ValidationError, match=field):
        ShopConfig.model_validate({field: value})


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="item_count"):
        ShopConfig.model_validate({"item_count": 5})
