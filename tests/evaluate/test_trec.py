import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import R

from genrecall.evaluate.measures import recall, target_ranks
from genrecall.evaluate.trec import (
    decode_id,
    encode_id,
    read_qrels,
    read_run,
    write_qrels,
    write_run,
)
from genrecall.foundation.errors import DataError

ITEM_IDS = ["red shoe", "100%", "a\tb", "plain", "naïve\u00a0id"]
SEARCH_IDS = ["search 1", "s%202", "3"]
ROWS = [np.array([2, 0, 4]), np.array([3]), np.array([1, 4])]
SCORES = [np.array([1.0, 1.0, 1.0]), np.array([-2.5]), np.array([0.0, -1.0])]


def write_both(folder):
    write_run(folder / "run", search_ids=SEARCH_IDS, item_ids=ITEM_IDS, rows=ROWS, scores=SCORES)
    positives = [np.array([0, 1]), np.array([3]), np.array([4])]
    write_qrels(folder / "qrels", search_ids=SEARCH_IDS, item_ids=ITEM_IDS, positives=positives)
    return positives


def test_files_hold_what_was_written(tmp_path):
    write_both(tmp_path)
    run = read_run(tmp_path / "run")
    assert {search: list(items) for search, items in run.items()} == {
        search: [ITEM_IDS[row] for row in rows]
        for search, rows in zip(SEARCH_IDS, ROWS, strict=True)
    }
    assert read_qrels(tmp_path / "qrels")["search 1"] == {"red shoe": 1.0, "100%": 1.0}
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


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30))
def test_tied_scores_fall_by_the_smallest_steps(tmp_path_factory, given_scores):
    path = tmp_path_factory.mktemp("run") / "run"
    scores = np.sort(np.array(given_scores, dtype=np.float32))[::-1]
    ids = [str(row) for row in range(len(scores))]
    write_run(path, search_ids=["q"], item_ids=ids, rows=[np.arange(len(ids))], scores=[scores])
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


def test_empty_id_is_refused(tmp_path):
    with pytest.raises(DataError, match="empty id"):
        write_qrels(tmp_path / "qrels", search_ids=[""], item_ids=["a"], positives=[np.array([0])])


def test_search_id_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="'q' stands twice"):
        write_qrels(
            tmp_path / "q", search_ids=["q", "q"], item_ids=["a"], positives=[np.array([0])] * 2
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
