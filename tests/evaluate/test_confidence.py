"""Scores that are meant as shares: whether they say the truth, and what answering less leaves."""

import numpy as np
import pytest

from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.confidence import confidence_figures


def rows(*numbers):
    return np.array(numbers, dtype=np.int32)


def said(*shares):
    return np.array(shares, dtype=np.float32)


def figures(answers, scores, positives):
    return confidence_figures(answers, scores, positives, Bootstrap(len(answers), seed=0))


ANSWERS = [rows(1, 2, 3), rows(4, 5), rows(), rows(7)]
SCORES = [said(0.5, 0.05, 0.0), said(0.4, 0.002), said(), said(0.02)]
POSITIVES = [rows(1, 2), rows(9), rows(8), rows(7, 6)]


def test_items_of_a_score_are_relevant_as_often_as_it_says():
    bands = {band["from"]: band for band in figures(ANSWERS, SCORES, POSITIVES)["items"]}
    assert list(bands) == [0.0, 0.001, 0.01, 0.03, 0.3]
    assert bands[0.3]["candidates"]["value"] == 2 / 4
    assert bands[0.3]["said"]["value"] == pytest.approx(0.45)
    assert bands[0.3]["relevant"]["value"] == 1 / 2
    assert bands[0.01]["relevant"]["value"] == 1
    assert bands[0.001]["relevant"]["value"] == 0


def test_what_is_left_where_low_scores_are_not_answered():
    left = figures(ANSWERS, SCORES, POSITIVES)["least"]
    assert left["0.0"]["recall@1000"]["value"] == (1 + 0 + 0 + 0.5) / 4
    assert left["0.1"]["recall@1000"]["value"] == (0.5 + 0 + 0 + 0) / 4
    assert left["0.1"]["zero_results"]["value"] == 2 / 4
    assert left["0.0"]["candidates"]["value"] == 6 / 4
    assert left["0.01"]["candidates"]["value"] == 4 / 4


def test_the_best_score_tells_answers_with_a_relevant_item():
    told = figures(ANSWERS, SCORES, POSITIVES)
    # Found: .5 and .02; not: .4 and none at all.
    assert told["auc@10"]["value"] == told["auc@100"]["value"] == 3 / 4
    assert "auc@10" not in figures([rows(1)], [said(0.5)], [rows(1)])
    assert "auc@10" not in figures([rows(1)], [said(0.5)], [rows(2)])


def test_auc_counts_pairs_of_resampled_searches():
    random = np.random.default_rng(1)
    values, positive = random.integers(0, 5, 60) / 4, random.random(60) < 0.4
    pairs = values[positive][:, None] - values[~positive][None]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    found = Bootstrap(60, seed=0).auc(values, positive)
    assert found.value == pytest.approx(expected)
    assert found.lo < expected < found.hi
    assert found.n == 60
    certain = Bootstrap(60, seed=0).auc(positive.astype(float), positive)
    assert certain.value == 1
    assert certain.lo < 1


def test_auc_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="one value a search"):
        Bootstrap(3).auc(np.zeros(2), np.array([True, False, True]))
