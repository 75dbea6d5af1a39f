"""Codebook sizes and cluster size control."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.groups import group_means
from genrecall.quantize.config import ClusterConfig, QuantizeConfig
from genrecall.quantize.training.sizes import (
    codebook_sizes,
    control_sizes,
    merge_small,
    refine,
    scopes,
    split_large,
)

K1, K2, K3 = 3, 2, 2
CODEBOOKS = tuple(np.random.default_rng(9).normal(size=(k, 4)).astype("f4") for k in (K1, K2, K3))


def catalog(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Unequal clusters: codes lean to the first."""
    random = np.random.default_rng(seed)
    codes = np.minimum(random.geometric(0.6, size=(n, 3)) - 1, [K1 - 1, K2 - 1, K3 - 1])
    return codes.astype(np.int32), random.normal(size=(n, 4)).astype(np.float32)


def counts(codes: np.ndarray) -> np.ndarray:
    return np.unique(codes, axis=0, return_counts=True)[1]


catalogs = st.tuples(st.integers(0, 99), st.integers(1, 150))


@given(catalogs, st.integers(1, 20), st.integers(1, 8), st.sampled_from(["kmeans", "random"]))
def test_split_keeps_prefixes_and_the_limit_unless_groups_run_out(given_catalog, t_max, g_max, how):
    codes, latents = catalog(*given_catalog)
    new = split_large(codes, latents, k3=K3, t_max=t_max, g_max=g_max, method=how)
    assert (new[:, :2] == codes[:, :2]).all()
    assert (new[:, 2] % K3 == codes[:, 2]).all()
    for sid, n in zip(*np.unique(codes, axis=0, return_counts=True), strict=True):
        rows = (codes == sid).all(1)
        groups = min(-(-n // t_max), g_max)
        limit = t_max if n <= t_max * g_max else -(-n // groups)
        assert counts(new[rows]).max() <= limit
        assert new[rows, 2].max() // K3 < groups


def test_the_paper_s_example_leaves_51_in_one_group():
    codes = np.zeros((5001, 3), dtype=np.int32)
    latents = np.zeros((5001, 1), dtype=np.float32)
    new = split_large(codes, latents, k3=1, t_max=50, g_max=100, method="random")
    assert len(counts(new)) <= 100
    assert counts(new).max() == 51


def test_k_means_groups_are_tighter_than_random_ones():
    codes = np.zeros((200, 3), dtype=np.int32)
    latents = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)

    def spread(how):
        group = split_large(codes, latents, k3=1, t_max=8, g_max=99, method=how)[:, 2]
        means = group_means(latents, group, 25)
        return np.square(latents - means[group]).sum()

    assert spread("kmeans") < 0.6 * spread("random")


def test_a_singleton_joins_the_nearest_sid_of_its_category_with_room():
    codes = np.array([[0, 0, 0]] * 2 + [[0, 1, 0]] * 3 + [[0, 1, 1], [1, 0, 0]], dtype=np.int32)
    latents = np.array([[0.0]] * 2 + [[10.0]] * 3 + [[9.0], [9.0]], dtype=np.float32)
    near = merge_small(codes, latents, below=2, t_max=4)
    assert near[5].tolist() == [0, 1, 0]
    assert near[6].tolist() == [1, 0, 0]  # alone in its category
    full = merge_small(codes, latents, below=2, t_max=3)
    assert full[5].tolist() == [0, 0, 0]
    assert (merge_small(codes, latents, below=2, t_max=2) == codes).all()
    assert (merge_small(codes, latents, below=0, t_max=9) == codes).all()


@given(catalogs, st.integers(0, 6), st.integers(1, 20))
def test_merging_makes_no_sid_and_leaves_a_small_one_only_where_nothing_fits(data, below, t_max):
    codes, latents = catalog(*data)
    new = merge_small(codes, latents, below=below, t_max=t_max)
    assert (new[:, 0] == codes[:, 0]).all()
    assert set(map(tuple, new.tolist())) <= set(map(tuple, codes.tolist()))
    assert counts(new).max() <= max(t_max, counts(codes).max())
    for category in range(K1):
        sizes = np.sort(counts(new[new[:, 0] == category]))
        if len(sizes) > 1 and sizes[0] < below:
            assert sizes[0] + sizes[1] > t_max


@given(catalogs, st.integers(1, 20), st.integers(0, 3))
def test_refining_keeps_level_1_and_the_limit_and_makes_no_sid(data, t_max, rounds):
    codes, latents = catalog(*data)
    new = refine(codes, latents, t_max=t_max, rounds=rounds)
    assert (new[:, 0] == codes[:, 0]).all()
    assert set(map(tuple, new.tolist())) <= set(map(tuple, codes.tolist()))
    assert counts(new).max() <= max(t_max, counts(codes).max())


def test_refining_moves_a_stray_item_home():
    codes = np.array([[0, 0, 0]] * 4 + [[0, 1, 0]] * 4, dtype=np.int32)
    latents = np.array([[0.0]] * 3 + [[9.0]] + [[10.0]] * 4, dtype=np.float32)
    new = refine(codes, latents, t_max=5, rounds=1)
    assert new[:, 1].tolist() == [0] * 3 + [1] * 5


def test_very_large_categories_are_worked_on_prefix_by_prefix(monkeypatch):
    monkeypatch.setattr("genrecall.quantize.training.sizes._MAX_SCOPE", 10)
    codes, latents = catalog(0, 150)
    for new in (
        merge_small(codes, latents, below=30, t_max=150),
        refine(codes, latents, t_max=150, rounds=2),
    ):
        assert (new != codes).any()
        large = np.bincount(codes[:, 0])[codes[:, 0]] > 10
        assert (new[large, :2] == codes[large, :2]).all()


def test_a_collapsed_prefix_is_worked_on_sid_by_neighbouring_sid(monkeypatch):
    monkeypatch.setattr("genrecall.quantize.training.sizes._MAX_DISTANCES", 60)
    codes = np.zeros((100, 3), dtype=np.int32)
    codes[:, 2] = np.sort(np.random.default_rng(0).integers(0, 20, 100))
    found = list(scopes(codes, 10))
    assert np.concatenate(found).tolist() == list(range(100))
    sids = [len(np.unique(codes[rows, 2])) for rows in found]
    assert sum(sids) == len(np.unique(codes[:, 2]))  # none is divided
    assert max(n * len(rows) for n, rows in zip(sids, found, strict=True)) <= 60
    assert len(found) < 20


def test_control_freezes_a_space_that_fits_and_repeats():
    codes, latents = catalog(3, 400)
    clusters = ClusterConfig(t_max=8, g_max=100, method="kmeans", merge_below=3, refine=2)
    config = QuantizeConfig(clusters=clusters)

    def control(seed=0):
        return control_sizes(
            codes,
            latents,
            codebooks=CODEBOOKS,
            config=config,
            seed=seed,
        )

    found = control()
    assert found.table.space.sizes[:2] == (K1, K2)
    assert found.table.space.sizes[2] % K3 == 0
    assert found.table.space.sizes[2] - found.table.codes[:, 2].max() <= K3
    assert found.table.sizes.max() <= 8
    assert found.n_split > 0
    assert found.n_moved > 0
    assert (control().table.codes == found.table.codes).all()


@pytest.mark.parametrize("n_items", [1, 10, 1_000, 100_000, 10**9])
def test_codebook_sizes_grow_with_the_catalog_within_bounds(n_items):
    k2, k3 = codebook_sizes(n_items, 20, 5)
    assert 4 <= k3 <= 1024
    assert k2 == min(k3, 64)
    assert k2 <= codebook_sizes(2 * n_items, 20, 5)[0]
    assert k2 >= codebook_sizes(n_items, 20, 10)[0]
