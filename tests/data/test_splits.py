import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.data.config import SplitConfig
from genrecall.data.splits import (
    fold_of_query,
    split_by_query,
    split_by_time,
    split_of_query,
    without_later_items,
)
from genrecall.data.tables import SEARCHES
from genrecall.text.normalize import query_key

shares = st.tuples(st.floats(0, 0.4), st.floats(0, 0.4))
queries = st.text(max_size=12)
times = st.integers(-(2**40), 2**40)


def config(by, share, seed=0):
    return SplitConfig(by=by, validation=share[0], test=share[1], seed=seed)


@settings(deadline=None)
@given(st.lists(queries), shares, st.integers(0, 5))
def test_a_query_has_one_split_whatever_else_is_in_the_log(texts, share, seed):
    chosen = config("query", share, seed)
    column = pl.Series(texts, dtype=pl.String)
    splits = split_by_query(column, chosen).to_list()
    assert splits == [split_of_query(text, chosen) for text in texts]
    assert splits[::-1] == split_by_query(column.reverse(), chosen).to_list()
    of_key = {}
    for text, split in zip(texts, splits, strict=True):
        assert of_key.setdefault(query_key(text), split) == split


@settings(deadline=None)
@given(queries, shares, st.integers(0, 5))
def test_letter_case_and_spaces_do_not_move_a_query(query, share, seed):
    chosen = config("query", share, seed)
    written = f"  {query.casefold()} \t"
    assert split_of_query(written, chosen) == split_of_query(query, chosen)


TWINS = st.sampled_from(
    [
        ("drill bits", "Drill-Bit"),
        ("3/4 in. elbows", '¾" elbow'),
        ("batteries 18 volt", "battery 18v"),
        ("Crème brûlée", "creme brulee"),
        ("AT&T;", "at & t"),
    ]
)


@given(TWINS, shares, st.integers(0, 20))
def test_what_the_models_read_alike_is_in_one_split_and_fold(twins, share, seed):
    """Else a query is measured whose very input was trained on."""
    one, other = twins
    assert query_key(one) == query_key(other)
    chosen = config("query", share, seed)
    assert split_of_query(one, chosen) == split_of_query(other, chosen)
    assert fold_of_query(one, 5) == fold_of_query(other, 5)


def test_folds_have_equal_shares_in_every_split():
    texts = [f"query {n}" for n in range(5000)]
    chosen = SplitConfig(validation=0.2, test=0.2)
    measured = [text for text in texts if split_of_query(text, chosen) == "validation"]
    counts = [sum(fold_of_query(text, 4) == fold for text in measured) for fold in range(4)]
    assert all(abs(count - len(measured) / 4) < 50 for count in counts)


def test_query_splits_have_their_shares_and_follow_the_seed():
    texts = pl.Series([f"query {n}" for n in range(5000)])
    first, second = (
        split_by_query(texts, SplitConfig(validation=0.1, test=0.2, seed=seed)) for seed in (0, 1)
    )
    counts = dict(first.value_counts().iter_rows())
    assert abs(counts["validation"] - 500) < 100
    assert abs(counts["test"] - 1000) < 130
    assert not first.equals(second)


def test_a_larger_validation_split_takes_from_train_only():
    texts = pl.Series([f"query {n}" for n in range(500)])
    small = split_by_query(texts, SplitConfig(validation=0.1, test=0.1))
    large = split_by_query(texts, SplitConfig(validation=0.3, test=0.1))
    moves = set(zip(small.to_list(), large.to_list(), strict=True))
    assert moves == {
        ("train", "train"), ("train", "validation"), ("validation", "validation"), ("test", "test")
    }  # fmt: skip


@settings(deadline=None)
@given(st.lists(times), shares)
def test_by_time_no_split_begins_before_the_last_has_ended(values, share):
    splits = split_by_time(pl.Series(values, dtype=pl.Int64), config("time", share)).to_list()
    order = {"train": 0, "validation": 1, "test": 2}
    ranks = [order[split] for _, split in sorted(zip(values, splits, strict=True))]
    assert ranks == sorted(ranks)
    of_time = {}
    for value, split in zip(values, splits, strict=True):
        assert of_time.setdefault(value, split) == split
    assert not values or "train" in splits


def test_by_time_distinct_times_give_the_shares():
    splits = split_by_time(pl.Series(range(10)), SplitConfig(by="time"))
    assert splits.to_list() == ["train"] * 8 + ["validation", "test"]


def test_by_time_equal_times_all_train():
    assert split_by_time(pl.Series([7, 7, 7]), SplitConfig(by="time")).to_list() == ["train"] * 3


def searches_of(rows):
    names = ("query", "split", "positives", "gains", "bought")
    return pl.DataFrame(
        [
            {
                "query": f"query {number}",
                "split": split,
                "positives": positives,
                "gains": [float(row) for row in positives],
                "bought": [row % 2 == 0 for row in positives],
            }
            for number, (split, positives) in enumerate(rows)
        ],
        schema={name: SEARCHES[name] for name in names},
    )


def test_training_forgets_items_that_are_relevant_later():
    rows = [
        ("train", [5, 1, 2]),
        ("validation", [1]),
        ("train", [3]),
        ("test", [3, 9]),
        ("train", []),
    ]
    kept = without_later_items(searches_of(rows))
    assert kept.schema == searches_of(rows).schema
    assert kept["positives"].to_list() == [[5, 2], [1], [], [3, 9], []]
    assert kept["gains"].to_list() == [[5.0, 2.0], [1.0], [], [3.0, 9.0], []]
    assert kept["bought"].to_list() == [[False, True], [False], [], [False, False], []]
    assert kept["query"].to_list() == [f"query {number}" for number in range(5)]


split_names = st.sampled_from(["train", "validation", "test"])


@given(st.lists(st.tuples(split_names, st.lists(st.integers(0, 6), unique=True)), max_size=8))
def test_no_item_of_training_is_relevant_later_and_nothing_else_changes(rows):
    kept = without_later_items(searches_of(rows))
    later = {row for split, positives in rows if split != "train" for row in positives}
    expected = [
        [row for row in positives if split != "train" or row not in later]
        for split, positives in rows
    ]
    assert kept["positives"].to_list() == expected
    assert kept["gains"].to_list() == [[float(row) for row in positives] for positives in expected]
