"""Health figures by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from genrecall.quantize.health import measure_health
from genrecall.sid import SidSpace, SidTable


def health(codes, categories=None, sizes=(2, 2, 4)):
    table = SidTable(SidSpace(sizes), np.array(codes, dtype=np.int32))
    known = [-1] * len(codes) if categories is None else categories
    return measure_health(table, np.array(known, dtype=np.int32))


# Sizes 4, 2, 1, 1 of eight items.
CODES = [[0, 0, 0]] * 4 + [[0, 1, 0]] * 2 + [[1, 0, 3], [1, 0, 1]]


def test_figures_by_hand():
    found = health(CODES, [0, 0, 0, 1, 0, -1, 1, -1])
    assert found.codes_used == (2, 2, 3)
    assert found.codes == (2, 2, 4)
    assert found.sids == 4
    assert found.items_per_sid._asdict() == {
        "mean": 2.0,
        "weighted": (16 + 4 + 1 + 1) / 8,
        "p50": 1.5,
        "p99": pytest.approx(3.94),
        "max": 4,
    }
    assert found.singletons == 0.5
    assert found.category_purity == 5 / 6
    assert found.entropy == pytest.approx(0.5 * 1 + 0.25 * 2 + 2 * 0.125 * 3)
    assert found.perplexity == pytest.approx(2**1.75)


def test_figures_are_plain_json():
    value = json.loads(json.dumps(health(CODES).as_json()))
    assert value["items_per_sid"]["max"] == 4
    assert value["category_purity"] == 1.0


def test_a_healthy_table_has_no_warning():
    codes = [[a, b, c] for a in range(2) for b in range(2) for c in range(4) for _ in range(3)]
    assert health(codes).warnings(t_max=3) == []


def test_warnings_say_what_helps():
    tail = [[a, b, c] for a in range(2) for b in range(2) for c in range(4)]
    collapsed = health([[0, 0, 0]] * 300 + tail).warnings(t_max=301)
    assert "Check that the item vectors differ" in collapsed[0]
    large = health([[0, 0, 0]] * 9 + [[1, 1, 1]] * 9).warnings(t_max=8)
    assert large == [
        "the largest SID holds 9 items, more than t_max=8: quantize.clusters.g_max binds. Raise "
        "it, or raise quantize.k2 and quantize.k3."
    ]
    singles = health(CODES).warnings(t_max=8)
    assert singles[0].startswith("50% of the SIDs hold one item")
    mixed = health([[0, 0, 0]] * 4 + [[1, 1, 0]] * 4, [0, 1] * 4).warnings(t_max=8)
    assert "Turn on quantize.use_category" in mixed[0]
    unused = health([[0, 0, 0]] * 4 + [[1, 1, 0]] * 4, sizes=(9, 9, 1)).warnings(t_max=8)
    assert "level 1 uses 2 of its 9 codes" in unused[0]
    assert unused[0].endswith("Lower quantize.reserve.")
    assert "Lower quantize.k2" in unused[1]


def test_one_sid_has_no_entropy():
    found = health([[0, 0, 0]] * 3)
    assert found.entropy == 0
    assert "collapsed" in found.warnings(t_max=3)[0]
