"""Health figures by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.quantize.config import QuantizeConfig
from genrecall.quantize.health.figures import Wanted, distances, measure_health
from genrecall.quantize.health.warnings import find_warnings

# Sizes 4, 2, 1, 1 of eight items; third codes 2 and 3 are second groups of 0 and 1.
CODES = np.array([[0, 0, 0]] * 4 + [[0, 1, 0]] * 2 + [[1, 0, 3], [1, 0, 1]], dtype=np.int32)
TABLE = SidTable(SidSpace((2, 2, 4)), CODES)
WANTED = Wanted(sizes=(2, 2, 2), reserve=1, items_per_sid=2, t_max=3)
# SIDs on a line, at 1, 5, 8, 10; the first SID's items at 0, 0, 2, 2.
LINE = np.array([0, 0, 2, 2, 5, 5, 8, 10], dtype=np.float32)[:, None]
CATEGORIES = np.array([0, 0, 0, 1, 0, -1, 1, -1], dtype=np.int32)


def health(categories=CATEGORIES, latents=LINE, wanted=WANTED, table=TABLE):
    return measure_health(table, np.asarray(categories), latents=latents, wanted=wanted)


def test_sizes_by_hand():
    found = health()
    assert (found.items, found.sids) == (8, 4)
    assert found.items_per_sid._asdict() == {
        "mean": 2.0,
        "weighted": (16 + 4 + 1 + 1) / 8,
        "p50": 1.5,
        "p99": pytest.approx(3.94),
        "max": 4,
    }
    assert found.singletons == 0.5
    assert found.oversized == 1
    assert found.entropy == pytest.approx(0.5 * 1 + 0.25 * 2 + 2 * 0.125 * 3)
    assert found.perplexity == pytest.approx(2**1.75)


def test_categories_by_hand():
    found = health()
    assert found.category_purity == 5 / 6
    assert found.mixed == 1
    assert found.categories._asdict() == {"n": 2, "unknown": 0.25, "largest": 0.5}


def test_a_catalog_without_categories_is_pure():
    found = health(np.full(8, -1, dtype=np.int32))
    assert (found.category_purity, found.mixed) == (1.0, 0)
    assert found.categories._asdict() == {"n": 0, "unknown": 1.0, "largest": 0.0}


def test_levels_by_hand():
    one, two, three = health().levels
    assert (one.codes, one.used, two.codes, two.used) == (2, 2, 2, 2)
    assert one.entropy == pytest.approx(0.75 * np.log2(4 / 3) + 0.25 * 2)
    assert one.perplexity == pytest.approx(2**one.entropy)
    # Around the mean, 4; then around 14/6 and 9; then around 1, 5 and 9.
    variance = 94 / 8
    first = (np.square(np.array([0, 0, 2, 2, 5, 5]) - 14 / 6).sum() + 2) / 8
    assert one.unexplained == pytest.approx(first / variance)
    assert two.unexplained == pytest.approx((4 + 2) / 8 / variance)
    assert three.unexplained == pytest.approx(4 / 8 / variance)


def test_level_3_counts_the_codes_before_size_control():
    found = health()
    assert (found.codes, found.codes_used) == ((2, 2, 4), (2, 2, 3))
    three = found.levels[2]
    assert (three.codes, three.used, three.dead) == (2, 2, 0)
    assert three.entropy == pytest.approx(0.75 * np.log2(4 / 3) + 0.25 * 2)  # six times 0, two 1


def test_reserve_codes_wait_while_every_item_has_a_category():
    table = SidTable(SidSpace((3, 2, 4)), CODES)
    wanted = WANTED._replace(sizes=(3, 2, 2))
    known = health(np.array([0] * 6 + [1] * 2), table=table, wanted=wanted).levels[0]
    assert (known.used, known.waiting, known.dead) == (2, 1, 0)
    unknown = health(table=table, wanted=wanted).levels[0]
    assert (unknown.used, unknown.waiting, unknown.dead) == (2, 0, 1)
    off = health(np.zeros(8, np.int32), table=table, wanted=wanted._replace(reserve=3)).levels[0]
    assert (off.waiting, off.dead) == (0, 1)


def test_distance_is_to_the_others_of_the_sid():
    # 0 is 4/3 from the mean of 0, 2 and 2; alone and equal items are at 0.
    near = (4 / 3) ** 2 / (94 / 8)
    assert distances(TABLE, LINE) == pytest.approx([near] * 4 + [0] * 4)
    found = health().distance
    assert found.p50 == pytest.approx(near / 2)
    assert found.p99 == pytest.approx(near)
    assert found.far == 0


def test_an_item_that_its_sid_says_nothing_about_is_far():
    table = SidTable(SidSpace((1, 1, 2)), np.array([[0, 0, 0]] * 2 + [[0, 0, 1]] * 2, np.int32))
    latents = np.array([0, 10, 5, 5], dtype=np.float32)[:, None]
    assert distances(table, latents) == pytest.approx([100 / 12.5] * 2 + [0] * 2)
    wanted = Wanted((1, 1, 2), reserve=1, items_per_sid=2, t_max=3)
    assert health(np.zeros(4, np.int32), latents, wanted, table).distance.far == 0.5


def test_equal_vectors_have_no_distance_and_no_error():
    found = health(latents=np.ones((8, 3), dtype=np.float32))
    assert found.distance._asdict() == {"p50": 0, "p95": 0, "p99": 0, "far": 0}
    assert [level.unexplained for level in found.levels] == [0, 0, 0]


def test_figures_are_plain_json():
    value = json.loads(json.dumps(health().as_json()))
    assert value["items_per_sid"]["max"] == 4
    assert value["category_purity"] == 5 / 6
    assert value["wanted"]["sizes"] == [2, 2, 2]
    assert value["levels"][2]["codes"] == 2
    assert set(value["distance"]) == {"p50", "p95", "p99", "far"}


def test_one_sid_has_no_entropy():
    table = SidTable(SidSpace((1, 1, 1)), np.zeros((3, 3), dtype=np.int32))
    wanted = Wanted((1, 1, 1), reserve=1, items_per_sid=2, t_max=3)
    found = health(np.zeros(3, np.int32), np.eye(3, dtype=np.float32), wanted, table)
    assert (found.entropy, found.perplexity) == (0, 1)
    assert find_warnings(found, QuantizeConfig()) == []
