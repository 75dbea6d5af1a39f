"""k-means and the capacity-limited assignment."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.quantize.training import kmeans
from genrecall.quantize.training.kmeans import assign_within, k_means


def points(seed: int, n: int, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_k_means_finds_separate_clusters_and_repeats():
    means = np.eye(3, dtype=np.float32) * 100
    data = np.repeat(means, 20, axis=0) + points(0, 60, 3)
    centers = k_means(data, 3, seed=1)
    assert np.abs(np.sort(centers, 0) - np.sort(means, 0)).max() < 2
    assert (centers == k_means(data, 3, seed=1)).all()


def test_few_points_fill_the_centers():
    data = points(0, 2)
    assert (k_means(data, 5, seed=0) == data[[0, 1, 0, 1, 0]]).all()


def test_without_a_limit_every_point_takes_its_nearest_center():
    data, centers = points(0, 50), points(1, 6)
    nearest = np.square(data[:, None] - centers).sum(-1).argmin(1)
    assert (assign_within(data, centers, 50) == nearest).all()


def test_the_point_that_loses_most_keeps_its_center():
    data = np.array([[0.0], [1.0]], dtype=np.float32)
    centers = np.array([[0.5], [10.0]], dtype=np.float32)
    # Both want center 0; point 0 is farther from center 1.
    assert assign_within(data, centers, 1).tolist() == [0, 1]


@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 8), st.integers(0, 3))
def test_no_center_takes_more_than_its_capacity(seed, n, k, slack):
    capacity = -(-n // k) + slack
    group = assign_within(points(seed, n), points(seed + 100, k), capacity)
    assert ((group >= 0) & (group < k)).all()
    assert np.bincount(group).max() <= capacity


@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 12), st.integers(0, 3))
def test_who_sees_few_centers_at_a_time_gets_the_one_that_all_are_compared_for(seed, n, k, slack):
    capacity = -(-n // k) + slack
    data, centers = points(seed, n), points(seed + 100, k)
    with pytest.MonkeyPatch.context() as patch:
        expected = assign_within(data, centers, capacity)
        patch.setattr(kmeans, "_MOST_COMPARED", 0)
        patch.setattr(kmeans, "_IN_VIEW", 3)
        assert (assign_within(data, centers, capacity) == expected).all()
