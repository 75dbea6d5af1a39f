import json

import numpy as np
import pytest
from tables import searches_of
from tiny_shop import write_shop

from benchmarks.new_items import Found, Repetition, choose, main, summarize
from genrecall.foundation.errors import DataError

CHANNELS = {"bm25", "dense", "generative", "bm25+dense", "bm25+dense+generative"}
BEAMS = "generative, its beams"


def test_protocol(tmp_path, capfd):
    """One repetition, with a run that saw all items; a second call trains nothing."""
    path = write_shop(tmp_path, data={"split": {"by": "time"}})
    words = [str(path), "--share", "0.3", "--oracle", "--out", str(tmp_path / "out")]
    main([*words, "--json", str(tmp_path / "new.json")])
    printed = capfd.readouterr().out
    result = json.loads((tmp_path / "new.json").read_text("utf-8"))
    assert set(result) == {
        *("settings", "counts", "new", "known", "paired", "oracle", "share_of_oracle")
    }
    assert result["settings"]["share"] == 0.3
    assert "share 0.3" in printed
    for counts in result["counts"]:
        assert counts["known items"] + counts["new items"] == 120
        assert 0 < counts["SIDs with a new item"] <= counts["SIDs"]
    for kind in ("new", "known", "oracle"):
        assert set(result[kind]) == {*CHANNELS, BEAMS}
        assert set(result[kind]["dense"]) == {"recall@10", "recall@100", "recall@1000"}
        assert set(result[kind][BEAMS]) == {"hit@beam1", "hit@beam10", "hit@beam100"}
        for channel in result[kind].values():
            figures = list(channel.values())
            assert all(0 <= f["ci"][0] <= f["value"] <= f["ci"][1] <= 1 for f in figures)
            values = [figure["value"] for figure in figures]
            assert values == sorted(values)
    # All 108 live items are answered.
    assert result["new"]["dense"]["recall@1000"]["value"] > 0.8
    assert result["new"]["bm25"]["recall@10"]["n"] > 0
    for title in ("new items", "differences", "known items", "new items, trained on, too", BEAMS):
        assert f"  {title}" in printed or f"\n{title}" in printed
    # BM25 learns nothing, so it finds items that came later as well as it would have before.
    assert result["new"]["bm25"] == result["oracle"]["bm25"]
    assert set(result["share_of_oracle"]) == {*CHANNELS, BEAMS}
    assert set(result["paired"]) == {
        "generative - bm25",
        "generative - dense",
        "bm25+dense+generative - bm25+dense",
    }

    main(words)
    again = capfd.readouterr()
    assert again.err.count("up to date") == 2 * 7
    assert again.out == printed.rsplit("wrote", 1)[0]


def searches(*positives, split="validation"):
    return searches_of(
        [{"query": f"q{i}", "split": split, "positives": rows} for i, rows in enumerate(positives)]
    )


def test_relevant_items_are_new_or_known():
    hidden = np.array([True, False, False, True])
    measured = choose(searches([0, 1], [2], [], [3]), hidden, count=10, seed=0)
    assert measured.searches.queries == ["q0", "q1", "q3"]
    assert [rows.tolist() for rows in measured.new] == [[0], [], [3]]
    assert [rows.tolist() for rows in measured.known] == [[1], [2], []]


def test_at_most_so_many_searches_of_either_kind_are_measured():
    hidden = np.array([True, False])
    measured = choose(searches(*[[0]] * 20, *[[1]] * 30), hidden, count=5, seed=0)
    assert sum(map(len, measured.new)) == sum(map(len, measured.known)) == 5


def test_searches_with_both_kinds_of_relevant_items_are_not_measured_more_often():
    hidden = np.array([True, False])
    measured = choose(searches(*[[0, 1]] * 20, *[[0]] * 20, *[[1]] * 20), hidden, count=10, seed=0)
    for kind in (measured.new, measured.known):
        assert sum(len(rows) > 0 for rows in kind) == 10


@pytest.mark.parametrize("log", [searches([1], [1]), searches([0], split="train")])
def test_without_a_hidden_relevant_item_there_is_nothing_to_measure(log):
    with pytest.raises(DataError, match=r"no validation search has a hidden relevant item.*larger"):
        choose(log, np.array([True, False]), count=5, seed=0)


def found(queries, values):
    measures = {name: {"recall@10": np.array(values)} for name in CHANNELS}
    return Found(queries, measures | {BEAMS: {"hit@beam1": np.array(values)}})


def test_repetitions_are_pooled_and_compared_with_the_oracle():
    queries = [f"q{i}" for i in range(30)]
    half, whole = found(queries, [0.0, 1.0] * 15), found(queries, [1.0] * 30)
    some = Repetition({"new": half, "known": whole, "oracle": whole}, {"SIDs": 3})
    result = summarize([some, some])
    figure = result["new"]["dense"]["recall@10"]
    assert (figure["value"], figure["n"]) == (0.5, 60)
    # Both have the same queries: another repetition makes no interval narrower by itself.
    assert figure["ci"][1] - figure["ci"][0] > 0.3
    assert result["share_of_oracle"]["dense"]["recall@10"]["value"] == 0.5
    # Thirty queries without a difference say that there is none larger than this.
    same = result["paired"]["generative - dense"]["recall@10"]
    assert (same["value"], same["ci"]) == (0.0, pytest.approx([-0.1157, 0.1157], abs=1e-4))
    assert result["counts"] == [{"SIDs": 3}] * 2


def test_a_share_of_next_to_nothing_is_not_given():
    queries = [f"q{i}" for i in range(30)]
    little = found(queries, [1.0] * 19 + [0.0] * 11)
    result = summarize([Repetition({"new": little, "known": little, "oracle": little}, {})])
    assert result["share_of_oracle"]["dense"]["recall@10"] is None
