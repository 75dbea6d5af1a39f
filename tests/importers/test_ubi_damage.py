"""UBI logs that are damaged, or lie in files of other names and encodings."""

import json
import random

import pytest
from imported import Import, as_jsonl, cut, write
from ubi_log import event, only, query, write_log

from genrecall.foundation.errors import DataError
from genrecall.importers import ubi


def test_broken_lines_are_named_and_cost_no_others(tmp_path):
    lines = [json.dumps(query(f"q{n}", f"text {n}")).encode() for n in range(100)]
    broken = {10: b'{"query_id": ', 40: b'{"user_query": "caf\xe9"}', 41: b"[1]", 77: b"nonsense"}
    for row, line in broken.items():
        lines[row] = line
    write(tmp_path / "log/ubi_queries.jsonl", b"\n".join(lines))
    done = Import("ubi", tmp_path / "log")
    assert done.rejects == [
        ("ubi_queries.jsonl", 11, "line is not JSON"),
        ("ubi_queries.jsonl", 41, "line is not UTF-8"),
        ("ubi_queries.jsonl", 42, "line is not a JSON object"),
        ("ubi_queries.jsonl", 78, "line is not JSON"),
    ]
    ids = {search["search_id"] for search in done.table("searches")}
    assert ids == {f"q{n}" for n in range(100)} - {f"q{row}" for row in broken}


def test_a_number_of_endless_digits_stops_nothing(tmp_path):
    line = json.dumps(query("q2", text={"query": "hat"}))[:-1] + f', "n": {"1" * 5_000}}}\n'
    write(tmp_path / "log/ubi_queries.jsonl", as_jsonl(query()) + line)
    done = Import("ubi", tmp_path / "log")
    assert only(done)["search_id"] == "q1"
    assert [reject[:2] for reject in done.rejects] == [("ubi_queries.jsonl", 2)]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding(tmp_path, encoding):
    text = as_jsonl(query(text="Stehlampe"), query("q2", text="Wäscheständer"))
    write(tmp_path / "log/ubi_queries.jsonl", text.encode(encoding))
    if encoding == "utf-16":
        with pytest.raises(
            DataError, match=r"gives no row of searches. The first causes:\n.*line 1"
        ):
            Import("ubi", tmp_path / "log")
    else:
        done = Import("ubi", tmp_path / "log")
        assert only(done)["query"] == "Stehlampe"
        assert done.rejects == [("ubi_queries.jsonl", 2, "line is not UTF-8")]


def test_a_file_that_breaks_off_gives_what_is_before(tmp_path):
    rng = random.Random(0)
    queries = [query(f"q{n}", rng.randbytes(20).hex()) for n in range(300)]
    cut(write(tmp_path / "log/ubi_queries.jsonl.gz", as_jsonl(*queries)))
    done = Import("ubi", tmp_path / "log")
    ids = {search["search_id"] for search in done.table("searches")}
    assert 100 < len(ids) < 200
    assert ids == {f"q{n}" for n in range(len(ids))}
    assert done.rejects == [("ubi_queries.jsonl.gz", len(ids) + 1, "file breaks off here")]


def test_a_source_without_a_log(tmp_path):
    write(tmp_path / "log/ubi_queries.csv", "query_id,user_query\n")
    with pytest.raises(DataError, match=r"has no ubi_queries\*.jsonl .*it holds ubi_queries.csv"):
        Import("ubi", tmp_path / "log")
    write(tmp_path / "empty/ubi_queries.jsonl", "")
    with pytest.raises(DataError, match=r"gives no row of searches\. Its files hold no rows"):
        Import("ubi", tmp_path / "empty")


def test_files_that_are_passed_over_are_told(tmp_path):
    folder = write_log(tmp_path / "log", [query()], [event()])
    (folder / "ubi_events.jsonl").rename(folder / "UBI_Events.ndjson")
    write(folder / "ubi_events-2025.csv", "query_id,action_name\n")
    (folder / "ubi_queries-old.jsonl").mkdir()
    done = Import("ubi", folder)
    assert only(done)["clicks"] == ["12"]
    assert done.notes == [
        "ubi_events-2025.csv is not read: export it as JSON lines, in .jsonl, .ndjson, .json or "
        "with .gz behind it"
    ]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise DataError("no more")

    write_log(tmp_path / "log", [query()], [event()])
    monkeypatch.setattr(ubi, "join_searches", fail)
    with pytest.raises(DataError, match="no more"):
        Import("ubi", tmp_path / "log")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
