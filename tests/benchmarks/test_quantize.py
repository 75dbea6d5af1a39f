from argparse import Namespace

import numpy as np
import pytest

from benchmarks.quantize import clustered_vectors, compare, measure, refit_error
from benchmarks.residual_quantizers import OURS


def test_vectors_are_clustered_and_of_length_1():
    vectors = clustered_vectors(500, 16, seed=3)
    assert (vectors.shape, vectors.dtype) == ((500, 16), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert np.array_equal(vectors, clustered_vectors(500, 16, seed=3))
    nearest = np.sort(vectors @ vectors.T)[:, -2]
    assert nearest.mean() > 0.8


def test_refit_finds_the_sum_of_codes_that_made_the_vectors():
    random = np.random.default_rng(0)
    codes = random.integers(0, 40, size=(900, 3)) * 5  # many codes unused
    books = random.normal(size=(3, 200, 8)).astype(np.float32)
    exact = sum(books[level, codes[:, level]] for level in range(3))
    assert refit_error(codes, exact) == pytest.approx(0, abs=1e-6)
    noise = random.normal(size=exact.shape).astype(np.float32)
    # Three times 40 codes, two of them not free, fit that share of the noise.
    assert refit_error(codes, exact + noise) == pytest.approx(8 * (1 - 118 / 900), rel=0.05)


@pytest.mark.parametrize(("family", "has_curve"), [("vae", True), ("kmeans", False)])
def test_ours_is_measured(family, has_curve):
    options = Namespace(
        vectors=None, items=700, seed=0, threads=1, repeats=2, budget=60.0, quick=True
    )
    found = measure(OURS[family], options)
    assert found["runs"] == 2
    assert 0 < found["error_refit"] < 0.5
    assert found["error_refit"] <= found["error_own"] < 0.6
    assert bool(found["curve"]) is has_curve
    assert all(used > 200 for used in found["codes_used"])


def figures(error, curve=(), seconds=10.0):
    return {"error_own": error, "curve": list(curve), "seconds": seconds}


def test_time_until_our_error():
    ours = figures(0.3, seconds=2.0)
    found = compare(figures(0.2, [(1.0, 0.5), (4.0, 0.3), (6.0, 0.25)]), ours)
    assert found == {
        "times_ours": 5,
        "seconds_to_our_error": 4,
        "times_ours_at_our_error": 2,
    }
    assert compare(figures(0.1), ours)["seconds_to_our_error"] == 10
    never = compare(figures(0.31, [(4.0, 0.33)]), ours)
    assert (never["seconds_to_our_error"], never["times_ours_at_our_error"]) == (None, 5)
