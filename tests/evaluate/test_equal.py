from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.equal import at_items, beam_curve
from genrecall.evaluate.measures import candidates, recall, target_ranks


def _random_beams(seed: int, *, searches: int = 7, beams: int = 5, sids: int = 12):
    rng = np.random.default_rng(seed)
    drawn = np.stack([rng.permutation(sids)[:beams] for _ in range(searches)])
    drawn[rng.random(drawn.shape) < 0.1] = -1
    targets = [rng.integers(0, sids, size=rng.integers(1, 4)) for _ in range(searches)]
    return drawn, targets, rng.integers(1, 9, size=sids)


@given(st.integers(0, 1000))
def test_a_curve_agrees_with_the_measures_at_every_width(seed: int) -> None:
    beams, targets, sizes = _random_beams(seed)
    curve = beam_curve(beams, targets, sizes)
    ranks = target_ranks(list(beams), targets)
    for width in range(beams.shape[1] + 1):
        np.testing.assert_allclose(curve.found[:, width], recall(ranks, width))
        np.testing.assert_array_equal(curve.items[:, width], candidates(beams, sizes, width))


@given(st.integers(0, 1000), st.integers(1, 5))
def test_at_the_items_of_a_width_stands_the_hit_rate_of_that_width(seed: int, width: int) -> None:
    curve = beam_curve(*_random_beams(seed))
    mean = curve.items.mean(axis=0)
    np.testing.assert_allclose(at_items(curve, mean[width]), curve.found[:, width], atol=1e-9)


def test_between_two_widths_the_mean_number_of_items_is_met() -> None:
    curve = beam_curve(*_random_beams(3))
    items = float(curve.items.mean(axis=0)[2:4].mean())
    halfway = (curve.found[:, 2] + curve.found[:, 3]) / 2
    np.testing.assert_allclose(at_items(curve, items), halfway)


def test_more_items_than_the_beams_hold_is_an_error() -> None:
    curve = beam_curve(*_random_beams(0))
    with pytest.raises(ValueError, match=r"5 beams hold .* items on average, not 1000\.0"):
        at_items(curve, 1000.0)


def test_an_interval_over_runs_is_wider_where_the_runs_differ() -> None:
    rng = np.random.default_rng(0)
    searches = rng.random(200)
    alike = np.stack([searches, searches])
    unlike = np.stack([searches - 0.2, searches + 0.2])
    bootstrap = Bootstrap(200, seed=0)
    one, two = bootstrap.mean_over_runs(alike), bootstrap.mean_over_runs(unlike)
    assert one.value == pytest.approx(two.value) == pytest.approx(searches.mean())
    assert two.hi - two.lo > 2 * (one.hi - one.lo)
    alone = bootstrap.mean(searches)
    assert (one.lo, one.hi) == pytest.approx((alone.lo, alone.hi), abs=1e-6)
