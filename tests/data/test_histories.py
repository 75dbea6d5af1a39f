"""Histories cut for many searches at once, against a loop over searches."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.data import histories
from genrecall.data.histories import (
    VISIBLE,
    Histories,
    check_histories,
    cut_histories,
    histories_of,
)
from genrecall.data.shoppers import Shoppers, choices_of
from genrecall.data.tables import ITEMS, SEARCHES, Catalog, Searches
from genrecall.foundation.errors import DataError

CATALOG = Catalog(pl.DataFrame([{"item_id": i, "title": i} for i in "abcdef"], schema=ITEMS))

SEARCH = st.tuples(
    st.sampled_from(["u", "v", "w", None]),
    st.one_of(st.none(), st.integers(-3, 8)),
    st.sampled_from(["train", "validation", "test"]),
    st.lists(st.integers(0, 5), max_size=3, unique=True),
)


def searches(rows):
    """Searches from `(user_id, time, split, positives)`."""
    given = {name: SEARCHES[name] for name in ("user_id", "time", "split", "positives")}
    frame = pl.DataFrame(rows, schema=given, orient="row")
    return Searches(
        frame.select(
            pl.col(name) if name in given else pl.lit(None, dtype).alias(name)
            for name, dtype in SEARCHES.items()
        )
    )


def as_lists(cut):
    return [
        (cut.rows[first:end].tolist(), cut.times[first:end].tolist())
        for first, end in zip(cut.offsets[:-1], cut.offsets[1:], strict=True)
    ]


def naive(ours, visible, limit):
    """What `cut_histories` does, one search at a time."""
    found = []
    for user, time in ours.frame.select("user_id", "time").rows():
        seen = []
        others = visible.frame.select("user_id", "time", "positives").rows()
        for theirs, when, positives in others:
            if user is not None and theirs == user and None not in (time, when) and when < time:
                seen += [(when, row) for row in reversed(positives)]
        seen.sort(key=lambda choice: choice[0])  # stable
        last = {row: place for place, (_, row) in enumerate(seen)}
        kept = [seen[place] for place in sorted(last.values())]
        kept = kept[max(len(kept) - limit, 0) :]
        found.append(([row for _, row in kept], [when for when, _ in kept]))
    return found


@pytest.mark.parametrize("block", [1 << 22, 3])
@given(
    rows=st.lists(SEARCH, max_size=25),
    others=st.lists(SEARCH, max_size=25),
    limit=st.integers(0, 4),
)
def test_histories_are_those_of_a_loop_over_searches(block, rows, others, limit):
    ours, visible = searches(rows), searches(others)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "_BLOCK", block)
        cut = cut_histories(ours, visible=visible, limit=limit)
    assert (cut.rows.dtype, cut.times.dtype, cut.offsets.dtype) == (np.int32, np.int64, np.int64)
    assert as_lists(cut) == naive(ours, visible, limit)
    check_histories(cut, ours.frame["time"])


@given(rows=st.lists(SEARCH, max_size=25), limit=st.integers(0, 4))
def test_serving_looks_up_what_training_saw(rows, limit):
    ours = searches(rows)
    shoppers = Shoppers(None, choices_of(ours, CATALOG))
    cut = as_lists(cut_histories(ours, visible=ours, limit=limit))
    for (user, time), (seen, _) in zip(
        ours.frame.select("user_id", "time").rows(), cut, strict=True
    ):
        if user is not None and time is not None:
            ids = tuple(CATALOG.item_ids[row] for row in seen)
            assert shoppers.at(user, before=time, limit=limit).history == ids


@given(rows=st.lists(SEARCH, max_size=25))
def test_a_split_sees_its_own_choices_and_those_of_the_splits_before(rows):
    every = searches(rows)
    for split, visible in VISIBLE.items():
        seen = Searches(every.frame.filter(pl.col("split").is_in(visible)))
        found = as_lists(histories_of(every, split, limit=3))
        assert found == naive(every.of(split), seen, 3)


def test_training_sees_nothing_of_what_it_is_measured_on():
    every = searches([
        ("u", 1, "test", [0]), ("u", 2, "validation", [1]), ("u", 3, "train", [2]),
        ("u", 4, "train", [3]), ("u", 5, "validation", [4]), ("u", 6, "test", [5]),
    ])  # fmt: skip
    found = {split: as_lists(histories_of(every, split, limit=9)) for split in VISIBLE}
    assert [rows for rows, _ in found["train"]] == [[], [2]]
    assert [rows for rows, _ in found["validation"]] == [[], [1, 2, 3]]
    assert [rows for rows, _ in found["test"]] == [[], [0, 1, 2, 3, 4]]


@pytest.fixture
def honest():
    """Three searches, the second without a history."""
    rows, times = np.array([3, 4, 5], dtype=np.int32), np.array([1, 2, 8])
    return Histories(rows, times, np.array([0, 2, 2, 3]))


def test_a_planted_leak_is_refused(honest):
    own = np.array([3, 1, 9])
    check_histories(honest, own)
    check_histories(honest, pl.Series([3, None, 9]))
    for planted, shown in ((3, "3"), (7, "7")):  # the search's own click, and a later one
        leaky = honest._replace(times=np.array([1, planted, 8]))
        with pytest.raises(DataError, match=f"leak: .* search 0 .time 3. holds .* time {shown};"):
            check_histories(leaky, own)
    with pytest.raises(DataError, match=r"history of search 2 \(time 8\) .* Cut the histories"):
        check_histories(honest, np.array([3, 1, 8]))
    with pytest.raises(DataError, match=r"history of search 0 \(time None\)"):
        check_histories(honest, pl.Series([None, 1, 9]))
    with pytest.raises(DataError, match=r"3 histories for 2 searches; cut them for these"):
        check_histories(honest, own[:2])


def test_many_repetitions_of_an_item_leave_the_others_in():
    clicks = [("u", time, "train", [0 if time > 4 else time]) for time in range(400)]
    cut = cut_histories(searches([("u", 900, "train", [5])]), visible=searches(clicks), limit=5)
    assert as_lists(cut) == [([1, 2, 3, 4, 0], [1, 2, 3, 4, 399])]
