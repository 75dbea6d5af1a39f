"""Measures of what was shown and chosen, by hand, against plain Python and `ir_measures`."""

import warnings

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import Success

from genrecall.evaluate.exposure import AT, MEASURES, ShownSids, exposure_measures, shown_sids

NAN = float("nan")
SID_OF_ITEM = np.array([0, 0, 1, 2, 3, 3, 4, 5, 6, 7])


def pages(*searches):
    """SIDs of searches `(shown, chosen, bought)`, where `bought` is a part of `chosen`."""
    shown, chosen, bought = zip(*searches, strict=True)
    return shown_sids(
        [np.array(rows, dtype=np.int32) for rows in shown],
        [np.array(rows, dtype=np.int32) for rows in chosen],
        [np.isin(rows, of) for rows, of in zip(chosen, bought, strict=True)],
        SID_OF_ITEM,
    )


def beams(*rows, width=10):
    return np.array([[*row, *[-1] * (width - len(row))] for row in rows])


def measured(found):
    """By measure, of the first search."""
    return {name: pytest.approx(values[0], nan_ok=True) for name, values in found.items()}


def test_sids_of_a_page_are_those_of_its_items():
    found = pages(([0, 1, 4, 3], [4, 0], [4]), ([2], [6], []), ([], [], []))
    assert [sids.tolist() for sids in found.exposed] == [[0, 2, 3], [1, 4], []]
    assert [sids.tolist() for sids in found.clicked] == [[0, 3], [4], []]
    assert [sids.tolist() for sids in found.bought] == [[3], [], []]
    # Each item shown or chosen once, whatever it was.
    assert [sids.tolist() for sids in found.exposed_items] == [[0, 0, 2, 3], [1, 4], []]


def test_an_item_that_is_shown_twice_counts_once():
    found = pages(([2, 2, 3], [2], []))
    assert found.exposed_items[0].tolist() == [1, 2]


def test_all_measures_by_hand():
    # Shown: SIDs 0, 0, 2, 3; clicked 0 and 3, bought 3.
    found = exposure_measures(beams([2, 5, 6, 3]), pages(([0, 1, 4, 3], [4, 0], [4])))
    assert tuple(found) == MEASURES
    assert measured(found) == {
        "clk@1": 0.0,
        "clk@10": 1.0,
        "exp@1": 1.0,
        "exp@10": 1.0,
        "buy@1": 0.0,
        "buy@10": 1.0,
        "pvr@10": 0.2,
        "exposure_recall@10": 0.5,
    }
    assert all(values.dtype == np.float64 for values in found.values())


def test_a_hit_at_the_first_beam():
    found = exposure_measures(beams([3, 0, 2]), pages(([0, 1, 4, 3], [4], [4])))
    assert measured(found) == dict.fromkeys(MEASURES, 1.0) | {"pvr@10": 0.3}


def test_nothing_is_found():
    found = exposure_measures(beams([]), pages(([0, 1], [0], [0])))
    assert measured(found) == dict.fromkeys(MEASURES, 0.0)


def test_beams_behind_the_tenth_do_not_count():
    wide = np.arange(12)[None]
    page = ShownSids(*([np.array([10, 11])] for _ in range(4)))
    assert measured(exposure_measures(wide, page)) == dict.fromkeys(MEASURES, 0.0)


def test_a_search_counts_only_where_it_has_what_is_counted():
    found = exposure_measures(
        beams([0], [0], [0], [0]),
        pages(([0], [], []), ([0], [0], []), ([], [0], [0]), ([], [], [])),
    )
    assert {name: values.tolist() for name, values in found.items()} == {
        name: pytest.approx(expected, nan_ok=True)
        for name, expected in {
            "clk@1": [NAN, 1.0, 1.0, NAN],
            "clk@10": [NAN, 1.0, 1.0, NAN],
            "exp@1": [1.0, 1.0, 1.0, NAN],  # what was chosen was shown
            "exp@10": [1.0, 1.0, 1.0, NAN],
            "buy@1": [NAN, NAN, 1.0, NAN],
            "buy@10": [NAN, NAN, 1.0, NAN],
            "pvr@10": [0.1, 0.1, 0.1, NAN],
            "exposure_recall@10": [1.0, 1.0, 1.0, NAN],
        }.items()
    }


def test_a_search_without_anything_is_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = exposure_measures(beams([]), pages(([], [], [])))
    assert all(np.isnan(values).all() for values in found.values())


def test_no_search_at_all():
    found = exposure_measures(np.empty((0, 10), np.int64), ShownSids([], [], [], []))
    assert tuple(found) == MEASURES
    assert all(values.tolist() == [] for values in found.values())


rows = st.lists(st.integers(0, 9), max_size=6, unique=True)
chosen = rows.flatmap(lambda rows: st.tuples(st.just(rows), st.sets(st.sampled_from([*rows, -1]))))
searches = st.lists(
    st.tuples(rows, chosen, st.lists(st.integers(0, 11), unique=True, max_size=10)),
    min_size=1,
    max_size=5,
)


def sids(rows):
    return [int(SID_OF_ITEM[row]) for row in rows]


@given(searches)
def test_measures_equal_plain_python(searches):
    page = pages(*((shown, rows, [*bought]) for shown, (rows, bought), _ in searches))
    found = exposure_measures(beams(*(listed for *_, listed in searches)), page)
    for place, (shown, (rows, bought), listed) in enumerate(searches):
        seen = {*shown, *rows}
        counted = {"clk": rows, "exp": seen, "buy": [row for row in rows if row in bought]}
        expected = {
            f"{name}@{k}": float(bool({*sids(of)} & {*listed[:k]})) if of else NAN
            for name, of in counted.items()
            for k in AT
        }
        holds = [sid for sid in listed if sid in sids(seen)]
        within = [sid for sid in sids(seen) if sid in listed]
        expected["pvr@10"] = len(holds) / 10 if seen else NAN
        expected["exposure_recall@10"] = len(within) / len(seen) if seen else NAN
        for name in MEASURES:
            assert found[name][place] == pytest.approx(expected[name], nan_ok=True), name


@given(searches)
def test_clicks_are_the_success_of_ir_measures(searches):
    listed = beams(*(row for *_, row in searches))
    page = pages(*((shown, rows, [*bought]) for shown, (rows, bought), _ in searches))
    run = [
        ir_measures.ScoredDoc(str(search), str(sid), -rank)
        for search, row in enumerate(listed.tolist())
        for rank, sid in enumerate(row)
        if sid >= 0
    ]
    qrels = [
        ir_measures.Qrel(str(search), str(sid), 1)
        for search, clicked in enumerate(page.clicked)
        for sid in clicked.tolist()
    ]
    found = exposure_measures(listed, page)
    counted = {search for search, clicked in enumerate(page.clicked) if len(clicked)}
    assert counted == set(np.flatnonzero(~np.isnan(found["clk@1"])).tolist())
    if run and qrels:
        for metric in ir_measures.iter_calc([Success @ 1, Success @ 10], qrels, run):
            k = str(metric.measure).rpartition("@")[2]
            assert found[f"clk@{k}"][int(metric.query_id)] == metric.value
