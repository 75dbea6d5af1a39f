import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.importers.buckets import Buckets, bucket_count, scratch_folder

SCHEMA = {"key": pl.String(), "value": pl.Int64()}


def frame(rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def filled(folder, rows, *, count, load=1, size=3):
    buckets = Buckets(folder, key="key", schema=SCHEMA, count=count, load=load)
    for start in range(0, len(rows), size):
        buckets.add(frame(rows[start : start + size]))
    return buckets


def taken(buckets):
    return [buckets.take(bucket).rows() for bucket in range(len(buckets))]


ROWS = [(f"key{n % 17}", n) for n in range(60)]


@pytest.mark.parametrize(("count", "load"), [(1, 1), (7, 1), (7, 500), (7, 1 << 30)])
def test_equal_keys_meet_and_no_row_is_lost(tmp_path, count, load):
    parts = taken(filled(tmp_path, ROWS, count=count, load=load))
    assert len(parts) == count
    assert sorted((row for part in parts for row in part), key=ROWS.index) == ROWS
    keys = [{key for key, _ in part} for part in parts]
    assert sum(map(len, keys)) == 17  # each key in one bucket
    for part in parts:
        for key in {key for key, _ in part}:
            values = [value for found, value in part if found == key]
            assert values == sorted(values)  # in the order in which they were added


@settings(max_examples=12)
@given(st.permutations(ROWS[:30]), st.integers(1, 30), st.sampled_from([1, 300]))
def test_buckets_do_not_depend_on_how_rows_come(tmp_path_factory, rows, size, load):
    folder = tmp_path_factory.mktemp("buckets")
    parts = taken(filled(folder / "a", rows, count=3, load=load, size=size))
    expected = taken(filled(folder / "b", ROWS[:30], count=3, size=30))
    assert [sorted(part) for part in parts] == [sorted(part) for part in expected]


def test_what_is_held_is_bounded_and_what_was_taken_is_gone(tmp_path):
    load = 4_000
    buckets = Buckets(tmp_path, key="key", schema=SCHEMA, count=4, load=load)
    for start in range(0, 2_000, 100):
        buckets.add(frame([(f"key-{n}", n) for n in range(start, start + 100)]))
        assert buckets._held_bytes < load
    assert len(list(tmp_path.iterdir())) > 4
    taken(buckets)
    assert list(tmp_path.iterdir()) == []
    assert all(rows == [] for rows in taken(buckets))


def test_one_bucket_needs_no_disk(tmp_path):
    buckets = filled(tmp_path / "unused", ROWS, count=1)
    assert taken(buckets) == [ROWS]
    assert not (tmp_path / "unused").exists()


def test_no_rows(tmp_path):
    buckets = Buckets(tmp_path, key="key", schema=SCHEMA, count=3)
    buckets.add(frame([]))
    assert all(buckets.take(bucket).schema == pl.Schema(SCHEMA) for bucket in range(3))
    assert taken(buckets) == [[], [], []]


def test_the_scratch_folder_is_hidden_and_goes_even_after_an_error(tmp_path):
    with scratch_folder(tmp_path / "out") as scratch:
        assert scratch.parent == tmp_path / "out"
        assert scratch.name.startswith(".")
        filled(scratch, ROWS, count=3)
        assert any(scratch.iterdir())
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(KeyError), scratch_folder(tmp_path / "out") as scratch:
        filled(scratch, ROWS, count=3)
        raise KeyError
    assert list((tmp_path / "out").iterdir()) == []


def test_the_number_of_buckets_follows_the_text(tmp_path):
    plain, zipped = tmp_path / "log.jsonl", tmp_path / "log.jsonl.gz"
    for file in (plain, zipped):
        file.write_bytes(random.Random(0).randbytes(1_000))
    assert bucket_count([plain], bucket=1_000) == 1
    assert bucket_count([plain], bucket=999) == 2
    assert bucket_count([plain, plain], bucket=100) == 20
    assert bucket_count([zipped], bucket=1_000) == 12
    assert bucket_count([plain], bucket=1) == 1_000
    assert bucket_count([plain, zipped], bucket=1) == 1_024
