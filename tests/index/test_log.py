"""The item log: idempotent by version, whole or not at all, seen by other processes."""

import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.foundation.errors import ArtifactError, StorageFullError
from genrecall.foundation.sid import Sid
from genrecall.index.log import Change, ItemLog

LAMP = {"item_id": "a", "title": "Lamp, blue ☂", "price": 9.5, "category": ["Home", "Light"]}
SID = Sid(3, 1, 4)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "live" / "items.sqlite"


@pytest.fixture
def log(file):
    return ItemLog(file, space="s")


def write(log, *changes, known=False):
    return [tuple(of)[1:] for of in log.write(changes, known=[known] * len(changes))]


def test_what_was_written_is_read_again(log, file):
    assert write(log, Change("a", LAMP, SID), Change("b", LAMP, SID, version=7)) == [
        ("created", 0),
        ("created", 7),
    ]
    log.close()
    again = ItemLog(file, space="s")
    assert again.get("a") == (1, "a", 0, LAMP, SID)
    assert [(state.number, state.item_id) for state in again.after(0)] == [(1, "a"), (2, "b")]
    assert (again.last, list(again.after(2)), again.get("c")) == (2, [], None)
    assert again.counts() == {"live": 2, "deleted": 0}


def test_a_version_is_written_once(log):
    first = Change("a", LAMP, SID, version=5)
    assert write(log, first, first, first._replace(version=4)) == [
        ("created", 5),
        ("unchanged", 5),
        ("stale", 5),
    ]
    assert write(log, Change("a", LAMP, SID)) == [("updated", 6)]
    assert write(log, Change("a", None, version=5), Change("a", None)) == [
        ("stale", 6),
        ("deleted", 7),
    ]
    # A late older state does not bring it back.
    assert write(log, first, Change("a", None), Change("a", LAMP, SID, version=8)) == [
        ("stale", 7),
        ("unknown", 7),
        ("created", 8),
    ]


def test_what_a_bundle_knows_can_be_updated_and_deleted(log):
    assert write(log, Change("a", LAMP, SID), known=True) == [("updated", 0)]
    assert write(log, Change("b", None), known=True) == [("deleted", 0)]
    assert write(log, Change("c", None)) == [("unknown", None)]
    assert log.get("c") is None and log.get("b").item is None
    assert log.counts() == {"live": 1, "deleted": 1}


def test_another_process_sees_that_something_was_written(log, file):
    other = ItemLog(file, space="s")
    assert not other.changed()
    write(log, Change("a", LAMP, SID))
    assert [other.changed(), other.changed(), log.changed()] == [True, False, False]
    assert [state.item_id for state in other.after(0)] == ["a"]


WRITERS = """
import sys, time
from pathlib import Path
from genrecall.foundation.sid import Sid
from genrecall.index.log import Change, ItemLog
log = ItemLog(Path(sys.argv[1]), space="s")
for number in range(100_000):
    ids = [f"{number}-{part}" for part in range(5)]
    log.write([Change(i, {"item_id": i}, Sid(1, 2, 3)) for i in ids], known=[False] * 5)
    print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(file):
    """And of a batch all is there or nothing."""
    acknowledged = -1
    for pause in (0.3, 0.4, 0.5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITERS, str(file)], stdout=subprocess.PIPE, text=True
        )
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        told, _ = process.communicate()
        acknowledged = max([acknowledged, *map(int, told.split())])
        log = ItemLog(file, space="s")
        states = list(log.after(0))
        found = sorted({int(state.item_id.partition("-")[0]) for state in states})
        assert len(states) == 5 * len(found)
        assert found == list(range(len(found))) and len(found) >= acknowledged + 1
        log.close()
    assert acknowledged > 0


def test_a_snapshot_is_a_log(log, tmp_path):
    write(log, Change("a", LAMP, SID), Change("b", None, version=3))
    log.snapshot(tmp_path / "copy.sqlite")
    write(log, Change("c", LAMP, SID))
    copy = ItemLog(tmp_path / "copy.sqlite", space="s")
    assert [state.item_id for state in copy.after(0)] == ["a", "b"]
    with pytest.raises(FileExistsError):
        log.snapshot(tmp_path / "copy.sqlite")


def test_other_files_are_refused(file, tmp_path):
    ItemLog(file, space="s").close()
    with pytest.raises(ArtifactError, match="items of another SID space than the bundle's"):
        ItemLog(file, space="other")
    (tmp_path / "text").write_text("no database at all, but longer than a header\n" * 9)
    with pytest.raises(ArtifactError, match="text is no item log, or it is damaged"):
        ItemLog(tmp_path / "text", space="s")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE about SET value = '9' WHERE name = 'schema'")
    with pytest.raises(ArtifactError, match="has schema '9'; this version reads 1"):
        ItemLog(file, space="s")


def test_a_full_disk_loses_nothing(log):
    write(log, Change("a", LAMP, SID))
    pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
    log._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = [Change(f"x{number}", LAMP | {"title": "x" * 500}, SID) for number in range(99)]
    with pytest.raises(StorageFullError, match="the disk is full"):
        log.write(many, known=[False] * 99)
    assert [state.item_id for state in log.after(0)] == ["a"]
    log._connection.execute("PRAGMA max_page_count = 1000000")
    assert {of.outcome for of in log.write(many, known=[False] * 99)} == {"created"}


changes = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.booleans(), st.none() | st.integers(0, 6), st.integers(0, 99)
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(changes)
def test_it_is_a_dictionary_of_the_latest_versions(tmp_path_factory, asked):
    log = ItemLog(tmp_path_factory.mktemp("log") / "items.sqlite", space="s")
    expected = {}
    for item_id, stays, version, price in asked:
        there = expected.get(item_id)
        item = {"item_id": item_id, "price": price} if stays else None
        (told,) = log.write([Change(item_id, item, SID, version)], known=[False])
        if version is not None and there is not None and version <= there[0]:
            assert told.outcome == ("unchanged" if version == there[0] else "stale")
            continue
        if item is None and version is None and (there is None or there[1] is None):
            assert told.outcome == "unknown"
            continue
        expected[item_id] = (version if version is not None else there[0] + 1 if there else 0, item)
        assert told.version == expected[item_id][0]
    assert {s.item_id: (s.version, s.item) for s in log.after(0)} == expected
    log.close()
