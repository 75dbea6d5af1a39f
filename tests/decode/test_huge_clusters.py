"""A cluster of very many equal items costs other queries nothing; counted, not timed."""

import numpy as np
import pytest

from genrecall.decode.base import BeamRule
from genrecall.decode.walk.native import NativeWalk
from genrecall.decode.walk.tables import WalkTables
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.trie import Trie
from genrecall.generator.compact.look_ahead import LookAhead, Told
from genrecall.generator.compact.weights import LevelWeights
from genrecall.index.centroids import GROUPS, SidGroups
from genrecall.native.library import library

DIM, WIDTH, BEAM, TEMPERATURE = 24, 16, 20, 0.02
K1, K2, K3 = 30, 6, 8
CLUSTER = 100_000
WEIGHTS = LevelWeights((0.3, 0.3, 0.3), (1.0, 1.0, 1.0))


def walk_of(cluster_sids):
    """Over drawn SIDs, of the last prefix so many more, with equal vectors and 100,000 items."""
    rng = np.random.default_rng(0)
    space = SidSpace((K1, K2, K3 + cluster_sids))
    below = K2 * space.sizes[2]
    first, second = np.divmod(np.arange(K1 * K2), K2)
    drawn = (first * below + second * space.sizes[2])[:, None] + np.arange(K3)
    packed = np.append(drawn.ravel(), drawn[-1, -1] + 1 + np.arange(cluster_sids))
    trie, n = Trie(space, packed), drawn.size
    means = rng.normal(size=(K1, DIM))[first].repeat(K3, axis=0) + rng.normal(size=(n, DIM))
    means[:, 0] = 0  # the cluster's vector is at right angles to all others
    means = np.concatenate([means, np.eye(DIM)[:1].repeat(cluster_sids, axis=0)])
    means = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    counts = np.append(np.full(n, 5), np.full(cluster_sids, CLUSTER // max(cluster_sids, 1)))
    groups = SidGroups.by_means(trie, means, counts)
    ahead = LookAhead(trie, means, np.log(counts), groups, temperature=TEMPERATURE)
    heads = tuple(Told.of_codes(drawn_rows(rng, size)) for size in (K1, K2, space.sizes[2]))
    constant = tuple(np.zeros(size, dtype=np.float32) for size in trie.n_nodes)
    tables = WalkTables(trie, ahead.whole, ahead.levels, ahead.closely, heads, constant, WEIGHTS)
    return NativeWalk(tables, library()), means


def drawn_rows(rng, n):
    return 0.1 * rng.normal(size=(n, WIDTH)).astype(np.float32)


def work_of(walk, vectors):
    """What is done for each of some queries, and the leaves that are found."""
    hidden = drawn_rows(np.random.default_rng(1), len(vectors))
    done, found = [], []
    for query, state in zip(vectors / np.float32(TEMPERATURE), hidden, strict=True):
        rule = BeamRule.of(BEAM)
        found.append(walk.search(query, state, alive=None, rule=rule, min_level1=1)[0].tolist())
        done.append(walk.work)
    return done, found


@pytest.mark.skipif(library() is None, reason="only the library counts")
@pytest.mark.parametrize("cluster_sids", [1, 100, CLUSTER])
def test_other_queries_do_what_they_do_without_the_cluster(cluster_sids):
    (without, means), (walk, _) = walk_of(0), walk_of(cluster_sids)
    asked = means[: -K2 * K3 : 40]  # of all first codes but that of the cluster
    usual, _ = work_of(without, asked)
    done, found = work_of(walk, asked)
    assert max(map(max, found)) < K1 * K2 * K3
    for before, now in zip(usual, done, strict=True):
        # The cluster's first code and prefix may have fewer groups than without it, and one of
        # the last prefixes may be another.
        assert abs(now.vectors - before.vectors) <= 2 * (sum(GROUPS) + K3)
        assert now.codes == before.codes
    (near,), (leaves,) = work_of(walk, np.eye(DIM, dtype=np.float32)[:1])
    assert max(leaves) >= K1 * K2 * K3  # who asks for the cluster finds it
    assert near.vectors >= cluster_sids
    # Room for what is said of as many children of one prefix: two floats of each.
    assert done[0].scratch <= usual[0].scratch + 2 * 4 * cluster_sids
