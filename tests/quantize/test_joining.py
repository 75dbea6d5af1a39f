"""Which SIDs join."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.groups import group_means
from genrecall.quantize.training import joining
from genrecall.quantize.training.joining import join_small


def points(seed: int, n: int, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def sids_of(seed: int, n: int) -> np.ndarray:
    """SID of each of `n` items, many of them small: int64 `[n]`."""
    drawn = np.random.default_rng(seed).integers(0, max(n * 2 // 3, 1), n)
    return np.unique(drawn, return_inverse=True)[1]


def spread(data: np.ndarray, at: np.ndarray) -> float:
    return float(np.square(data - group_means(data, at, int(at.max()) + 1)[at]).sum(1).mean())


@given(st.integers(0, 99), st.integers(1, 120), st.integers(2, 6), st.integers(2, 12))
def test_who_knows_all_that_is_near_joins_as_if_all_were_compared(seed, n, below, t_max):
    data, at = points(seed, n), sids_of(seed, n)
    n_sids = int(at.max()) + 1
    with pytest.MonkeyPatch.context() as patch:
        expected = join_small(data, at, n_sids, below=below, t_max=t_max)
        patch.setattr(joining, "_ALL_COMPARED", 0)
        patch.setattr(joining, "_NEAR", n_sids - 1)
        assert (join_small(data, at, n_sids, below=below, t_max=t_max) == expected).all()


@given(st.integers(0, 99), st.integers(1, 120), st.integers(2, 6), st.integers(2, 12))
def test_with_few_neighbours_none_stays_small_that_finds_room(seed, n, below, t_max):
    data, at = points(seed, n), sids_of(seed, n)
    n_sids = int(at.max()) + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "_ALL_COMPARED", 0)
        patch.setattr(joining, "_NEAR", min(2, n_sids - 1))
        into = join_small(data, at, n_sids, below=below, t_max=t_max)
    sizes = np.bincount(into[at], minlength=n_sids)
    assert sizes.max() <= max(t_max, np.bincount(at).max())
    left = np.sort(sizes[sizes > 0])
    if len(left) > 1 and left[0] < below:
        assert left[0] + left[1] > t_max


def test_neighbours_join_as_well_as_if_all_were_compared(monkeypatch):
    topics = points(0, 60, 16)
    data = topics[np.random.default_rng(1).integers(0, 60, 3000)] + 0.5 * points(2, 3000, 16)
    at = np.arange(3000)
    found = {}
    for compared in (3000, 0):
        monkeypatch.setattr(joining, "_ALL_COMPARED", compared)
        ended = np.unique(join_small(data, at, 3000, below=3, t_max=7), return_inverse=True)[1]
        found[compared] = spread(data, ended), int(ended.max()) + 1
    assert found[0][0] <= found[3000][0]
    assert found[0][1] <= 1.1 * found[3000][1]
