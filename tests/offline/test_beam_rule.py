import numpy as np
import pytest

from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.foundation.progress import SilentLog
from genrecall.offline.beam_rule import Judged, judge_widths, tune_beams

WIDTHS = (20, 50, 100)


def judged(n=4000, *, seed=0, sure=1.0):
    """Below an entropy of `sure` 20 beams find all that 100 do, above it they find half of it."""
    rng = np.random.default_rng(seed)
    entropy, fold = rng.uniform(0, 4, n), rng.integers(0, 2, n)
    widest = rng.uniform(0.6, 1.0, n)
    share = np.where(entropy[:, None] < sure, 1.0, [0.5, 0.5, 1.0])
    return Judged(entropy, widest[:, None] * share, kept(n), fold)


def kept(n):
    return np.tile(np.array(WIDTHS, dtype=np.float64), (n, 1))


def test_few_beams_where_they_are_enough():
    tuned = tune_beams(judged(), WIDTHS, loss=0.005)
    assert tuned.rule.width(0.5) == 20
    assert {tuned.rule.width(entropy) for entropy in (1.3, 3.9)} == {100}
    assert tuned.recall >= 0.995 * tuned.fixed[-1]
    assert tuned.held_out >= 0.995 * tuned.fixed[-1]
    assert 75 < tuned.beams < 85
    assert tuned.fixed[0] < tuned.fixed[-1]


def test_without_an_allowed_loss_all_that_costs_recall_is_wide():
    tuned = tune_beams(judged(sure=0.0), WIDTHS, loss=0.0)
    assert (tuned.beams, tuned.rule.width(0.0)) == (100, 100)


def test_where_width_does_not_matter_all_is_narrow():
    tuned = tune_beams(judged(sure=9.0), WIDTHS, loss=0.005)
    assert (tuned.beams, tuned.held_out_beams) == (20, 20)


def test_few_searches_save_less_than_many():
    few, many = (tune_beams(noisy(n), WIDTHS, loss=0.01).beams for n in (60, 20_000))
    assert few > many


def noisy(n):
    rng = np.random.default_rng(1)
    recall = rng.random((n, 3)).clip(0, 1)
    return Judged(rng.uniform(0, 4, n), recall, kept(n), rng.integers(0, 2, n))


@pytest.mark.parametrize("n", [1, 2])
def test_next_to_no_searches_keep_the_widest(n):
    given = judged(n, sure=0.0)
    assert tune_beams(given, WIDTHS, loss=0.005).rule.width(0.0) == 100


def test_beams_are_counted_as_they_were_kept(parts):
    """Two beams hold too few items for the answer, so more are searched."""
    requests, positives = [Request("drill")] * 2, [np.array([1]), np.array([2])]
    found = judge_widths(parts.generative(), requests, positives, (2, 9), k=10, log=SilentLog())
    assert (found.beams[:, 0] > 2).all()
    tuned = tune_beams(found, (2, 9), loss=0.005)
    assert tuned.beams in found.beams[0]
    assert tuned.fixed_beams == found.beams.mean(axis=0).tolist()


@pytest.fixture
def parts(shop_run):
    return open_bundle(shop_run.bundle)
