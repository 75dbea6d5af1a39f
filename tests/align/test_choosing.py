"""Which weights are kept, and when the alarm goes off."""

import pytest
import torch
from kept_log import KeptLog
from torch import nn

from genrecall.align.trainer import _Kept, _outcome, _validate
from genrecall.evaluate.alignment import collapses
from genrecall.generator.align_config import AlignConfig

START = {"clk@1": 0.4, "clk@10": 0.92, "exp@1": 0.85, "exp@10": 0.95, "pvr@10": 0.44} | {
    "entropy_1": 0.4
}
BETTER = START | {"clk@1": 0.41, "exp@1": 0.86}
COLLAPSED = START | {"clk@10": 0.905, "exp@1": 0.89, "exp@10": 0.965, "pvr@10": 0.455}


def choose(*measured):
    """What is kept of weights that are 0, 1, 2, … when they are measured, and what is said."""
    weights, log = nn.Linear(1, 1, bias=False), KeptLog()
    config = AlignConfig(steps=len(measured) - 1, validate_every=1)
    points = list(range(len(measured)))
    with torch.no_grad():
        weights.weight.fill_(0.0)
        kept = _Kept(weights, len(points))
        for point, found in enumerate(measured):
            weights.weight.fill_(float(point))
            _validate(kept, point, found, points, config, log)
    return kept.best.weight.item(), _outcome(kept, points), log.said


def test_the_best_of_the_five_measures_is_kept():
    best, went, said = choose(START, BETTER, START | {"clk@1": 0.405})
    assert (best, went.best_step) == (1.0, 1)
    assert went.best["clk@1"] == pytest.approx(0.41)
    assert not any("ALARM" in line for line in said)


def test_nothing_better_than_the_start_keeps_the_start():
    best, went, _ = choose(START, START | {"clk@1": 0.39}, START)
    assert (best, went.best_step) == (0.0, 0)


def test_weights_of_a_collapse_are_not_kept_whatever_they_gain():
    best, went, said = choose(START, BETTER, COLLAPSED)
    assert (best, went.collapsed) == (1.0, (2,))
    (alarm,) = (line for line in said if "ALARM" in line)
    assert "clk@10 0.9200 to 0.9050, entropy_1 0.4000 to 0.4000" in alarm


def test_a_generator_that_repeats_itself_collapses_too():
    sure = BETTER | {"entropy_1": 0.19}
    assert collapses(sure, START)
    assert not collapses(sure | {"entropy_1": 0.21}, START)
    assert not collapses(sure | {"exp@1": 0.84}, START), "exposure does not rise"
    assert choose(START, sure)[0] == 0.0
    unknown = {name: value for name, value in sure.items() if name != "entropy_1"}
    assert not collapses(unknown, START), "what was not measured is no collapse"
    assert not collapses(sure, unknown)
