import csv
import gzip
import io
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.data.config import TableSource
from genrecall.data.rows import readers
from genrecall.foundation.errors import DataError


def read(file, wanted=("a", "b"), needed=()):
    """All rows `{column: value}` by line, and all rejects."""
    rows, rejects = {}, []
    for chunk in readers.read_chunks(TableSource(file=file), wanted=wanted, needed=needed):
        for position, line in enumerate(chunk.lines):
            rows[line] = {name: column[position] for name, column in chunk.columns.items()}
        rejects += chunk.rejects
    return rows, rejects


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_all_formats_give_the_same_rows(tmp_path):
    frame = pl.DataFrame(
        {"b": ["x, y", 'say "hi"', None], "other": [1, 2, 3], "a": ["1", "2", "3"]}
    )
    expected = [{"a": row["a"], "b": row["b"]} for row in frame.to_dicts()]
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for name in ("t.csv", "t.jsonl"):
        write(tmp_path / f"{name}.gz", gzip.compress((tmp_path / name).read_bytes()))
    for name in ("t.parquet", "t.csv", "t.jsonl", "t.csv.gz", "t.jsonl.gz"):
        rows, rejects = read(tmp_path / name, needed=["a"])
        assert list(rows.values()) == expected, name
        assert rejects == []


def test_gzip_is_seen_by_its_bytes_not_its_name(tmp_path):
    rows, _ = read(write(tmp_path / "t.csv", gzip.compress(b"a,b\n1,2\n")))
    assert rows == {2: {"a": "1", "b": "2"}}


def test_each_unreadable_json_line_is_named(tmp_path):
    lines = [
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 2',
        b"",
        b'["a", 3]',
        b'{"a": "caf\xe9"}',
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'{"b": "\xc3\xa9"}\r',
    ]
    rows, rejects = read(write(tmp_path / "t.jsonl", b"\n".join(lines)))
    assert rows == {1: {"a": 1, "b": None}, 8: {"a": None, "b": "é"}}
    assert [(reject.line, reject.cause) for reject in rejects] == [
        (2, "line is not JSON"),
        (4, "line is not a JSON object"),
        (5, "line is not UTF-8"),
        (6, "line is not JSON"),
        (7, "line is not JSON"),
    ]
    assert rejects[0].raw == '{"a": 2'
    assert rejects[2].raw == r'{"a": "caf\xe9"}'


def test_each_unreadable_csv_line_is_named(tmp_path):
    lines = [b"a,b", b"1,x", b"2", b"3,y,z", b"", b"4,caf\xe9", b'5,"x"y', b"6,z"]
    rows, rejects = read(write(tmp_path / "t.csv", b"\r\n".join(lines)))
    assert rows == {2: {"a": "1", "b": "x"}, 8: {"a": "6", "b": "z"}}
    assert [(reject.line, reject.cause, reject.raw) for reject in rejects] == [
        (3, "line has the wrong number of fields", "2"),
        (4, "line has the wrong number of fields", "3,y,z"),
        (6, "line is not UTF-8", r"4,caf\xe9"),
        (7, "line is not CSV", '5,"x"y'),
    ]
    assert rejects[1].given == "3 instead of 2"
    assert rejects[3].given == "text follows a quote; quotes within a quoted cell are doubled"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("t.csv", b"1,x", b"2,y\0z"), ("t.jsonl", b'{"a": "1", "b": "x"}', b'{"a": "2", "b": "\0"}')],
)
def test_a_line_with_zeros_is_damaged(tmp_path, name, good, bad):
    lines = [*([b"a,b"] if name == "t.csv" else []), good, bad, bytes(512)]
    rows, rejects = read(write(tmp_path / name, b"\n".join(lines)))
    assert list(rows.values()) == [{"a": "1", "b": "x"}]
    cause = "line holds NUL bytes, as damaged files do"
    assert [(reject.line, reject.cause) for reject in rejects] == [
        (len(lines) - 1, cause),
        (len(lines), cause),
    ]


@pytest.mark.parametrize("before", ["\n \n", "sep=,\n", '\ufeff"sep=,"\r\n\n'])
def test_what_spreadsheets_write_before_the_header_is_passed_over(tmp_path, before):
    rows, rejects = read(write(tmp_path / "t.csv", f"{before}a,b\n1,x\n"), needed=["a"])
    assert list(rows) == [before.count("\n") + 2]
    assert list(rows.values()) == [{"a": "1", "b": "x"}]
    assert rejects == []


@pytest.mark.parametrize("after", ['3,"z"', "3,z", '"3","z"'])
def test_a_quote_that_is_never_closed_costs_one_line(tmp_path, after):
    rows, rejects = read(write(tmp_path / "t.csv", f'a,b\n1,x\n2,"y\n{after}\n4,w\n'))
    assert list(rows) == [2, 4, 5]
    assert [(reject.line, reject.raw) for reject in rejects] == [(3, '2,"y')]


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ('2,"y', "a quote is opened and never closed"),
        ("2,y\rz", "a carriage return stands alone, as at the ends of lines of old Macs; write "
         "line feeds"),
        (f"2,{'y' * 200}", "a cell has more than 16,777,216 characters, or a quote is opened and "
         "never closed"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_line_is_told_in_plain_words(tmp_path, monkeypatch, line, given):
    monkeypatch.setattr("genrecall.data.rows.csv_records._LONGEST", 100)
    _, rejects = read(write(tmp_path / "t.csv", f"a,b\n{line}\n"))
    assert [(reject.cause, reject.given) for reject in rejects] == [("line is not CSV", given)]


def test_an_unquoted_empty_csv_field_is_null_and_a_quoted_one_is_empty(tmp_path):
    content = 'a,b\n"","say ""hi"""\n,""\n"x\n""y""",\n2" pipe,""\n'
    rows, rejects = read(write(tmp_path / "t.csv", content))
    assert rejects == []
    assert [(row["a"], row["b"]) for row in rows.values()] == [
        ("", 'say "hi"'),
        (None, ""),
        ('x\n"y"', None),
        ('2" pipe', ""),
    ]
    assert list(rows) == [2, 3, 4, 6]  # the third row takes two lines


def test_a_csv_cell_of_any_length_is_one_cell(tmp_path):
    long, lines = "x" * 200_000, "\n".join(["y" * 1_000] * 300)
    rows, rejects = read(write(tmp_path / "t.csv", f'a,b\n1,{long}\n2,"{lines}"\n3,z\n'))
    assert rejects == []
    assert list(rows.values()) == [
        {"a": "1", "b": long},
        {"a": "2", "b": lines},
        {"a": "3", "b": "z"},
    ]


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_only_line_feeds_end_a_line(tmp_path, ending, sign):
    text = {"csv": f"a,b\nx{sign}y,1\n", "jsonl": f'{{"a": "x{sign}y", "b": "1"}}\n'}[ending]
    if ending == "jsonl" and sign < " ":  # JSON has no control characters within text
        text = text.replace(sign, json.dumps(sign)[1:-1])
    rows, rejects = read(write(tmp_path / f"t.{ending}", text))
    assert rejects == []
    assert list(rows.values()) == [{"a": f"x{sign}y", "b": "1"}]


sound = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(deadline=None)
@given(st.lists(st.tuples(sound, sound), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_every_text_survives_csv(tmp_path_factory, pairs, newline):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator=newline)
    writer.writerows([("a", "b"), *pairs])
    path = write(tmp_path_factory.mktemp("csv") / "t.csv", buffer.getvalue())
    rows, rejects = read(path)
    assert rejects == []
    assert [(row["a"], row["b"]) for row in rows.values()] == pairs


objects = st.dictionaries(st.sampled_from(["a", "b"]), st.integers() | st.text(), min_size=1)
broken = st.sampled_from([b'{"a": ', b"\xff", b"7", b"{'a': 1}"])


@settings(deadline=None)
@given(st.lists(objects.map(json.dumps).map(str.encode) | broken, max_size=12))
def test_broken_json_lines_do_not_touch_the_others(tmp_path_factory, lines):
    path = write(tmp_path_factory.mktemp("jsonl") / "t.jsonl", b"\n".join(lines))
    rows, rejects = read(path)
    good = {n: json.loads(line) for n, line in enumerate(lines, 1) if line.startswith(b'{"')
            and line.endswith(b"}")}  # fmt: skip
    assert rows == {n: {"a": row.get("a"), "b": row.get("b")} for n, row in good.items()}
    assert sorted([*rows, *(reject.line for reject in rejects)]) == [*range(1, len(lines) + 1)]


def test_chunks_join_without_a_seam(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "CHUNK", 3)
    lines = [json.dumps({"a": n}) if n % 4 else "broken" for n in range(1, 11)]
    rows, rejects = read(write(tmp_path / "t.jsonl", "\n".join(lines)))
    assert {line: row["a"] for line, row in rows.items()} == {n: n for n in rows}
    assert [reject.line for reject in rejects] == [4, 8]
    pl.DataFrame({"a": range(1, 11)}).write_parquet(tmp_path / "t.parquet")
    rows, _ = read(tmp_path / "t.parquet")
    assert rows == {n: {"a": n, "b": None} for n in range(1, 11)}


def test_raw_text_of_a_row(tmp_path):
    source = write(tmp_path / "t.csv", 'a,b\n1,"x\ny"\n')
    (chunk,) = readers.read_chunks(TableSource(file=source), wanted=["a"], needed=[])
    assert chunk.raw(0) == '1,"x\ny"'
    pl.DataFrame({"a": ["é"], "b": [1]}).write_parquet(tmp_path / "t.parquet")
    source = TableSource(file=tmp_path / "t.parquet")
    (chunk,) = readers.read_chunks(source, wanted=["a"], needed=[])
    assert chunk.raw(0) == '{"a": "é"}'


def test_a_missing_column_is_named_with_those_that_exist(tmp_path):
    pl.DataFrame({"titel": ["x"]}).write_parquet(tmp_path / "t.parquet")
    write(tmp_path / "t.csv", "titel\nx\n")
    write(tmp_path / "t.jsonl", '{"titel": "x"}\n')
    for ending in ("parquet", "csv", "jsonl"):
        with pytest.raises(
            DataError, match=rf"unknown column of .*t.{ending}.*Did you mean 'titel'"
        ):
            read(tmp_path / f"t.{ending}", wanted=["title"], needed=["title"])


def test_files_that_cannot_be_read_at_all(tmp_path):
    with pytest.raises(DataError, match=r"none.csv does not exist. Correct `file`"):
        read(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"empty.csv is empty"):
        read(write(tmp_path / "empty.csv", ""))
    with pytest.raises(DataError, match=r"line 1: the header line cannot be read"):
        read(write(tmp_path / "quote.csv", '"a,b\n1,2\n'))
    with pytest.raises(DataError, match=r"line 2: the header .*: a carriage return stands alone"):
        read(write(tmp_path / "mac.csv", "\na,b\r1,2\r"))
    with pytest.raises(DataError, match=r"one column, 'a,b', since all of its header line stands"):
        read(write(tmp_path / "quoted.csv", '"a,b"\n"1,2"\n'), needed=["a"])
    with pytest.raises(DataError, match=r"header line is not UTF-8"):
        read(write(tmp_path / "latin.csv", b"caf\xe9,b\n1,2\n"))
    with pytest.raises(DataError, match=r"line 1: .* NUL bytes, as UTF-16 .* {encoding: utf-16}"):
        read(write(tmp_path / "utf16.csv", "a,b\n1,2\n".encode("utf-16-le")))
    with pytest.raises(DataError, match=r"2 columns named 'a'"):
        read(write(tmp_path / "twice.csv", "a,b,a\n1,2,3\n"))
    with pytest.raises(DataError, match=r"cannot be read as parquet"):
        read(write(tmp_path / "t.parquet", "a,b\n1,2\n"))
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    for damaged in (whole[:-20], whole[:20] + b"\xff" * 8 + whole[28:]):
        with pytest.raises(DataError, match=r"cannot be read as csv"):
            read(write(tmp_path / "cut.csv.gz", damaged))


def test_a_wrong_byte_in_a_parquet_file_is_named_wherever_it_is_found(tmp_path):
    """Polars panics at some, which is no `Exception`."""
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [f"p{n}" for n in range(60)], "b": ["us"] * 60}).write_parquet(path)
    whole = path.read_bytes()
    found = 0
    for position in range(4, len(whole), 3):
        write(path, whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            read(path)
        except DataError as error:
            assert "t.parquet cannot be read as parquet: " in str(error)
            found += 1
    assert found > len(whole) / 3 / 2
