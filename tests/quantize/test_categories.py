"""Category roll-up and the frozen level-1 codes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.errors import ArtifactError, ConfigError
from genrecall.quantize.categories import UNKNOWN, CategoryCodes, RolledUp, roll_up

DRILLS, SAWS, TOOLS, TOYS = ("tools", "drills"), ("tools", "saws"), ("tools",), ("toys",)
SHOP = [DRILLS] * 5 + [SAWS] * 2 + [TOOLS] * 2 + [TOYS] * 2 + [None]

paths = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)


def test_a_small_category_rolls_up_to_its_parent_and_a_small_root_to_unknown():
    found = roll_up(SHOP, min_items=3, max_categories=10)
    assert found.codes.paths == (TOOLS, DRILLS)
    assert found.of_item.tolist() == [1] * 5 + [0] * 4 + [UNKNOWN] * 3
    assert found.rolled_up == (RolledUp(SAWS, 2, TOOLS), RolledUp(TOYS, 2, None))
    assert "2 too small ones rolled up, 1 of them to unknown" in found.report()
    assert "3 items of unknown category" in found.report()


def test_small_children_count_for_their_parent_over_several_steps():
    found = roll_up([("a", "b", "c")] * 2 + [("a", "d", "e")] * 2, min_items=4, max_categories=1)
    assert found.codes.paths == (("a",),)
    assert found.of_item.tolist() == [0] * 4


def test_depth_limits_the_path():
    found = roll_up(SHOP, min_items=1, max_categories=10, depth=1)
    assert found.codes.paths == (TOOLS, TOYS)
    assert found.codes.encode([DRILLS, ("toys", "cars", "red")]).tolist() == [0, 1]


def test_too_many_categories_is_an_error_with_the_fix():
    with pytest.raises(ConfigError) as error:
        roll_up(SHOP, min_items=1, max_categories=2)
    message = str(error.value)
    assert "4 categories" in message
    assert "max_categories=2" in message
    assert "Raise quantize.min_items (about 3 fits)" in message
    assert "raise quantize.max_categories to 4" in message
    assert "limit quantize.depth (paths are up to 2 steps deep)" in message


def test_reserve_codes_follow_the_unknown_items():
    shop = [("a",)] * 10 + [("b",)] * 10 + [None] * 30
    assert roll_up(shop, min_items=5, max_categories=9).codes.reserve == 3
    assert roll_up(shop[:20], min_items=5, max_categories=9).codes.reserve == 1
    assert roll_up(shop, min_items=5, max_categories=9, reserve=7).codes.n_codes == 9
    assert roll_up([None] * 100, min_items=5, max_categories=9).codes.reserve == 4


def test_new_categories_take_the_longest_known_prefix():
    codes = CategoryCodes(paths=(TOOLS, DRILLS), reserve=1)
    assert codes.encode([("tools", "new"), (*DRILLS, "cordless"), ("new",), ()]).tolist() == [
        0,
        1,
        UNKNOWN,
        UNKNOWN,
    ]
    assert codes.encode([]).shape == (0,)


def test_json_gives_the_same_codes_back():
    codes = CategoryCodes(paths=(TOOLS, DRILLS), reserve=3, depth=2)
    assert CategoryCodes.from_json(json.loads(json.dumps(codes.as_json()))) == codes


@pytest.mark.parametrize("value", [None, {}, {"paths": 3, "reserve": 1, "depth": None}])
def test_damaged_json_is_an_artifact_error(value):
    with pytest.raises(ArtifactError, match="category codes cannot be read"):
        CategoryCodes.from_json(value)


@given(st.lists(paths | st.none(), max_size=60), st.integers(1, 6))
def test_every_code_has_enough_items_and_every_item_an_ancestor_or_none(items, min_items):
    found = roll_up(items, min_items=min_items, max_categories=1000)
    counts = np.bincount(found.of_item[found.of_item >= 0], minlength=len(found.codes.paths))
    assert (counts >= min_items).all()
    assert (found.codes.encode(items) == found.of_item).all()
    for path, code in zip(items, found.of_item.tolist(), strict=True):
        if code >= 0:
            chosen = found.codes.paths[code]
            assert path[: len(chosen)] == chosen
