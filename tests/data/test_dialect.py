"""How a table is written, as its config says: what is read, and what is refused."""

import gzip

import polars as pl
import pytest
from pydantic import ValidationError

from genrecall.data.config import DataConfig, TableSource
from genrecall.data.validate import ITEMS_SCHEMA, SEARCHES_SCHEMA, read_table
from genrecall.foundation.errors import DataError


def read(file, dialect, schema=ITEMS_SCHEMA, **more):
    source = TableSource.model_validate({"file": file, "dialect": dialect} | more)
    return read_table(source, schema, max_rejects=1.0)


def write(path, text, encoding="utf-8"):
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16-le", "utf-16"])
def test_encodings_and_separators(tmp_path, name, encoding):
    text = "item_id;title\n1;Säge – 5 €\n2;Bohrer\u2028\u0a00\n"
    text = text if encoding != "cp1252" else text.replace("\u2028\u0a00", "")
    table = read(write(tmp_path / name, text, encoding), {"encoding": encoding, "separator": ";"})
    assert table.frame["title"][0] == "Säge – 5 €"
    assert table.frame.height == 2


def test_a_byte_order_mark_says_the_encoding(tmp_path):
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        table = read(write(tmp_path / "t.csv", "item_id,title\n1,Säge\n", encoding), {})
        assert table.frame["title"].to_list() == ["Säge"]


def test_bytes_of_another_encoding_cost_their_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"item_id,title\n1,caf\xe9\n2,\x81\n3,x\n")
    table = read(path, {"encoding": "cp1252"})
    assert table.frame["title"].to_list() == ["café", "x"]
    assert [(r.line, r.cause, r.raw) for r in table.rejects] == [
        (3, "line is not cp1252", r"2,\x81")
    ]
    wide = "item_id,title\n1,ab\n".encode("utf-16-le") + b"\x32\x00,\x00\x00\xd8\n\x00"
    path.write_bytes(wide + "3,x\n".encode("utf-16-le"))
    table = read(path, {"encoding": "utf-16-le"})
    assert table.frame["item_id"].to_list() == ["1", "3"]
    assert [(r.line, r.cause, r.raw) for r in table.rejects] == [
        (3, "line is not utf-16-le", r"2,\ud800")
    ]
    path.write_bytes(wide[:-1])
    with pytest.raises(DataError, match=r"t\.csv cannot be read as csv: .*truncated data"):
        read(path, {"encoding": "utf-16-le"})


def test_a_tab_is_what_tsv_is_separated_by(tmp_path):
    table = read(write(tmp_path / "t.tsv", "item_id\ttitle\n1\tSaw, small\n"), {})
    assert table.frame["title"].to_list() == ["Saw, small"]


def test_a_count_is_a_flag_where_that_is_said(tmp_path):
    cells = ['"1.200"', "-3", "0", "yes", "auf Lager", "", "bald", "1"]
    text = "item_id,title,available\n" + "".join(
        f"{row},x,{cell}\n" for row, cell in enumerate(cells)
    )
    dialect = {"counts": True, "decimal": ",", "thousands": ".", "flags": {"auf Lager": True}}
    table = read(write(tmp_path / "t.csv", text), dialect)
    assert table.frame["available"].to_list() == [True, False, False, True, True, None, True]
    assert [reject.cause for reject in table.rejects] == [
        "available is neither true nor false, and no count"
    ]


def test_empty_words_flags_and_lists(tmp_path):
    text = "item_id,title,brand,price,available\n1,None,n/a,-,Ja\n2,x,NULL,5,on-Backorder\n"
    frame = read(
        write(tmp_path / "t.csv", text),
        {"empty": ["N/A", "null", "-"], "flags": {"ja": True, "on backorder": True}},
    ).frame
    assert frame["title"].to_list() == ["None", "x"]
    assert frame["brand"].to_list() == [None, None]
    assert frame["price"].to_list() == [None, 5.0]
    assert frame["available"].to_list() == [True, True]
    log = write(tmp_path / "s.csv", 'query,clicks\nsaw,"1, 2"\nlamp,"[3, 4]"\nhose,-\n')
    dialect = {"list_separator": ",", "empty": ["-"]}
    clicks = read(log, dialect, SEARCHES_SCHEMA).frame["clicks"]
    assert clicks.to_list() == [["1", "2"], ["3", "4"], None]


def test_html_ends_at_the_reader_but_for_ids(tmp_path):
    rows = {"item_id": ["a&amp;b"], "title": ["S&auml;ge <b>neu</b>"], "brand": ["Akku\u00adfix"],
            "attributes": [[{"key": "Gr&ouml;&szlig;e", "value": ["5&nbsp;mm", "<br>"]}]],
            "category": [["Haus &amp; Garten"]]}  # fmt: skip
    path = tmp_path / "t.parquet"
    pl.DataFrame(rows).write_parquet(path)
    (row,) = read(path, {}).frame.to_dicts()
    assert row["item_id"] == "a&amp;b"
    assert (row["title"], row["brand"]) == ("Säge neu", "Akkufix")
    assert row["attributes"] == [{"key": "Größe", "value": ["5 mm"]}]
    assert row["category"] == ["Haus & Garten"]
    (row,) = read(path, {"html": "keep"}).frame.to_dicts()
    assert row["title"] == "S&auml;ge <b>neu</b>"
    assert row["category"] == ["Haus & Garten"]


def test_attributes_of_columns_are_cleaned_too(tmp_path):
    path = write(tmp_path / "t.csv", "item_id,title,c\n1,x,gr&uuml;n|-\n2,y,-\n")
    frame = read(path, {"empty": ["-"]}, columns={"attributes": {"color": "c"}}).frame
    assert frame["attributes"].to_list() == [[{"key": "color", "value": ["grün", "-"]}], None]


def test_rows_that_go_on_with_the_one_before_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("genrecall.data.rows.readers.CHUNK", 2)
    lines = ["h,item_id,title", "a,1,x", "a,2,", "a,3,", "b,4,y", "a,5,z", ",6,v", ",7,w"]
    table = read(write(tmp_path / "t.csv", "\n".join(lines)), {}, first_row_of="h")
    assert table.frame["item_id"].to_list() == ["1", "4", "5", "6", "7"]
    assert table.rejects == []
    assert table.notes == [
        "2 rows go on with the row before them, by the column 'h', and are not read"
    ]


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ({"encoding": "ansi"}, "'ansi' is no encoding that Python knows; usual ones are utf-8"),
        ({"encoding": "hex"}, "'hex' is no encoding"),
        ({"separator": ";;"}, "at most 1 character"),
        ({"decimal": ",", "thousands": ","}, r"cannot stand both .* Set `decimal: '.'`"),
        ({"times": "dd.mm.yyyy"}, "does not say how times are written. Give one of iso, s, ms, us"),
        ({"times": "%H:%M"}, "with year, month and day such as `%d.%m.%Y %H:%M`"),
        ({"flags": {"ja": "vielleicht"}}, "valid boolean"),
        ({"separater": ";"}, "not permitted"),
    ],
)
def test_a_dialect_that_cannot_be_is_refused(dialect, told):
    with pytest.raises(ValidationError, match=told):
        TableSource.model_validate({"file": "t.csv", "dialect": dialect})


def test_what_is_read_depends_on_it_and_so_does_the_hash(tmp_path):
    path = write(tmp_path / "t.csv", "item_id,title\n1,x\n")
    plain = DataConfig.model_validate({"items": {"file": path}})
    other = {"file": path, "dialect": {"thousands": ","}}
    assert plain.content() != DataConfig.model_validate({"items": other}).content()
