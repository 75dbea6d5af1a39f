import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie
from genrecall.generator.compact.look_ahead import LookAhead
from genrecall.index.prefixes import mean_vectors


@st.composite
def catalogs(draw):
    """SIDs of some items and a seed for their vectors."""
    space = SidSpace((3, 2, 4))
    one = st.tuples(*[st.integers(0, size - 1) for size in space.sizes])
    codes = np.array(draw(st.lists(one, min_size=1, max_size=20)), dtype=np.int32)
    return SidTable(space, codes), draw(st.integers(0, 2**32))


def unit_vectors(rng, n):
    vectors = rng.normal(size=(n, 5))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(catalogs())
def test_features_equal_a_double_loop(catalog):
    table, seed = catalog
    rng = np.random.default_rng(seed)
    items, queries = unit_vectors(rng, len(table.codes)), unit_vectors(rng, 3)
    means = mean_vectors(table.sid_of_item, items, len(table.packed))
    trie = Trie(table.space, table.packed)
    look_ahead = LookAhead(trie, means, table.sizes, temperature=0.1)
    features = look_ahead(torch.from_numpy(queries)).features
    assert [part.shape for part in features] == [(3, n) for n in trie.n_nodes]
    sids = [tuple(sid) for sid in table.sids.tolist()]
    for q, query in enumerate(queries):
        scores = {}
        for sid in sids:
            rows = [row for row, codes in enumerate(table.codes.tolist()) if tuple(codes) == sid]
            mean = items[rows].astype(np.float64).sum(axis=0)
            mean /= np.linalg.norm(mean)
            scores[sid] = float(query @ mean) / 0.1 + math.log(len(rows))
        best = max(scores.values())
        for level, part in enumerate(features):
            prefixes = sorted({sid[: level + 1] for sid in sids})
            expected = [
                math.log(
                    sum(math.exp(s - best) for sid, s in scores.items() if sid[: level + 1] == p)
                )
                for p in prefixes
            ]
            np.testing.assert_allclose(part[q], expected, atol=1e-3)


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
