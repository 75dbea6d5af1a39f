"""Category roll-up and the frozen level-1 codes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.errors import ArtifactError, ConfigError
from genrecall.quantize.categories import UNKNOWN, CategoryCodes, RolledUp, grow, roll_up

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


SPARE = CategoryCodes(paths=(TOOLS, DRILLS), reserve=2)
FOOD = ("food",)


def grown(paths, in_use=(True, True, True, False), **limits):
    settings = {"min_items": 2, "max_categories": 9} | limits
    return grow(SPARE, paths, in_use=np.array(in_use), **settings)


def test_new_categories_take_free_reserve_codes_and_then_codes_of_their_own():
    found = grown([DRILLS, TOYS, TOYS, FOOD, FOOD, SAWS, SAWS, None, ("art",)])
    # Food comes first, into the reserve code that nothing uses; saws are tools, as they were.
    assert found.codes.paths == (TOOLS, DRILLS, None, FOOD, TOYS)
    assert found.codes.n_codes == 5
    assert found.codes.n_categories == 4
    assert found.of_item.tolist() == [1, 4, 4, 3, 3, 0, 0, UNKNOWN, UNKNOWN]
    assert found.rolled_up == (RolledUp(("art",), 1, None),)
    assert "4 categories + 1 reserve for 2 items of unknown category" in found.report()


def test_a_category_without_items_keeps_its_code():
    found = grown([TOOLS], in_use=(True,) * 4)
    assert found.codes.encode([DRILLS, TOOLS]).tolist() == [1, 0]
    assert found.codes.n_codes == SPARE.n_codes


def test_grown_codes_read_back_and_grow_again():
    found = grown([TOYS, TOYS], in_use=(True,) * 4).codes
    again = CategoryCodes.from_json(json.loads(json.dumps(found.as_json())))
    assert again == found
    more = grow(again, [FOOD] * 2, in_use=np.array([True] * 5), min_items=2, max_categories=9).codes
    assert more.paths == (TOOLS, DRILLS, None, None, TOYS, FOOD)


def test_growing_beyond_the_limit_is_an_error_with_the_fix():
    with pytest.raises(ConfigError, match=r"by 2 categories to 4.*max_categories=3.*warm_start"):
        grown([TOYS, TOYS, FOOD, FOOD], max_categories=3)


@given(st.lists(paths, max_size=30), st.lists(paths, max_size=30), st.integers(1, 4))
def test_growing_moves_no_category(before, more, min_items):
    old = roll_up(before, min_items=min_items, max_categories=999)
    in_use = np.zeros(old.codes.n_codes, dtype=bool)
    in_use[old.of_item[old.of_item >= 0]] = True
    new = grow(old.codes, before + more, in_use=in_use, min_items=min_items, max_categories=999)
    had = old.of_item != UNKNOWN
    assert (new.of_item[: len(before)][had] == old.of_item[had]).all()
    assert new.codes.n_codes >= old.codes.n_codes
    assert new.of_item.max(initial=-1) < new.codes.n_codes
