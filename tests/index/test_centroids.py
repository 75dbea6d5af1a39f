import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.trie import Trie
from genrecall.index.centroids import GROUPS, SidGroups, most_groups


def trie_of(n, seed, sizes=(6, 8, 16)):
    rng = np.random.default_rng(seed)
    return Trie(SidSpace(sizes), np.sort(rng.permutation(np.prod(sizes))[:n]))


def vectors_of(n, seed, dim=6):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


@given(st.integers(1, 300), st.integers(0, 2**20))
def test_every_node_has_groups_of_its_own(n, seed):
    trie = trie_of(n, seed)
    groups = SidGroups.by_means(trie, vectors_of(n, seed), np.ones(n, dtype=np.int64))
    path = trie.path(np.arange(n))
    for level, most in enumerate(GROUPS):
        of_sid, offsets = groups.of_sid[level], groups.offsets[level]
        assert len(offsets) == trie.n_nodes[level] + 1
        assert set(of_sid) == set(range(offsets[-1]))
        for node in range(trie.n_nodes[level]):
            below = path[:, level] == node
            inside = set(range(offsets[node], offsets[node + 1]))
            assert set(of_sid[below]) == inside
            assert len(inside) <= most
            if below.sum() <= most:  # as few as that are each told by itself
                assert len(inside) == below.sum()


def test_very_many_sids_have_fewer_groups_a_node():
    assert most_groups(249_999) == GROUPS == (16, 4)
    assert most_groups(250_000) == (16, 2)


def test_groups_are_what_is_alike():
    """Eight heaps under one first code are found, whatever the codes of their SIDs."""
    trie, rng = Trie(SidSpace((1, 1, 240)), np.arange(240)), np.random.default_rng(2)
    heap = rng.permutation(240) % 8
    means = (np.eye(8)[heap] + 0.1 * rng.normal(size=(240, 8))).astype(np.float32)
    groups = SidGroups.by_means(trie, means, np.ones(240, dtype=np.int64)).of_sid[0]
    alike = [np.bincount(heap[groups == group]).max() for group in np.unique(groups)]
    assert sum(alike) > 200


def test_groups_do_not_depend_on_how_many_nodes_are_taken_together(monkeypatch):
    trie, means = trie_of(500, 3), vectors_of(500, 3)
    counts = np.random.default_rng(4).integers(1, 5, 500)
    whole = SidGroups.by_means(trie, means, counts)
    for at_once in (1, 50, 200):
        monkeypatch.setattr("genrecall.foundation.blocks._ROWS", at_once)
        again = SidGroups.by_means(trie, means, counts)
        np.testing.assert_array_equal(again.of_sid, whole.of_sid)


def test_a_folder_holds_groups_of_its_own_sids(tmp_path):
    trie = trie_of(300, 1)
    groups = SidGroups.by_means(trie, vectors_of(300, 1), np.ones(300, dtype=np.int64))
    with writing(tmp_path / "made", kind="generator", inputs="x") as folder:
        groups.save(folder)
    made = open_artifact(tmp_path / "made", kind="generator")
    again = SidGroups.load(made, trie)
    np.testing.assert_array_equal(again.of_sid, groups.of_sid)
    for one, other in zip(again.offsets, groups.offsets, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ArtifactError, match="groups 300 SIDs; the catalog has 299"):
        SidGroups.load(made, trie_of(299, 1))
    with pytest.raises(ArtifactError, match="groups other SIDs than the catalog's"):
        SidGroups.load(made, trie_of(300, 2))
