import json
import subprocess
import sys

import numpy as np
import pytest

from genrecall.evaluate.bootstrap import Units
from genrecall.evaluate.inputs import EvaluationInputs
from genrecall.evaluate.metrics import build_metrics
from genrecall.foundation.errors import DataError


def rows(*values):
    return np.array(values, dtype=np.int32)


def inputs(**changes):
    """Three searches over ten items; item `i` has SID `i // 2`."""
    given = {
        "split": "validation",
        "positives": [rows(0, 1), rows(4), rows(9, 7)],
        "channels": {
            "generative": [rows(1, 0), rows(4, 5), rows()],
            "bm25": [rows(3, 1), rows(), rows(9)],
            "bm25+generative": [rows(1, 3, 0), rows(4, 5), rows(9)],
        },
        "beams": {"query_to_sid": np.array([[0, 1], [1, 2], [-1, -1]])},
        "sid_of_item": np.arange(10) // 2,
    }
    return EvaluationInputs(**(given | changes))


def value(figure):
    assert figure["ci"][0] <= figure["value"] <= figure["ci"][1]
    return pytest.approx(figure["value"])


def test_figures_by_hand():
    metrics = build_metrics(inputs(excluded={"no relevant item": 4}))
    assert metrics["searches"] == 3
    assert metrics["excluded"] == {"no relevant item": 4}
    channels = metrics["channels"]
    assert value(channels["generative"]["recall@10"]) == 2 / 3
    assert value(channels["generative"]["hit@10"]) == 2 / 3
    assert value(channels["generative"]["candidates"]) == 4 / 3
    assert value(channels["bm25"]["recall@1000"]) == (0.5 + 0 + 0.5) / 3
    assert value(channels["bm25+generative"]["recall@100"]) == (1 + 1 + 0.5) / 3
    assert value(metrics["only_generative@1000"]) == (0.5 + 1 + 0) / 3
    paired = metrics["paired"]
    assert list(paired) == ["bm25+generative - bm25"]
    assert value(paired["bm25+generative - bm25"]["recall@10"]) == (0.5 + 1 + 0) / 3


def test_order_empty_answers_and_other_categories_by_hand():
    gains = [np.array([1.0, 2.0]), np.array([1.0]), np.array([1.0, 1.0])]
    # Items 0, 1, 6, 7 and 8 are of kind 0, 4 of kind 1, 2, 3 and 5 of kind 2, 9 of none.
    categories = np.array([0, 0, 2, 2, 1, 2, 0, 0, 0, -1])
    channels = build_metrics(inputs(gains=gains, categories=categories))["channels"]
    log2 = np.log2
    # Item 1 with gain 2 stands first, 0 with gain 1 second: as good as can be.
    assert value(channels["generative"]["ndcg@10"]) == (1 + 1 + 0) / 3
    ideal, pair = 2 + 1 / log2(3), 1 + 1 / log2(3)
    assert value(channels["bm25"]["ndcg@10"]) == (2 / log2(3) / ideal + 0 + 1 / pair) / 3
    assert value(channels["generative"]["mrr"]) == (1 + 1 + 0) / 3
    assert value(channels["bm25"]["mrr"]) == (1 / 2 + 0 + 1) / 3
    assert value(channels["generative"]["zero_results"]) == 1 / 3
    assert value(channels["bm25+generative"]["zero_results"]) == 0
    # 3 is of another kind than 0 and 1; then nothing; then 9, of which no kind is known.
    assert value(channels["bm25"]["other_category@1000"]) == 1 / 2
    assert value(channels["generative"]["other_category@1000"]) == 1 / 4
    for without in (None, np.full(10, -1)):
        figures = build_metrics(inputs(categories=without))["channels"]["bm25"]
        assert "other_category@1000" not in figures


def test_slices_of_items_keep_their_gains():
    gains = [np.array([1.0, 2.0]), np.array([1.0]), np.array([1.0, 3.0])]
    metrics = build_metrics(inputs(gains=gains, item_slices={"new_items": rows(9, 7)}))
    # Only 9 and 7 count: bm25 has 9 first, and 7 with gain 3 nowhere.
    ideal = 3 + 1 / np.log2(3)
    assert value(metrics["slices"]["new_items"]["bm25"]["ndcg@10"]) == 1 / ideal


def test_beams_by_hand():
    metrics = build_metrics(inputs())
    assert value(metrics["hit@beam"]["query_to_sid"]["1"]) == (1 + 0 + 0) / 3
    assert value(metrics["hit_micro@beam"]["query_to_sid"]["1"]) == 2 / 5
    assert value(metrics["candidates@beam"]["query_to_sid"]["1"]) == 4 / 3
    # Wider than the two beams that there are is not reported: it would be another budget.
    assert list(metrics["hit@beam"]["query_to_sid"]) == ["1"]


def test_wide_beams_are_reported_at_each_width():
    beams = np.full((3, 100), -1)
    beams[:, 12] = [0, 2, 4]
    figures = build_metrics(inputs(beams={"align": beams}))
    assert list(figures["hit@beam"]["align"]) == ["1", "10", "100"]
    assert value(figures["hit@beam"]["align"]["10"]) == 0
    assert value(figures["hit@beam"]["align"]["100"]) == (1 + 1 + 0.5) / 3


def test_only_live_items_are_candidates():
    metrics = build_metrics(inputs(items_per_sid=np.array([1, 0, 2, 2, 2])))
    assert value(metrics["candidates@beam"]["query_to_sid"]["1"]) == 1 / 3


def test_slices_keep_their_searches_and_leave_empty_ones_out():
    slices = {"head": np.array([True, False, True]), "tail": np.zeros(3, dtype=bool)}
    metrics = build_metrics(inputs(slices=slices))
    assert list(metrics["slices"]) == ["head"]
    head = metrics["slices"]["head"]["generative"]["recall@10"]
    assert (head["value"], head["n"]) == (0.5, 2)


def test_new_items_alone_count_as_relevant():
    metrics = build_metrics(inputs(item_slices={"new_items": rows(1, 7)}))
    figures = metrics["slices"]["new_items"]
    assert figures["bm25"]["recall@10"]["value"] == 0.5  # has 1, not 7; not asked for 9
    assert figures["bm25"]["recall@10"]["n"] == 2
    assert "new_items" not in build_metrics(inputs(item_slices={"new_items": rows(2)}))["slices"]


def test_searches_of_one_query_stand_together_in_every_resample():
    # Of the two queries either both or one twice is drawn, never a part of the first one's two.
    slices = {"head": np.array([True, True, False])}
    metrics = build_metrics(
        inputs(
            units=Units("queries", ["a", "a", "b"]),
            slices=slices,
            item_slices={"new_items": rows(0, 4)},
        )
    )
    figure = metrics["channels"]["bm25"]["recall@10"]
    # Of queries unlike these two there may be a share, whose recall is anything.
    unseen = 1 - 0.025 ** (1 / 2)
    ends = [(1 - unseen) * 0.25, (1 - unseen) * 0.5 + unseen]
    assert (figure["ci"], figure["n"]) == (pytest.approx(ends), 3)
    assert value(figure) == (0.5 + 0 + 0.5) / 3
    for name in ("head", "new_items"):  # one query alone says next to nothing
        of_slice = metrics["slices"][name]["generative"]["recall@10"]
        assert (of_slice["ci"], of_slice["n"]) == (pytest.approx([0.025, 1.0]), 2)


def test_distinct_queries_change_nothing():
    alone, distinct = (
        build_metrics(inputs()),
        build_metrics(inputs(units=Units("queries", [*"cab"]))),
    )
    assert alone.pop("bootstrap") | {"units": "queries"} == distinct.pop("bootstrap")
    assert alone == distinct


def test_what_intervals_are_over_is_told():
    metrics = build_metrics(inputs(units=Units("shoppers", ["ann", "ann", "ben"])))
    assert metrics["bootstrap"]["units"] == "shoppers"
    assert metrics["bootstrap"]["clusters"] == 2


def test_generative_fusion_is_compared_with_the_control_in_its_place():
    lists = inputs().channels
    names = ("bm25+generative", "bm25+two_views", "two_views", "bm25", "generative")
    channels = {name: lists.get(name, [rows(0), rows(), rows()]) for name in names}
    metrics = build_metrics(inputs(channels=channels))
    paired = metrics["paired"]
    assert list(paired) == ["bm25+generative - bm25", "bm25+generative - bm25+two_views"]
    assert value(paired["bm25+generative - bm25+two_views"]["recall@10"]) == (0.5 + 1 + 0.5) / 3
    # The control is no channel to serve: it takes nothing from what the generative one alone has.
    assert value(metrics["only_generative@1000"]) == (0.5 + 1 + 0) / 3


def test_the_headline_is_against_the_strongest_fusion_without_the_generator():
    """It is not the control that has the generator's vectors, nor the weaker fusion."""
    found = {
        "bm25+dense": [rows(3), rows(), rows(9)],
        "bm25+dense+popularity": [rows(0), rows(4), rows()],
        "bm25+dense+two_views": [rows(0, 1), rows(4), rows(9, 7)],
        "bm25+dense+popularity+two_views": [rows(0, 1), rows(4), rows(9, 7)],
    }
    found |= {f"{name}+generative": lists for name, lists in list(found.items())[:2]}
    metrics = build_metrics(inputs(channels=found))
    strongest = "bm25+dense+popularity"
    assert metrics["headline"] == {"with": f"{strongest}+generative", "without": strongest}
    assert set(metrics["paired"]) == {
        "bm25+dense+generative - bm25+dense",
        "bm25+dense+generative - bm25+dense+two_views",
        "bm25+dense+generative - bm25+dense+popularity",
        "bm25+dense+popularity+generative - bm25+dense+popularity",
        "bm25+dense+popularity+generative - bm25+dense+popularity+two_views",
    }
    alone = build_metrics(inputs(channels={"bm25": found["bm25+dense"]}))
    assert "headline" not in alone


def test_beams_used_and_full_answers():
    channels = {"generative": [np.arange(1000), rows(4), rows()]}
    metrics = build_metrics(inputs(channels=channels, beams_found=np.array([100, 300, 800])))
    assert value(metrics["generative"]["beams"]) == 400
    assert value(metrics["generative"]["filled"]) == 1 / 3
    assert metrics["generative"]["items"] == 10
    live = np.array([2, 0, 1, 2, 2])
    metrics = build_metrics(inputs(items_per_sid=live, beams_found=np.array([4, 4, 1])))
    assert metrics["generative"]["items"] == 7
    assert value(metrics["generative"]["beams"]) == 3
    assert "generative" not in build_metrics(inputs())


def test_latency_has_its_own_number_of_requests():
    latencies = np.array([5.0, 7.0, 100.0, 6.0])
    metrics = build_metrics(inputs(latencies_ms={"bm25": latencies}, latency_k=300))
    assert metrics["latency_ms"]["k"] == 300
    assert metrics["latency_ms"]["bm25"]["p50"]["value"] == 6.0
    assert metrics["latency_ms"]["bm25"]["p99"]["value"] == 100.0
    assert metrics["latency_ms"]["bm25"]["p99"]["n"] == 4


def test_metrics_are_json_without_nan_and_the_same_each_time():
    first, second = (
        json.dumps(build_metrics(inputs(seed=5)), allow_nan=False, sort_keys=True) for _ in range(2)
    )
    assert first == second


def test_quantize_figures_are_passed_on():
    assert build_metrics(inputs(quantize={"sids": 5}))["quantize"] == {"sids": 5}


def test_without_a_search_there_is_nothing_to_measure():
    with pytest.raises(DataError, match=r"validation split has no search.*clicks"):
        build_metrics(inputs(positives=[], channels={}, beams={}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": {"dense": [rows(1)]}}, "'dense' gave 1 lists for 3 searches"),
        (
            {"channels": {"dense": [np.arange(1001), rows(), rows()]}},
            "'dense' gave 1001 candidates; cut every list to 1000",
        ),
        ({"sid_of_item": None}, "'query_to_sid' need `sid_of_item`"),
        (
            {"beams": {"align": np.zeros((2, 5), dtype=int)}},
            r"'align' gave beams of shape \(2, 5\)",
        ),
        ({"slices": {"head": np.ones(2, dtype=bool)}}, r"'head' has shape \(2,\)"),
        ({"units": Units("queries", ["a", "b"])}, "2 units do not fit 3 searches"),
        ({"beams_found": np.ones((3, 1), dtype=int)}, r"`beams_found` has shape \(3, 1\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build_metrics(inputs(**changes))


def test_evaluate_is_free_of_torch():
    modules = "measures, bootstrap, slices, metrics, table, trec"
    code = f"from genrecall.evaluate import {modules}; import sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
