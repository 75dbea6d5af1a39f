import gzip
import json
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imported import cut, write

from genrecall.importers import ndjson
from genrecall.importers.ndjson import read_json_chunks

TYPES = {"a": pl.String(), "n": pl.Int64()}


def read(path, block=ndjson.BLOCK, types=TYPES):
    """Rows by line, rejects, and how many rows Polars parsed."""
    rows, rejects, fast = {}, [], 0
    for chunk in read_json_chunks(path, lambda _: types, block=block):
        fast += len(chunk.lines) * isinstance(chunk.columns["a"], pl.Series)
        for row, line in enumerate(chunk.lines):
            rows[line] = tuple(column[row] for column in chunk.columns.values())
            assert json.loads(chunk.raw(row)).get("a") == rows[line][0]
        rejects += chunk.rejects
    return rows, rejects, fast


LINES = [json.dumps({"a": f"text {n}", "n": n, "other": [n]}).encode() for n in range(1000)]
ROWS = {n + 1: (f"text {n}", n) for n in range(1000)}


@pytest.mark.parametrize("block", [7, 1_000, 1 << 20])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\n\n \n"])
@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_every_line_is_read_whatever_the_blocks(tmp_path, name, ending, block):
    between = b"\r\n" if ending == b"\r\n" else b"\n"
    path = write(tmp_path / name, b"\xef\xbb\xbf" + between.join(LINES) + ending)
    rows, rejects, fast = read(path, block)
    assert rows == ROWS
    assert rejects == []
    assert fast == len(ROWS)


BROKEN = {
    b'{"a": "x"': "line is not JSON",
    b'{"a": "x"} {"a": "y"}': "line is not JSON",
    b'{"a": "x"},': "line is not JSON",
    b'{"a": "caf\xe9"}': "line is not UTF-8",
    b'{"a": "\\ud83d"}': "line is not JSON",
    b'{"a": "\\ude00"}': "line is not JSON",
    b'["a"]': "line is not a JSON object",
    b"7": "line is not a JSON object",
    b"[" * 5_000: "line is not JSON",
    b"\x00\x00": "line is not JSON",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_is_named_and_costs_no_other(tmp_path, broken):
    lines = [*LINES[:70], broken, *LINES[70:]]
    rows, rejects, fast = read(write(tmp_path / "t.jsonl", b"\n".join(lines)))
    assert list(rows.values()) == list(ROWS.values())
    assert [(reject.line, reject.cause) for reject in rejects] == [(71, BROKEN[broken])]
    assert rejects[0].raw == broken.decode("utf-8", "backslashreplace")
    assert fast >= len(ROWS) - ndjson._FEW  # only the lines around it are read one by one


def test_values_of_another_type_are_left_to_the_caller(tmp_path):
    lines = [b'{"a": 5, "n": 1}', b'{"a": null, "n": "2"}', b'{"n": [3]}', b'{"a": "x", "n": 1.5}']
    rows, rejects, fast = read(write(tmp_path / "t.jsonl", b"\n".join(lines)))
    assert rejects == []
    assert rows == {1: (5, 1), 2: (None, "2"), 3: (None, [3]), 4: ("x", 1.5)}
    assert fast == 0


def test_typed_text_holds_json_where_there_was_none(tmp_path):
    path = write(tmp_path / "t.jsonl", '{"a": 5}\n{"a": {"b": "ä"}}\n{"a": 1.0}\n{"a": "5"}\n{}\n')
    (chunk,) = read_json_chunks(path, lambda _: {"a": pl.String()})
    assert chunk.columns["a"].to_list() == ["5", '{"b": "ä"}', "1", "5", None]


def test_a_pair_of_surrogates_is_one_letter(tmp_path):
    path = write(tmp_path / "t.jsonl", json.dumps({"a": "😀", "n": 1}))
    assert read(path) == ({1: ("😀", 1)}, [], 1)


def test_half_a_gzip_file_gives_the_rows_before_the_break(tmp_path):
    rng = random.Random(0)
    lines = [json.dumps({"a": rng.randbytes(40).hex(), "n": n}) for n in range(2_000)]
    path = cut(write(tmp_path / "t.jsonl.gz", "\n".join(lines)), 0.6)
    rows, rejects, _ = read(path)
    assert 1_000 < len(rows) < 1_500
    assert list(rows) == [*range(1, len(rows) + 1)]
    assert [(reject.line, reject.cause) for reject in rejects] == [
        (len(rows) + 1, "file breaks off here")
    ]
    assert lines[len(rows)].startswith(rejects[0].raw)
    assert "end-of-stream" in rejects[0].given


def test_a_last_line_that_is_whole_is_kept_though_its_file_breaks_off(tmp_path):
    path = write(tmp_path / "t.jsonl", gzip.compress(b'{"a": "x", "n": 1}')[:-8])
    rows, rejects, _ = read(path)
    assert rows == {1: ("x", 1)}
    assert [(reject.line, reject.raw) for reject in rejects] == [(2, "")]


def test_damage_inside_a_gzip_file(tmp_path):
    whole = gzip.compress(b"\n".join(LINES))
    path = write(tmp_path / "t.jsonl", whole[:200] + b"\xff" * 40 + whole[240:])
    rows, rejects, _ = read(path)
    assert all(rows[line] == ROWS[line] for line in rows)
    assert rejects[-1].cause == "file breaks off here"


def test_an_empty_file(tmp_path):
    assert read(write(tmp_path / "t.jsonl", "")) == ({}, [], 0)
    assert read(write(tmp_path / "t.jsonl", b"\xef\xbb\xbf\n \n")) == ({}, [], 0)


documents = st.fixed_dictionaries(
    {}, optional={"a": st.text(), "n": st.integers(-(2**63), 2**63 - 1)}
)
lines = st.one_of(
    documents.map(json.dumps),
    documents.map(lambda document: json.dumps(document, ensure_ascii=False)),
).map(lambda line: line.encode("utf-8", "surrogatepass"))


@settings(max_examples=60)
@given(
    st.lists(lines | st.sampled_from([b'{"a": ', b"\xff", b"7", b""]), max_size=40),
    st.integers(1, 200),
)
def test_rows_are_those_of_python(tmp_path_factory, lines, block):
    path = write(tmp_path_factory.mktemp("ndjson") / "t.jsonl", b"\n".join(lines))
    rows, rejects, _ = read(path, block)
    good = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith(b"{") and line.endswith(b"}"):
            document = json.loads(line.decode("utf-8"))
            good[number] = (document.get("a"), document.get("n"))
    assert rows == good
    blank = [number for number, line in enumerate(lines, start=1) if line == b""]
    assert sorted([*rows, *blank, *(reject.line for reject in rejects)]) == [
        *range(1, len(lines) + 1)
    ]
