import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.compact import look_ahead
from genrecall.generator.compact.ahead import Ahead
from genrecall.generator.compact.look_ahead import LookAhead, log_sizes
from genrecall.index.centroids import SidGroups
from genrecall.index.prefixes import mean_vectors


@st.composite
def catalogs(draw):
    """SIDs of some items and a seed for their vectors."""
    space = SidSpace((3, 2, 4))
    one = st.tuples(*[st.integers(0, size - 1) for size in space.sizes])
    codes = np.array(draw(st.lists(one, min_size=1, max_size=20)), dtype=np.int32)
    return SidTable(space, codes), draw(st.integers(0, 2**32))


def unit_vectors(rng, n, dim=5):
    vectors = rng.normal(size=(n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def features_of(of, queries):
    """Of all nodes of each level, `[Q, n_l]`; asked for in any order."""
    ahead = Ahead.of_queries(of, torch.from_numpy(queries))
    found = []
    for level, n in enumerate(of.trie.n_nodes):
        order = torch.from_numpy(np.random.default_rng(level).permutation(len(queries) * n))
        said = torch.empty(len(order))
        said[order] = ahead.of(level, order // n, order % n)
        found.append(said.view(len(queries), n).numpy())
    return found


@given(catalogs())
def test_exact_features_equal_a_double_loop(catalog):
    table, seed = catalog
    rng = np.random.default_rng(seed)
    items, queries = unit_vectors(rng, len(table.codes)), unit_vectors(rng, 3)
    means = mean_vectors(table.sid_of_item, items, len(table.packed))
    trie = Trie(table.space, table.packed)
    exact = LookAhead(trie, means, log_sizes(table.sizes), None, temperature=0.1)
    features = features_of(exact, queries)
    sids = [tuple(sid) for sid in table.sids.tolist()]
    for q, query in enumerate(queries):
        scores = {}
        for sid in sids:
            rows = [row for row, codes in enumerate(table.codes.tolist()) if tuple(codes) == sid]
            mean = items[rows].astype(np.float64).sum(axis=0)
            mean /= np.linalg.norm(mean)
            scores[sid] = float(query @ mean) / 0.1 + math.log(len(rows))
        for level, part in enumerate(features):
            prefixes = sorted({sid[: level + 1] for sid in sids})
            expected = [
                math.log(sum(math.exp(s) for sid, s in scores.items() if sid[: level + 1] == p))
                for p in prefixes
            ]
            np.testing.assert_allclose(part[q], expected, atol=1e-3)


@pytest.fixture(scope="module")
def shop():
    """A trie of 600 SIDs, their means and counts; those of a first code are alike."""
    rng = np.random.default_rng(4)
    space = SidSpace((20, 8, 16))
    trie = Trie(space, np.sort(rng.permutation(20 * 8 * 16)[:600]))
    first = unit_vectors(rng, 20, 32)[trie.path(np.arange(600))[:, 0]]
    means = first + unit_vectors(rng, 600, 32)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return trie, means, rng.integers(1, 9, 600)


def test_few_vectors_tell_nearly_what_all_do(shop):
    trie, means, counts = shop
    queries = unit_vectors(np.random.default_rng(5), 50, 32)
    exact, few, one = (
        features_of(LookAhead(trie, means, log_sizes(counts), groups, temperature=0.1), queries)
        for groups in (
            None,
            SidGroups.by_means(trie, means, counts),
            SidGroups.of(trie, trie.path(np.arange(600)).T[:2]),
        )
    )
    np.testing.assert_allclose(few[2], exact[2], atol=0.05)  # rounded
    for level in (0, 1):
        correlation = np.corrcoef(few[level].ravel(), exact[level].ravel())[0, 1]
        assert correlation > np.corrcoef(one[level].ravel(), exact[level].ravel())[0, 1]
        assert correlation > 0.95


def test_only_the_best_first_codes_are_told_closely(shop, monkeypatch):
    trie, means, counts = shop
    queries = unit_vectors(np.random.default_rng(6), 10, 32)
    groups = SidGroups.by_means(trie, means, counts)
    both = []
    for closely in (5, 20):
        monkeypatch.setattr(look_ahead, "_CLOSELY", closely)
        both.append(LookAhead(trie, means, log_sizes(counts), groups, temperature=0.1))
    some, every = (features_of(of, queries)[0] for of in both)
    alike = np.isclose(some, every, atol=1e-4)
    assert (alike.sum(axis=1) == 5).all()
    assert (alike[np.arange(10), every.argmax(axis=1)]).mean() > 0.7


def test_counts_far_apart_leave_a_group_its_largest(shop):
    trie, means, counts = shop
    far = np.where(np.arange(600) % 7, -300.0, 300.0)
    groups = SidGroups.by_means(trie, means, counts)
    few, exact = (
        features_of(LookAhead(trie, means, far, of, temperature=0.1), means[:3])
        for of in (groups, None)
    )
    for level in (0, 1):
        assert np.isfinite(few[level]).all()
        np.testing.assert_allclose(few[level], exact[level], atol=25)


def test_gradients_reach_the_queries(shop):
    trie, means, counts = shop
    groups = SidGroups.by_means(trie, means, counts)
    told = LookAhead(trie, means, log_sizes(counts), groups, temperature=0.1)
    for level, n in enumerate(trie.n_nodes):
        queries = torch.from_numpy(means[:4]).double().float().requires_grad_()
        prompt, node = torch.arange(4), torch.arange(4) * 3 % n
        Ahead.of_queries(told, queries).of(level, prompt, node).sum().backward()
        moved = queries.detach() + 1e-3 * queries.grad / queries.grad.norm(dim=1, keepdim=True)
        before, after = (
            Ahead.of_queries(told, of).of(level, prompt, node) for of in (queries, moved)
        )
        assert (after > before).all()


@given(catalogs())
def test_means_have_length_one_and_equal_a_loop(catalog):
    table, seed = catalog
    items = unit_vectors(np.random.default_rng(seed), len(table.codes))
    means = mean_vectors(table.sid_of_item, items, len(table.packed))
    assert means.dtype == np.float32
    for sid, mean in enumerate(means):
        total = items[table.sid_of_item == sid].sum(axis=0)
        np.testing.assert_allclose(mean, total / np.linalg.norm(total), atol=1e-5)


def test_items_whose_vectors_are_zero_have_a_mean_of_zero():
    means = mean_vectors(np.array([0, 1, 1]), np.zeros((3, 4), dtype=np.float32), 2)
    assert (means == 0).all()


def test_other_counts_share_the_vectors_of_the_sids():
    table = SidTable(SidSpace((3, 2, 4)), np.indices((3, 2, 4)).reshape(3, -1).T.astype(np.int32))
    trie, rng = Trie(table.space, table.packed), np.random.default_rng(0)
    means, counts = unit_vectors(rng, 24), log_sizes(table.sizes)
    groups = SidGroups.by_means(trie, means, table.sizes)
    served = LookAhead(trie, means, counts, groups, temperature=0.3)
    leaves, counts = served.levels[-1].kept, counts + rng.normal(size=24)
    other = LookAhead(trie, means, counts, groups, temperature=0.3, leaves=leaves)
    assert other.levels[-1].kept is leaves
    for told in (*served.levels, *other.levels):
        at = rng.integers(0, len(told.bias), 30)
        np.testing.assert_array_equal(told.rows(at), told.vectors[at])
