"""What holds for every importer: names, folders, options, what a folder holds afterwards."""

import gzip
import os

import polars as pl
import pytest
from imported import Import, as_csv, as_jsonl, write

from genrecall.data.rows.lines import Dialect
from genrecall.data.rows.readers import Chunk
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ConfigError, DataError
from genrecall.foundation.progress import SilentLog
from genrecall.importers import IMPORTERS
from genrecall.importers import base as importers_base
from genrecall.importers.base import Tables, pick
from genrecall.importers.run import (
    KIND,
    describe_importers,
    describe_rejects,
    import_data,
    load_importer,
)


@pytest.fixture
def beir(tmp_path):
    """A small data set in the layout of BEIR."""
    folder = tmp_path / "beir"
    corpus = [{"_id": f"d{n}", "title": f"Lamp {n}", "text": ""} for n in range(5)]
    write(folder / "corpus.jsonl", as_jsonl(*corpus))
    write(folder / "queries.jsonl", as_jsonl({"_id": "q1", "text": "desk lamp"}))
    write(folder / "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return folder


def tables_in(folder):
    folder.mkdir(exist_ok=True)
    return Tables(folder, "  the layout", folder, SilentLog())


@pytest.mark.parametrize("name", IMPORTERS)
def test_every_importer_says_what_it_expects(name):
    module = load_importer(name)
    assert module.__doc__
    lines = describe_importers(name)
    assert lines[0] == f"{name}: {IMPORTERS[name]}"
    assert module.LAYOUT in lines
    assert all(option in "\n".join(lines) for option in getattr(module, "OPTIONS", {}))
    assert set(lines) <= set(describe_importers()) | {f"genrecall import {name} SRC --out DIR"}


@pytest.mark.parametrize("name", IMPORTERS)
def test_a_folder_without_the_files_is_refused(name, tmp_path):
    write(tmp_path / "src/holiday.png", b"\x89PNG")
    with pytest.raises(DataError) as refused:
        Import(name, tmp_path / "src")
    assert f"{tmp_path / 'src'} has no " in str(refused.value)
    assert "it holds holiday.png. Expected:\n" in str(refused.value)
    assert load_importer(name).LAYOUT in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


def test_an_unknown_importer_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown importer 'amazn'; known: amazon, beir, esci, "):
        import_data("amazn", tmp_path, tmp_path / "out", log=SilentLog())
    with pytest.raises(ConfigError, match=r"Did you mean 'homedepot'\?"):
        describe_importers("home-depot")


def test_options_are_checked(beir):
    with pytest.raises(ConfigError, match=r"unknown option of importer beir 'split'; known: none"):
        Import("beir", beir, split="test")
    with pytest.raises(ConfigError, match=r"unknown value of option locale 'uk'; known: es, jp, u"):
        Import("esci", beir, locale="uk")


def test_a_source_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere does not exist. Expected:\n  one unzipped"):
        Import("beir", tmp_path / "nowhere")


def test_a_file_where_a_folder_is_needed_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a.zip has no corpus.jsonl; it is a file. Expected:"):
        Import("beir", write(tmp_path / "a.zip", b"PK"))


def test_nothing_is_overwritten(beir, tmp_path):
    out = tmp_path / "beir-tables"
    out.mkdir()
    Import("beir", beir)  # an empty folder may be filled
    with pytest.raises(ConfigError, match=r"beir-tables is not empty and is left as it is"):
        Import("beir", beir)
    file = write(tmp_path / "file", "mine")
    with pytest.raises(ConfigError, match=r"file is not empty and is left as it is"):
        import_data("beir", beir, file, log=SilentLog())


def test_a_failed_import_leaves_nothing(beir, tmp_path):
    (beir / "qrels/test.tsv").write_text("query\tdocument\nq1\td1\n")
    with pytest.raises(DataError):
        Import("beir", beir)
    assert [path.name for path in tmp_path.iterdir()] == ["beir"]


def test_the_folder_names_itself(beir):
    write(beir / "corpus.jsonl", (beir / "corpus.jsonl").read_text() + "{\n")
    imported = Import("beir", beir)
    artifact = open_artifact(imported.done.folder, kind=KIND)
    assert sorted(artifact.files) == [
        "items.parquet",
        "judgments.parquet",
        "rejects/corpus.jsonl",
    ]
    assert artifact.meta["importer"] == "beir"
    assert artifact.meta["rows"] == imported.done.rows == {"items": 5, "judgments": 1}
    assert artifact.meta["rejects"] == {"corpus.jsonl": {"line is not JSON": 1}}
    assert describe_rejects(imported.done.rejects) == [
        "  corpus.jsonl: 1 rows rejected: line is not JSON (1)"
    ]
    assert imported.done.to_json()["folder"] == str(imported.done.folder)


def test_files_in_folders_are_named_with_them(beir):
    write(beir / "qrels/dev.tsv", "query-id\tcorpus-id\tscore\nq1\td2\tmuch\n")
    imported = Import("beir", beir)
    assert imported.rejects == [("qrels/dev.tsv", 2, "relevance is not a number")]
    assert (imported.done.folder / "rejects/qrels-dev.jsonl").is_file()


def test_many_rows_are_written_in_parts_and_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(importers_base, "PART_ROWS", 10)
    tables = tables_in(tmp_path / "t")
    for start in range(0, 95, 5):
        ids = [f"i{n}" for n in range(start, start + 5)]
        tables.write("items", pl.DataFrame({"item_id": ids, "title": ids}))
        waiting = sum(frame.height for frame in tables._waiting.get("items", []))
        assert waiting < 10
    tables.finish()
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["items.parquet"]
    assert pl.read_parquet(tmp_path / "t/items.parquet")["item_id"].to_list() == [
        f"i{n}" for n in range(95)
    ]


def test_a_table_without_rows_is_told_with_its_causes(tmp_path):
    tables = tables_in(tmp_path / "t")
    file = write(tmp_path / "t/items.jsonl", as_jsonl({"item_id": "1"}, {"item_id": "2"}))
    for chunk in tables.read(file, wanted=["item_id", "title"]):
        tables.take("items", file, chunk)
    with pytest.raises(DataError) as refused:
        tables.finish()
    assert str(refused.value) == (
        f"{tmp_path / 't'} gives no row of items. The first causes:\n"
        "  items.jsonl, line 1: title is missing  (2 such rows)\nExpected:\n  the layout"
    )


def test_nothing_at_all_is_told(tmp_path):
    with pytest.raises(DataError, match=r"gives no row of any table. Its files hold no rows."):
        tables_in(tmp_path / "t").finish()


def test_a_missing_column_is_told_before_anything_is_read(tmp_path):
    tables = tables_in(tmp_path / "t")
    file = write(tmp_path / "t/a.csv", as_csv(["uid", "titel"], ["1", "x"]))
    with pytest.raises(DataError) as refused:
        list(tables.read(file, wanted=["uid", "title", "price"], needed=["uid", "title", "price"]))
    assert str(refused.value) == (
        f"{file} has no column title, price; it has uid, titel. Expected:\n  the layout"
    )


def test_ids_that_occur_twice_are_rejected_across_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("genrecall.data.rows.readers.CHUNK", 2)
    tables = tables_in(tmp_path / "t")
    ids = ["a", "b", "c", "a"]
    file = write(tmp_path / "t/i.jsonl", as_jsonl(*({"item_id": i, "title": i} for i in ids)))
    for chunk in tables.read(file, wanted=["item_id", "title"]):
        tables.take("items", file, chunk)
    assert tables.rejects == {"i.jsonl": {"item_id occurs twice": 1}}
    assert tables.counts == {"items": 3}


def test_pick_keeps_lines_and_raw_rows_together():
    chunk = Chunk(
        [3, 5, 9], {"a": ["x", "y", "z"], "b": pl.Series([1, 2, 3])}, "rst".__getitem__, []
    )
    picked = pick(chunk, [0, 2])
    assert picked.lines == [3, 9]
    assert picked.columns["a"] == ["x", "z"]
    assert picked.columns["b"].to_list() == [1, 3]
    assert [picked.raw(row) for row in range(2)] == ["r", "t"]


def read_all(tables, file, **options):
    return [
        value
        for chunk in tables.read(file, wanted=["a"], **options)
        for value in chunk.columns["a"]
    ]


@pytest.mark.parametrize("damage", ["cut", "wrong checksum"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_broken_gzip_file_keeps_the_rows_before_the_break(tmp_path, kind, damage):
    rows = [os.urandom(30).hex() for _ in range(3000)]
    text = as_csv(["a"], *([row] for row in rows)) if kind == "csv" else None
    data = gzip.compress((text or as_jsonl(*({"a": row} for row in rows))).encode())
    data = data[: len(data) // 2] if damage == "cut" else data[:-8] + bytes(8)
    tables = tables_in(tmp_path / "t")
    file = tmp_path / f"t/rows.{kind}.gz"
    file.write_bytes(data)
    kept = read_all(tables, file)
    assert kept == rows[: len(kept)]
    assert len(kept) > 1000
    assert len(kept) == 3000 or damage == "cut"
    assert tables.rejects == {f"rows.{kind}.gz": {"file breaks off here": 1}}
    (reject,) = tables._first.values()
    assert reject.line == len(kept) + (2 if kind == "csv" else 1)


def test_lines_that_are_not_utf8_fall_back_to_the_publishers_encoding(tmp_path):
    tables = tables_in(tmp_path / "t")
    file = tmp_path / "t/a.csv"
    file.write_bytes("\ufeffa\ncafé\n".encode() + "café ½".encode("iso-8859-1") + b"\n")
    assert read_all(tables, file, dialect=Dialect(fallback="iso-8859-1")) == ["café", "café ½"]
    assert read_all(tables, file) == ["café"]
    assert tables.rejects == {"a.csv": {"line is not UTF-8": 1}}


def test_a_file_in_another_encoding_is_named(tmp_path):
    tables = tables_in(tmp_path / "t")
    file = tmp_path / "t/a.csv"
    file.write_bytes("a\n1\n".encode("utf-16-le"))
    with pytest.raises(
        DataError, match=r"a.csv, line 1: read as UTF-8, the header line holds NUL bytes"
    ):
        read_all(tables, file)


def test_a_broken_parquet_file_is_named(tmp_path):
    tables = tables_in(tmp_path / "t")
    file = tmp_path / "t/a.parquet"
    pl.DataFrame({"a": ["x"] * 100}).write_parquet(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a.parquet cannot be read as parquet: .* Get or write"):
        read_all(tables, file)


def test_a_large_parquet_file_is_read_slice_by_slice(tmp_path, monkeypatch):
    monkeypatch.setattr("genrecall.data.rows.readers._SLICE", 50)
    monkeypatch.setattr("genrecall.data.rows.readers.CHUNK", 20)
    tables = tables_in(tmp_path / "t")
    file = tmp_path / "t/a.parquet"
    pl.DataFrame({"a": range(130)}).write_parquet(file, row_group_size=70)
    chunks = list(tables.read(file, wanted=["a", "b"]))
    assert [value for chunk in chunks for value in chunk.columns["a"]] == list(range(130))
    assert [line for chunk in chunks for line in chunk.lines] == list(range(1, 131))
    assert [len(chunk.lines) for chunk in chunks] == [20, 20, 10, 20, 20, 10, 20, 10]
    assert chunks[1].raw(2) == '{"a": 22}'
