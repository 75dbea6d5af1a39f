"""The array trie against Python sets of prefixes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.foundation.trie import Trie


@st.composite
def tries(draw):
    """A trie and its SIDs as a sorted list of tuples."""
    space = SidSpace(draw(st.tuples(*[st.integers(1, 4)] * 3)))
    one = st.tuples(*[st.integers(0, size - 1) for size in space.sizes])
    sids = sorted(draw(st.sets(one, min_size=1, max_size=20)))
    table = SidTable(space, np.array(sids, dtype=np.int32))
    return Trie(space, table.packed), sids


def prefixes(sids, length):
    return sorted({sid[:length] for sid in sids})


@given(tries())
def test_nodes_are_the_distinct_prefixes(trie_and_sids):
    trie, sids = trie_and_sids
    assert len(trie) == len(sids)
    assert [tuple(sid) for sid in trie.sids.tolist()] == sids
    assert list(trie.n_nodes) == [len(prefixes(sids, length)) for length in (1, 2, 3)]
    for level, codes in enumerate(trie.codes):
        assert codes.tolist() == [prefix[-1] for prefix in prefixes(sids, level + 1)]


@given(tries(), st.data())
def test_children_equal_those_of_a_set(trie_and_sids, data):
    trie, sids = trie_and_sids
    for level in range(3):
        above, here = prefixes(sids, level), prefixes(sids, level + 1)
        parents = data.draw(st.lists(st.integers(0, len(above) - 1), max_size=6))
        found = trie.children(level, np.array(parents, dtype=np.int64))
        expected = [
            (place, here.index(prefix), prefix[-1])
            for place, parent in enumerate(parents)
            for prefix in here
            if prefix[:level] == above[parent]
        ]
        assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


@given(tries())
def test_child_is_minus_one_where_no_sid_continues(trie_and_sids):
    trie, sids = trie_and_sids
    for level, size in enumerate(trie.space.sizes):
        above, here = prefixes(sids, level), prefixes(sids, level + 1)
        for parent in range(-1, len(above)):
            for code in range(-1, size + 2):
                prefix = (*above[parent], code)
                expected = here.index(prefix) if parent >= 0 and prefix in here else -1
                found = trie.child(level, np.array([parent]), np.array([code]))
                assert found.tolist() == [expected]


@given(tries())
def test_child_answers_many_at_once(trie_and_sids):
    trie, sids = trie_and_sids
    node = np.zeros(len(sids), dtype=np.int64)
    for level, codes in enumerate(np.array(sids).T):
        node = trie.child(level, node, codes)
        assert node.tolist() == trie.path(np.arange(len(sids)))[:, level].tolist()
    assert node.tolist() == list(range(len(sids)))


@given(tries(), st.data())
def test_path_leads_over_the_prefixes(trie_and_sids, data):
    trie, sids = trie_and_sids
    leaves = data.draw(st.lists(st.integers(0, len(sids) - 1), max_size=8))
    path = trie.path(np.array(leaves, dtype=np.int64))
    expected = [
        [prefixes(sids, length).index(sids[leaf][:length]) for length in (1, 2, 3)]
        for leaf in leaves
    ]
    assert path.shape == (len(leaves), 3)
    assert path.tolist() == expected


@given(tries(), st.data())
def test_spread_marks_prefixes_of_living_sids(trie_and_sids, data):
    trie, sids = trie_and_sids
    alive = data.draw(st.lists(st.booleans(), min_size=len(sids), max_size=len(sids)))
    living = {
        sid[:length]
        for sid, lives in zip(sids, alive, strict=True)
        for length in (1, 2, 3)
        if lives
    }
    for level, found in enumerate(trie.spread(np.array(alive))):
        assert found.tolist() == [prefix in living for prefix in prefixes(sids, level + 1)]
