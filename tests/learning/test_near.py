"""The nearest of many vectors."""

from __future__ import annotations

import numpy as np
import pytest

from genrecall.foundation.halves import to_halves
from genrecall.learning import near
from genrecall.learning.near import nearest


def unit(seed: int, n: int, size: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


POINTS, VECTORS = unit(0, 900), unit(1, 2000)
SCORES = {
    "distance": np.square(POINTS[:, None] - VECTORS).sum(-1),
    "product": POINTS @ VECTORS.T,
}


@pytest.mark.parametrize("by", ["distance", "product"])
@pytest.mark.parametrize("at_once", [1 << 17, 300])
def test_all_are_compared_up_to_a_number(by, at_once, monkeypatch):
    monkeypatch.setattr(near, "_AT_ONCE", at_once)
    found = nearest(POINTS, VECTORS, 10, by=by, least=10**6, searched=1)
    scores = SCORES[by]
    expected = np.argsort(-scores if by == "product" else scores, axis=1)[:, :10]
    assert (found.rows == expected).mean() > 0.999
    np.testing.assert_allclose(
        found.scores, np.take_along_axis(scores, found.rows, 1), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("by", ["distance", "product"])
@pytest.mark.parametrize("halves", [False, True])
def test_lists_find_nearly_all_that_are_near(by, halves):
    vectors = to_halves(VECTORS) if halves else VECTORS
    exact = nearest(POINTS, vectors, 10, by=by, least=10**6, searched=1)
    found = nearest(POINTS, vectors, 10, by=by, least=0, searched=24)
    shares = [np.isin(a, b).mean() for a, b in zip(exact.rows, found.rows, strict=True)]
    assert np.mean(shares) > 0.95
    same = exact.rows == found.rows
    np.testing.assert_allclose(found.scores[same], exact.scores[same], rtol=1e-3, atol=1e-5)
    again = nearest(POINTS, vectors, 10, by=by, least=0, searched=24)
    assert (again.rows == found.rows).all()


def test_few_points_are_worth_no_lists():
    found = nearest(POINTS[:50], VECTORS, 10, by="product", least=0, searched=1)
    exact = nearest(POINTS[:50], VECTORS, 10, by="product", least=10**6, searched=1)
    assert (found.rows == exact.rows).all()


def test_short_lists_are_filled_up():
    vectors = unit(2, 40)
    found = nearest(POINTS, vectors, 40, by="distance", least=0, searched=1)
    assert (np.sort(found.rows, axis=1) == np.arange(40)).all()
