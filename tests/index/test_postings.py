import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.index.postings import Postings

SPACE = SidSpace((2, 2, 2))

items = st.lists(
    st.tuples(st.tuples(*[st.integers(0, 1)] * 3), st.booleans(), st.booleans()),
    min_size=1,
    max_size=20,
)


def build(items):
    codes = np.array([codes for codes, _, _ in items], dtype=np.int32)
    live = np.array([live for _, live, _ in items])
    mask = np.array([passing for _, _, passing in items])
    return SidTable(SPACE, codes), live, mask


@given(items, st.lists(st.integers(-1, 7), max_size=12), st.booleans())
def test_postings_equal_a_scan_of_the_catalog(items, wanted, filtered):
    table, live, mask = build(items)
    postings = Postings(table, live)
    eligible = live & mask if filtered else live
    behind = [
        [row for row in range(len(items)) if table.sid_of_item[row] == sid and eligible[row]]
        for sid in range(len(table.packed))
    ]
    given_mask = mask if filtered else None
    assert postings.valid(given_mask).tolist() == [bool(rows) for rows in behind]

    sids = np.array([sid for sid in wanted if sid < len(behind)], dtype=np.int64)
    found = postings.items(sids, given_mask)
    expected = [(row, beam) for beam, sid in enumerate(sids) if sid >= 0 for row in behind[sid]]
    assert list(zip(found.rows.tolist(), found.beam.tolist(), strict=True)) == expected
    assert found.rows.dtype == np.int32


@given(items)
def test_all_items_are_live_unless_said_otherwise(items):
    table, _, _ = build(items)
    postings = Postings(table)
    assert postings.valid().all()
    assert postings.sizes.tolist() == table.sizes.tolist()
    every = postings.items(np.arange(len(table.packed)))
    assert sorted(every.rows.tolist()) == list(range(len(items)))


def test_live_of_another_catalog_is_refused():
    table = SidTable(SPACE, np.zeros((3, 3), dtype=np.int32))
    with pytest.raises(ValueError, match=r"shape \(2,\) does not fit a table of 3 items"):
        Postings(table, np.ones(2, dtype=bool))
