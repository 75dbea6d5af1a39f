import io

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, R, nDCG

from genrecall.evaluate.measures import ndcg, recall, reciprocal_rank, target_ranks
from genrecall.evaluate.trec import (
    decode_id,
    encode_id,
    read_qrels,
    read_run,
    write_qrels,
    write_run,
)
from genrecall.foundation.errors import DataError
from genrecall.foundation.files import replacing

ITEM_IDS = ["red shoe", "100%", "a\tb", "plain", "naïve\u00a0id"]
SEARCH_IDS = ["search 1", "s%202", "3"]
ROWS = [np.array([2, 0, 4]), np.array([3]), np.array([1, 4])]
GAINS = [np.array([2.0, 1.0]), np.array([1.0]), np.array([2.0])]
SCORES = [np.array([1.0, 1.0, 1.0]), np.array([-2.5]), np.array([0.0, -1.0])]


def write(folder, *, search_ids, item_ids, rows, scores, positives, gains):
    """A run and the qrels beside it."""
    ids = {"search_ids": search_ids, "item_ids": item_ids}
    with replacing(folder / "run") as stream:
        write_run(stream, **ids, rows=rows, scores=scores)
    with replacing(folder / "qrels") as stream:
        write_qrels(stream, **ids, positives=positives, gains=gains)


def write_both(folder):
    positives = [np.array([0, 1]), np.array([3]), np.array([4])]
    write(
        folder,
        search_ids=SEARCH_IDS,
        item_ids=ITEM_IDS,
        rows=ROWS,
        scores=SCORES,
        positives=positives,
        gains=GAINS,
    )
    return positives


def test_files_hold_what_was_written(tmp_path):
    write_both(tmp_path)
    run = read_run(tmp_path / "run")
    assert {search: list(items) for search, items in run.items()} == {
        search: [ITEM_IDS[row] for row in rows]
        for search, rows in zip(SEARCH_IDS, ROWS, strict=True)
    }
    assert read_qrels(tmp_path / "qrels")["search 1"] == {"red shoe": 2.0, "100%": 1.0}
    first = (tmp_path / "run").read_text("utf-8").splitlines()[0]
    assert first == "search%201 Q0 a%09b 1 1.0 genrecall"


def test_other_tools_see_the_same_ranking(tmp_path):
    positives = write_both(tmp_path)
    run = list(ir_measures.read_trec_run(str(tmp_path / "run")))
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "qrels")))
    ours = target_ranks(ROWS, positives)
    for k in (1, 2, 3):
        theirs = ir_measures.calc_aggregate([R @ k], qrels, run)[R @ k]
        assert recall(ours, k).mean() == pytest.approx(theirs)


@pytest.mark.parametrize("unit", [1.0, 0.37])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_measures_are_those_of_other_tools(tmp_path_factory, unit, data):
    """nDCG, reciprocal rank and recall of random rankings as trec_eval has them of our files."""
    folder, ids = tmp_path_factory.mktemp("trec"), [f"i{row}" for row in range(12)]
    n = data.draw(st.integers(1, 4))
    rows = st.permutations(range(12)).map(np.array)
    lists = [data.draw(rows)[: data.draw(st.integers(0, 12))] for _ in range(n)]
    positives = [data.draw(rows)[: data.draw(st.integers(1, 12))] for _ in range(n)]
    gains = [
        unit * np.array([data.draw(st.integers(1, 3)) for _ in of_search], dtype=float)
        for of_search in positives
    ]
    searches = [f"s{number}" for number in range(n)]
    scores = [np.zeros(len(of_search)) for of_search in lists]
    write(
        folder,
        search_ids=searches,
        item_ids=ids,
        rows=lists,
        scores=scores,
        positives=positives,
        gains=gains,
    )
    run = list(ir_measures.read_trec_run(str(folder / "run")))
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels")))
    theirs = ir_measures.calc_aggregate([nDCG @ 10, RR, R @ 10], qrels, run)
    ours = target_ranks(lists, positives, gains)
    assert ndcg(ours, 10).mean() == pytest.approx(theirs[nDCG @ 10])
    assert reciprocal_rank(ours).mean() == pytest.approx(theirs[RR])
    assert recall(ours, 10).mean() == pytest.approx(theirs[R @ 10])


def test_a_search_without_an_answer_counts_in_other_tools(tmp_path):
    """Left out of the file, it would be left out of the mean."""
    rows, ids = [np.array([0]), np.array([], dtype=np.int32)], ["drill", "%none"]
    scores = [np.ones(len(of_search)) for of_search in rows]
    write(
        tmp_path,
        search_ids=["a", "b"],
        item_ids=ids,
        rows=rows,
        scores=scores,
        positives=[np.array([0, 1])] * 2,
        gains=[np.ones(2)] * 2,
    )
    run = list(ir_measures.read_trec_run(str(tmp_path / "run")))
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "qrels")))
    assert {line.query_id for line in run} == {"a", "b"}
    assert ir_measures.calc_aggregate([R @ 10], qrels, run)[R @ 10] == 0.25
    assert read_run(tmp_path / "run") == {"a": {"drill": 1.0}, "b": {}}


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30))
def test_tied_scores_fall_by_the_smallest_steps(tmp_path_factory, given_scores):
    path = tmp_path_factory.mktemp("run") / "run"
    scores = np.sort(np.array(given_scores, dtype=np.float32))[::-1]
    ids = [str(row) for row in range(len(scores))]
    with replacing(path) as stream:
        rows = [np.arange(len(ids))]
        write_run(stream, search_ids=["q"], item_ids=ids, rows=rows, scores=[scores])
    run = read_run(path)["q"]
    assert list(run) == ids
    written = np.array(list(run.values()), dtype=np.float32)
    assert (np.diff(written) < 0).all()
    np.testing.assert_allclose(written, scores, rtol=1e-5, atol=1e-40)
    if (np.diff(scores) < 0).all():
        np.testing.assert_array_equal(written, scores)


@given(st.text(min_size=1))
def test_encoded_ids_have_no_white_space_and_come_back(name):
    encoded = encode_id(name)
    assert encoded.split() == [encoded]
    assert decode_id(encoded) == name


def test_empty_id_is_refused():
    with pytest.raises(DataError, match="empty id"):
        write_qrels(
            io.StringIO(),
            search_ids=[""],
            item_ids=["a"],
            positives=[np.array([0])],
            gains=[np.ones(1)],
        )


def test_search_id_twice_is_refused():
    with pytest.raises(DataError, match="'q' stands twice"):
        write_qrels(
            io.StringIO(),
            search_ids=["q", "q"],
            item_ids=["a"],
            positives=[np.array([0])] * 2,
            gains=[np.ones(1)] * 2,
        )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q Q0 item 1 0.5", r"run:1 has 5 fields.*search_id Q0 item_id rank score tag"),
        ("q Q0 item 1 high tag", r"run:1 has 'high' where a number is needed"),
        ("q Q0 item 1 12_50 tag", r"run:1 has '12_50' where a number is needed"),
        ("q Q0 item 1 \u0661 tag", r"run:1 has '\u0661' where a number is needed"),
        ("q Q0 a 1 2.0 t\nq Q0 a 2 1.0 t", r"run:2 names item 'a' of this search again"),
    ],
)
def test_unreadable_run_is_refused(tmp_path, line, message):
    (tmp_path / "run").write_text(line + "\n", "utf-8")
    with pytest.raises(DataError, match=message):
        read_run(tmp_path / "run")
