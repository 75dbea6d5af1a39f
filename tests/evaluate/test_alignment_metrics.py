import numpy as np
import pytest

from genrecall.evaluate.alignment import (
    COMPARED,
    STAGE_3,
    alignment_metrics,
    arm_order,
    collapsed_arms,
    collapses,
)
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.exposure import MEASURES

NAN = np.nan
ARMS = {
    STAGE_3: {"clk@1": np.array([0.0, 1.0, NAN, 0.0]), "exp@1": np.array([0.0, 1.0, 0.0, 1.0])},
    "eg_grpo_k2": {
        "clk@1": np.array([1.0, 1.0, NAN, 0.0]),
        "exp@1": np.array([1.0, 1.0, 1.0, 1.0]),
    },
    "grpo_k0": {"clk@1": np.array([0.0, 0.0, NAN, 0.0]), "exp@1": np.array([1.0, 1.0, 0.0, 1.0])},
    "more_sft": {"clk@1": np.array([0.0, 1.0, NAN, 1.0]), "exp@1": np.array([0.0, 0.0, 0.0, 1.0])},
}
GROUPS = np.array([0, 1, 1, 2])


def made(arms=ARMS, slices=None):
    return alignment_metrics(arms, groups=GROUPS, slices=slices or {}, seed=0)


def values(figures):
    return {
        row: {measure: figure["value"] for measure, figure in of_row.items()}
        for row, of_row in figures.items()
    }


def test_figures_are_means_over_the_searches_that_have_what_is_counted():
    metrics = made()
    third, found = pytest.approx(1 / 3), values(metrics["align"])
    assert found[STAGE_3] == {"clk@1": third, "exp@1": 0.5}
    assert found["eg_grpo_k2"] == {"clk@1": pytest.approx(2 / 3), "exp@1": 1.0}
    assert found["grpo_k0"] == {"clk@1": 0.0, "exp@1": 0.75}
    counted = {m: figure["n"] for m, figure in metrics["align"][STAGE_3].items()}
    assert counted == {"clk@1": 3, "exp@1": 4}


def test_intervals_are_those_of_the_searches_that_are_counted():
    kept = [0, 1, 3]
    expected = Bootstrap(3, groups=GROUPS[kept], seed=0).share(ARMS[STAGE_3]["clk@1"][kept])
    assert made()["align"][STAGE_3]["clk@1"] == expected.to_json()


def test_every_arm_is_compared_with_stage_3_and_the_one_that_serves_with_every_control():
    found = values(made()["paired_align"])
    assert list(found) == [
        "eg_grpo_k2 - stage3",
        "grpo_k0 - stage3",
        "more_sft - stage3",
        "eg_grpo_k2 - grpo_k0",
        "eg_grpo_k2 - more_sft",
    ]
    assert found["eg_grpo_k2 - stage3"] == {"clk@1": pytest.approx(1 / 3), "exp@1": 0.5}
    assert found["grpo_k0 - stage3"] == {"clk@1": pytest.approx(-1 / 3), "exp@1": 0.25}
    assert found["eg_grpo_k2 - more_sft"] == {"clk@1": 0.0, "exp@1": 0.75}


def test_slices_hold_their_searches_and_empty_ones_are_left_out():
    slices = {
        "head": np.array([True, True, False, False]),
        "tail": np.array([False, False, True, False]),
        "unseen": np.zeros(4, dtype=bool),
    }
    metrics = made(slices=slices)
    assert list(metrics["slices_align"]) == ["head", "tail"]
    assert values(metrics["slices_align"]["head"])["more_sft"] == {"clk@1": 0.5, "exp@1": 0.0}
    # No search of this part has a click: there is nothing to count.
    nothing = {"value": 0.0, "ci": [0.0, 0.0], "n": 0}
    assert metrics["slices_align"]["tail"]["eg_grpo_k2"]["clk@1"] == nothing
    assert metrics["slices_align"]["tail"]["eg_grpo_k2"]["exp@1"]["value"] == 1.0


def test_a_measure_that_no_search_has_is_counted_over_none():
    nothing = {"buy@1": np.full(4, NAN)}
    metrics = made({STAGE_3: nothing, "eg_grpo_k2": nothing})
    assert metrics["align"]["eg_grpo_k2"]["buy@1"]["n"] == 0
    assert metrics["paired_align"]["eg_grpo_k2 - stage3"]["buy@1"]["n"] == 0


def test_stage_3_alone_is_compared_with_nothing():
    metrics = made({STAGE_3: ARMS[STAGE_3]})
    assert list(metrics["align"]) == [STAGE_3]
    assert metrics["paired_align"] == {}
    assert metrics["align_served"] is None
    assert arm_order(metrics) == [STAGE_3]
    assert collapsed_arms(metrics) == []


@pytest.mark.parametrize("served", ["eg_grpo_k2", "more_sft"])
@pytest.mark.parametrize("controls", [(), ("grpo_k0",), ("a", "grpo_k0", "z")])
def test_the_arm_that_serves_is_known_without_an_order(served, controls):
    arms = dict.fromkeys((STAGE_3, served, *controls), ARMS[STAGE_3])
    metrics = made(arms)
    mixed = metrics | {"align": dict(sorted(metrics["align"].items()))}
    assert mixed["align_served"] == served
    assert arm_order(mixed) == [STAGE_3, served, *controls]


def test_what_was_never_aligned_has_no_arm():
    assert (arm_order({}), collapsed_arms({})) == ([], [])


@pytest.mark.parametrize(
    ("clicks", "exposure", "collapsed"),
    [
        (0.494, 0.6, True),
        (0.496, 0.6, False),  # within a hundredth
        (0.4, 0.5, False),  # all falls
        (0.6, 0.6, False),
    ],
)
def test_a_collapse_shows_more_and_is_clicked_less(clicks, exposure, collapsed):
    start = {"clk@10": 0.5, "exp@1": 0.5}
    assert collapses({"clk@10": clicks, "exp@1": exposure}, start) is collapsed


@pytest.mark.parametrize("missing", ["clk@10", "exp@1"])
def test_what_was_not_measured_does_not_collapse(missing):
    start, found = {"clk@10": 0.5, "exp@1": 0.5}, {"clk@10": 0.1, "exp@1": 0.9}
    assert not collapses({name: found[name] for name in found if name != missing}, start)
    assert not collapses(found, {name: start[name] for name in start if name != missing})


def test_collapsed_arms_are_told_by_their_figures():
    def arm(clicks, exposure):
        return {"clk@10": np.full(4, clicks), "exp@1": np.full(4, exposure)}

    arms = {STAGE_3: arm(0.5, 0.5), "eg_grpo_k2": arm(0.5, 0.6), "grpo_k0": arm(0.4, 0.6)}
    assert collapsed_arms(made(arms)) == ["grpo_k0"]
    uncounted = {STAGE_3: arm(NAN, 0.5), "grpo_k0": arm(NAN, 0.6)}
    assert collapsed_arms(made(uncounted)) == []


def test_measures_of_the_paper_are_measured():
    assert set(COMPARED) <= set(MEASURES)
