"""Overflow to the next nearest code: the limit, who stays, where the others go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.quantize.training.overflow import overflow


def catalog(seed: int, n: int, k3: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes at level 3 are the nearest ones; prefixes are unequal."""
    random = np.random.default_rng(seed)
    residuals = random.normal(size=(n, 3)).astype(np.float32)
    codebook = random.normal(size=(k3, 3)).astype(np.float32)
    prefixes = np.minimum(random.geometric(0.6, size=(n, 2)) - 1, 2)
    codes = np.column_stack([prefixes, distances(residuals, codebook).argmin(1)])
    return codes.astype(np.int32), residuals, codebook


def distances(residuals: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    return np.square(residuals[:, None] - codebook).sum(-1)


def members(codes: np.ndarray) -> dict[tuple[int, ...], list[int]]:
    found: dict[tuple[int, ...], list[int]] = {}
    for row, sid in enumerate(codes.tolist()):
        found.setdefault(tuple(sid), []).append(row)
    return found


catalogs = st.tuples(st.integers(0, 99), st.integers(1, 120), st.integers(1, 6))


@given(catalogs, st.integers(1, 20), st.integers(1, 8))
def test_no_sid_exceeds_the_limit_unless_groups_run_out(given_catalog, t_max, g_max):
    codes, residuals, codebook = catalog(*given_catalog)
    new = overflow(codes, residuals, codebook, t_max=t_max, g_max=g_max)
    k3 = len(codebook)
    assert (new[:, :2] == codes[:, :2]).all()
    assert new[:, 2].max() < k3 * g_max
    prefix_sizes = {key: len(rows) for key, rows in members(codes[:, :2]).items()}
    for (c1, c2, _), rows in members(new).items():
        assert len(rows) <= max(t_max, -(-prefix_sizes[c1, c2] // (k3 * g_max)))


@given(catalogs, st.integers(1, 20))
def test_the_nearest_stay_and_the_others_find_no_nearer_room(given_catalog, t_max):
    codes, residuals, codebook = catalog(*given_catalog)
    new = overflow(codes, residuals, codebook, t_max=t_max, g_max=1000)
    distance, after = distances(residuals, codebook), members(new)
    for sid, rows in members(codes).items():
        nearest = sorted(rows, key=lambda row: distance[row, sid[2]])[:t_max]
        assert (new[nearest] == sid).all()
    for row in np.flatnonzero((new != codes).any(1)).tolist():
        c1, c2, c3 = new[row].tolist()
        group, code = divmod(c3, len(codebook))
        nearer = np.flatnonzero(distance[row] < distance[row, code]).tolist()
        for full in [other + len(codebook) * group for other in nearer]:
            assert len(after[c1, c2, full]) == t_max
        for earlier in range(group):  # a group opens when those before it are full
            for other in range(len(codebook)):
                assert len(after[c1, c2, other + len(codebook) * earlier]) == t_max


def test_a_catalog_without_large_sids_stays_as_it_is():
    codes, residuals, codebook = catalog(0, 100, 5)
    assert (overflow(codes, residuals, codebook, t_max=100, g_max=1) == codes).all()


@given(catalogs, st.integers(1, 20), st.integers(1, 40))
def test_prefixes_worked_on_one_after_another_are_filled_as_all_at_once(data, t_max, most):
    codes, residuals, codebook = catalog(*data)
    whole = overflow(codes, residuals, codebook, t_max=t_max, g_max=50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrecall.quantize.training.overflow._MOST_ITEMS", most)
        parts = overflow(codes, residuals, codebook, t_max=t_max, g_max=50)
    assert (parts == whole).all()


def test_by_hand_the_farthest_moves_on_and_then_groups_are_appended():
    codebook = np.array([[0.0], [1.0]], dtype=np.float32)
    residuals = np.array([[0.0], [0.1], [0.3], [0.4]], dtype=np.float32)
    codes = np.zeros((4, 3), dtype=np.int32)

    def third(t_max, g_max=9):
        return overflow(codes, residuals, codebook, t_max=t_max, g_max=g_max)[:, 2].tolist()

    assert third(3) == [0, 0, 0, 1]
    assert third(2) == [0, 0, 1, 1]
    # The nearer one gets the last room at code 1; for the other there is a first group.
    assert third(1) == [0, 2, 3, 1]
    assert third(1, g_max=1) == [0, 0, 1, 1]
