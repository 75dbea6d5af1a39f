"""Scores that mean the same in every answer."""

import numpy as np
import pytest

from genrecall.bundle import open_bundle
from genrecall.channels.base import Page, Ranking, Request
from genrecall.channels.calibration import Calibration, shares
from genrecall.learning.likelihood import Choices
from genrecall.offline.score_calibration import fit_calibration


@pytest.fixture(scope="module")
def channel(shop_run):
    return open_bundle(shop_run.bundle).generative()


def test_calibrated_scores_keep_the_order():
    scores = np.sort(np.random.default_rng(0).normal(size=50)).astype(np.float32)[::-1]
    odds = Calibration(3.0, -1.5, -4.0).log_odds(scores)
    assert (np.diff(odds) <= 0).all()
    told = shares(odds)
    assert (np.diff(told) <= 0).all()
    assert 0 <= told.min() <= told.max() <= 1
    assert not len(Calibration(1.0, 0.0, 0.0).log_odds(np.empty(0, np.float32)))


def test_an_answer_tells_shares_and_stops_at_the_least(channel):
    assert channel.learned.fit.calibration is not None
    (ranking,) = channel.rank([Request("red cordless drill")], 20)
    assert ranking.calibrated
    hits = channel.recall("red cordless drill", k=20)
    np.testing.assert_allclose([hit.score for hit in hits], ranking.told)
    assert 0 <= hits[-1].score <= hits[0].score <= 1
    least = hits[4].score
    kept = channel.recall("red cordless drill", k=20, min_score=least)
    assert [hit.item_id for hit in kept] == [hit.item_id for hit in hits if hit.score >= least]
    assert not channel.recall("red cordless drill", min_score=1.01)


def test_scores_that_are_none_are_told_as_they_are():
    ranking = Ranking(np.arange(3, dtype=np.int32), np.array([5, 2, -1], dtype=np.float32))
    assert ranking.told is ranking.scores
    assert Page(3, min_score=0).part(ranking) == slice(0, 2)


def drawn(calibration, searches=400, items=30):
    """Items that are relevant as often as a calibration says."""
    random = np.random.default_rng(0)
    scores = np.sort(random.normal(size=(searches, items)), axis=1)[:, ::-1]
    scores += random.normal(size=(searches, 1))
    odds = np.stack([calibration.log_odds(of.astype(np.float32)) for of in scores])
    relevant = random.random(odds.shape) < shares(odds)
    choices = Choices(
        np.repeat(np.arange(searches), items),
        np.tile(np.arange(items, dtype=np.int32), searches),
        np.empty((0, searches * items), np.float32),
    )
    return choices, scores.ravel(), [np.flatnonzero(of) for of in relevant]


def test_what_was_drawn_by_a_calibration_is_found_again():
    true = Calibration(1.5, -0.7, -1.0)
    found = fit_calibration(*drawn(true))
    np.testing.assert_allclose(found, true, atol=0.15)


def test_nothing_is_calibrated_where_nothing_is_known():
    choices, scores, positives = drawn(Calibration(1.0, 0.0, -1.0), searches=20)
    nothing = [np.array([], dtype=np.int64) for _ in positives]
    assert fit_calibration(choices, scores, nothing) is None
    assert fit_calibration(choices, -scores, positives) is None
    none = Choices(*(part[..., :0] for part in choices))
    assert fit_calibration(none, scores[:0], positives) is None


def test_few_searches_and_still_best_scores_say_nothing():
    choices, scores, positives = drawn(Calibration(1.5, -0.7, -1.0), searches=15)
    assert fit_calibration(choices, scores, positives) is None
    choices, scores, positives = drawn(Calibration(1.5, -0.7, -1.0), searches=200)
    one = np.tile(scores[:30], 200) + np.random.default_rng(1).normal(0, 1e-9, 6000)
    found = fit_calibration(choices, one, positives)
    assert found is None or abs(found.best) < 1e-6


def test_answers_say_whether_scores_are_shares(channel, shop_run):
    (answer,) = channel.recall_many(["red cordless drill"], k=3, min_score=0.0)
    assert answer.calibrated
    assert answer.to_dict()["calibrated"]
    assert not answer.notes
    (answer,) = open_bundle(shop_run.bundle).lexical().recall_many(["drill"], k=3, min_score=0.1)
    assert not answer.calibrated
    assert "not calibrated" in answer.notes[0]
