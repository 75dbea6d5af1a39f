from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.ragged import (
    Bags,
    filter_bags,
    join_bags,
    ragged_offsets,
    ragged_owners,
    ragged_ranges,
    rank_in_run,
    run_starts,
    take_bags,
)

numbers = st.integers(0, 50)
lists = st.lists(st.lists(numbers, max_size=4), max_size=6)
runs = st.lists(st.integers(-2, 2), max_size=20)


def as_bags(lists):
    flat = np.array([number for part in lists for number in part], dtype=np.int64)
    return Bags(flat, ragged_offsets([len(part) for part in lists]))


def as_lists(bags):
    assert bags.ids.dtype == bags.offsets.dtype == np.int64
    starts, ends = bags.offsets[:-1].tolist(), bags.offsets[1:].tolist()
    assert (bags.offsets[0], bags.offsets[-1]) == (0, len(bags.ids))
    return [bags.ids[start:end].tolist() for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize("as_counts", [list, np.array])
@given(lists=lists)
def test_offsets_and_owners_tell_the_lists_apart(as_counts, lists):
    counts = as_counts([len(part) for part in lists])
    if isinstance(counts, np.ndarray):
        counts = counts.astype(np.uint32)  # as Polars counts
    offsets, owners = ragged_offsets(counts), ragged_owners(counts)
    assert offsets.dtype == owners.dtype == np.int64
    assert offsets.tolist() == [sum(map(len, lists[:i])) for i in range(len(lists) + 1)]
    assert owners.tolist() == [i for i, part in enumerate(lists) for _ in part]


@given(st.lists(st.tuples(numbers, st.integers(0, 5)), max_size=10))
def test_ranges_equal_a_loop(ranges):
    starts, counts = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
    expected = [number for start, count in ranges for number in range(start, start + count)]
    assert ragged_ranges(starts, counts).tolist() == expected


@given(runs)
def test_runs_are_those_of_groupby(values):
    lengths = [len(list(run)) for _, run in groupby(values)]
    array = np.array(values, dtype=np.int64)
    assert run_starts(array).tolist() == [sum(lengths[:i]) for i in range(len(lengths))]
    assert rank_in_run(array).tolist() == [rank for length in lengths for rank in range(length)]


@given(st.lists(lists, min_size=1, max_size=4))
def test_joined_bags_are_those_of_all_texts(parts):
    joined = join_bags(*map(as_bags, parts))
    assert as_lists(joined) == [bag for part in parts for bag in part]


@given(lists, st.data())
def test_taken_bags_stand_in_the_order_that_was_asked_for(lists, data):
    place = st.integers(0, max(len(lists) - 1, 0))
    texts = data.draw(st.lists(place, max_size=6 if lists else 0))
    taken = take_bags(as_bags(lists), np.array(texts, dtype=np.int64))
    assert as_lists(taken) == [lists[text] for text in texts]


@given(lists, st.sets(numbers))
def test_filtered_bags_keep_their_texts(lists, wanted):
    bags = as_bags(lists)
    kept = np.isin(bags.ids, list(wanted))
    expected = [[number for number in part if number in wanted] for part in lists]
    assert as_lists(filter_bags(bags, kept)) == expected
