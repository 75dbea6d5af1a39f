"""Measuring decoders: what is compared with what; no figure of time is checked."""

import numpy as np
import pytest

from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.native.library import library
from genrecall.offline.decoding import Machine, measure_decoding, measured_machine
from genrecall.pipeline.bench import bench_decoding

MACHINE = Machine(products_per_second=1e10, bytes_per_second=1e10)
QUERIES = ["red drill", "lamp", "coffee maker", "blue lamp", "usb cable"]


@pytest.fixture(scope="module")
def paces(shop_run):
    channel = open_bundle(shop_run.bundle).generative()
    requests = [Request(query) for query in QUERIES]
    found = measure_decoding(
        channel, requests, widths=(3, 2000), k=10, machine=MACHINE, log=SilentLog()
    )
    return {(pace.step, pace.way, pace.width): pace for pace in found}


def test_every_engine_and_index_is_measured(paces):
    engines = ["reference", "walk in NumPy", *(["walk in C"] if library() else [])]
    assert {way for step, way, _ in paces if step == "search"} == set(engines)
    assert {way for step, way, _ in paces if step == "index"} == {"exact search", "HNSW", "IVF"}
    assert {width for step, _, width in paces if step == "items"} == {3, 2000}
    for pace in paces.values():
        assert 0 < pace.p50 <= pace.p99
        assert pace.per_second > 0


def test_engines_find_the_same_and_all_beams_hold_all_that_is_near(paces):
    searches = {key: pace for key, pace in paces.items() if key[0] == "search"}
    assert all(pace.same == pytest.approx(1.0, abs=0.02) for pace in searches.values())
    for (_, _, width), pace in searches.items():
        assert pace.found == 1.0 if width == 2000 else 0 < pace.found < 1


def test_only_of_the_walk_in_c_it_is_told_how_near_it_is_to_the_limit(paces):
    for (_, way, _), pace in paces.items():
        assert pace.limit is None if way != "walk in C" else pace.limit > 0


def test_indexes_are_searched_until_they_find_as_much(paces):
    for way in ("HNSW", "IVF"):
        (pace,) = (
            pace for (step, name, _), pace in paces.items() if (step, name) == ("index", way)
        )
        assert pace.found > 0.98


def test_a_core_of_the_machine_is_measured():
    assert all(np.isfinite(value) and value > 1e6 for value in measured_machine())


@pytest.mark.parametrize(("queries", "widths", "k"), [(0, (5,), 3), (5, (0,), 3), (5, (5,), 0)])
def test_numbers_below_one_are_refused(shop_run, queries, widths, k):
    with pytest.raises(ConfigError, match="numbers of at least 1"):
        bench_decoding(shop_run.bundle, data=None, queries=queries, widths=widths, k=k)


def test_a_filter_leaves_full_answers(paces):
    returned = {way: pace.returned for (step, way, _), pace in paces.items() if step == "filter"}
    assert returned["SIDs, all items"] > returned["SIDs, 1 % of the items"] >= 1
    assert returned["HNSW, 1,000 then filtered"] <= returned["SIDs, 1 % of the items"]
    assert returned["which SIDs it leaves"] is None
