import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.data import validate
from genrecall.data.config import TableSource
from genrecall.data.tables import ITEMS
from genrecall.foundation.errors import ConfigError, DataError
from genrecall.text.clean import clean


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def read(file, schema=validate.ITEMS_SCHEMA, max_rejects=1.0, **columns):
    source = TableSource(file=file, columns=columns)
    return validate.read_table(source, schema, max_rejects=max_rejects)


def test_foreign_columns_are_mapped_and_others_ignored(tmp_path):
    path = write_jsonl(
        tmp_path / "products.jsonl",
        [
            {"uid": 7, "title": "Oak chair", "type": ["chair", None], "color": ["brown", "oak"],
             "material": "wood", "brand": "", "price": "19.5", "shelf": 3, "score": "high"},
            {"uid": "8", "title": "Lamp", "type": [None, None], "color": [], "brand": None},
        ],
    )  # fmt: skip
    frame = read(
        path, item_id="uid", category="type", score=None,
        attributes={"color": "color", "material": "material"},
    ).frame  # fmt: skip
    assert frame.schema == pl.Schema(ITEMS)
    chair, lamp = frame.to_dicts()
    assert chair["item_id"] == "7"
    assert chair["category"] == ["chair"]
    assert chair["price"] == 19.5
    assert chair["score"] is None
    assert chair["attributes"] == [
        {"key": "color", "value": ["brown", "oak"]},
        {"key": "material", "value": ["wood"]},
    ]
    assert (chair["brand"], lamp["brand"]) == ("", None)
    assert lamp["category"] is None
    assert lamp["attributes"] is None


def test_every_bad_row_is_named_and_every_good_one_kept(tmp_path):
    rows = [
        {"item_id": 1, "title": "chair"},
        {"item_id": None, "title": "table"},
        {"item_id": 3, "title": "  "},
        {"item_id": 4, "title": "sofa", "price": "cheap"},
        {"item_id": 5, "title": "bed", "score": -0.5},
        {"item_id": 1, "title": "stool"},
        {"item_id": 7, "title": 3.5},
        {"item_id": 8, "title": "desk", "attributes": {"size": {"eu": 40}}},
        {"item_id": 4, "title": "sofa again: the first could not be used"},
        {"item_id": 9, "title": "bench", "price": -1},
    ]
    table = read(write_jsonl(tmp_path / "items.jsonl", rows))
    assert table.frame["item_id"].to_list() == ["1", "4"]
    assert table.rows == 10
    assert [(r.line, r.cause, r.given) for r in table.rejects] == [
        (2, "item_id is missing", ""),
        (3, "title is empty", ""),
        (4, "price is not a number", "'cheap'"),
        (5, "score is negative", "-0.5"),
        (6, "item_id occurs twice", "'1'"),
        (7, "title is neither text nor a whole number", "3.5"),
        (8, "attributes is neither text nor a whole number", "{'size': {'eu': 40}}"),
        (10, "price is negative", "-1.0"),
    ]
    assert json.loads(table.rejects[2].raw) == rows[3]


def test_an_attribute_that_cannot_be_read_is_named(tmp_path):
    path = write_jsonl(tmp_path / "items.jsonl", [{"item_id": 1, "title": "x", "c": {"red": 1}}])
    with pytest.raises(DataError, match=r"line 1: attribute color is neither text nor"):
        read(path, attributes={"color": "c"}, max_rejects=0.0)


def test_too_many_rejects_show_the_first_causes(tmp_path):
    rows = [{"item_id": n, "title": "x", "price": "?" if n < 3 else 1} for n in range(8)]
    rows += [{"item_id": 0, "title": ""}, {"item_id": 3, "title": "x"}, {"title": "x"}]
    path = write_jsonl(tmp_path / "items.jsonl", rows)
    with pytest.raises(DataError) as caught:
        read(path, max_rejects=0.5)
    message = str(caught.value)
    assert "6 of 11 rows of `items` cannot be used; max_rejects allows 50%" in message
    assert "line 1: price is not a number: '?'  (3 such rows)" in message
    assert "line 9: title is empty  (1 such rows)" in message
    assert "line 10: item_id occurs twice: '3'" in message
    assert "line 11" not in message
    assert message.endswith("raise `max_rejects`.")
    assert read(path, max_rejects=0.6).frame.height == 5


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title\n")
    with pytest.raises(DataError, match=r"no usable row of `items` \(0 rows in all\)"):
        read(tmp_path / "items.csv")
    (tmp_path / "items.jsonl").write_text("")
    with pytest.raises(DataError, match=r"no usable row of `items` \(0 rows in all\)"):
        read(tmp_path / "items.jsonl")
    (tmp_path / "broken.jsonl").write_text("[1\n")
    with pytest.raises(DataError, match=r"1 of 1 rows.*\n  line 1: line is not JSON"):
        read(tmp_path / "broken.jsonl", max_rejects=0.2)
    (tmp_path / "users.jsonl").write_text('{"user_id": ""}\n')
    with pytest.raises(DataError, match=r"\(1 rows in all\).*or leave `users` out"):
        read(tmp_path / "users.jsonl", validate.USERS_SCHEMA)


def test_unknown_names_in_a_mapping(tmp_path):
    path = write_jsonl(tmp_path / "items.jsonl", [{"item_id": 1, "name": "chair"}])
    with pytest.raises(ConfigError, match=r"unknown column of `items` 'titel'.*mean 'title'"):
        read(path, titel="name")
    with pytest.raises(DataError, match=r"unknown column of .* 'nam'; known: item_id, name"):
        read(path, title="nam")
    with pytest.raises(DataError, match=r"unknown column of .* 'title'.*`columns: {title:"):
        read(path)
    with pytest.raises(DataError, match=r"unknown column of .* 'colour'"):
        read(path, title="name", attributes={"color": "colour"})
    with pytest.raises(ConfigError, match=r"column 'title' of `items` is needed"):
        read(path, title=None)


def test_a_search_without_an_id_is_numbered_by_its_line(tmp_path):
    rows = [
        {"query": "lamp", "clicks": "1|2"},
        {"query": "", "clicks": "1"},
        {"search_id": "s3", "query": "chair", "purchases": [3]},
        {"search_id": "line1", "query": "sofa"},
    ]
    table = read(write_jsonl(tmp_path / "log.jsonl", rows), validate.SEARCHES_SCHEMA)
    assert table.frame["search_id"].to_list() == ["line1", "s3"]
    assert table.frame["clicks"].to_list() == [["1", "2"], None]
    assert [(r.line, r.cause) for r in table.rejects] == [
        (2, "query is empty"),
        (4, "search_id occurs twice"),
    ]


def test_a_log_that_is_split_by_time_needs_times(tmp_path):
    rows = [{"query": "lamp", "timestamp": "2024-05-01T10:00:00Z"}, {"query": "chair"}]
    path = write_jsonl(tmp_path / "log.jsonl", rows)
    assert read(path, validate.SEARCHES_SCHEMA).rejects == []
    table = read(path, validate.TIMED_SEARCHES_SCHEMA)
    assert [reject.cause for reject in table.rejects] == ["timestamp is missing"]
    assert table.frame["timestamp"].to_list() == [1_714_557_600]


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")  # NUL is damage
texts = (
    st.text(characters, min_size=1, max_size=6)
    .filter(str.strip)
    .filter(lambda text: clean(text) == text)
)
ids = texts.map(str.strip)
items = st.fixed_dictionaries(
    {
        "item_id": ids,
        "title": texts,
        "category": st.none() | st.lists(texts.map(str.strip), min_size=1, max_size=3),
        "brand": st.none() | st.just("") | texts,
        "attributes": st.none()
        | st.lists(
            st.fixed_dictionaries({"key": texts, "value": st.lists(texts, min_size=1)}),
            min_size=1,
            max_size=2,
            unique_by=lambda entry: entry["key"],
        ).map(lambda entries: sorted(entries, key=lambda entry: entry["key"])),
        "price": st.none() | st.floats(0, 1e9),
        "score": st.none() | st.floats(0, 1e9),
        "available": st.none() | st.booleans(),
        "group_id": st.none() | ids,
        "updated_at": st.none() | st.integers(631_152_000, 4_102_444_799),
    }
)


@settings(deadline=None)
@given(st.lists(items, min_size=1, max_size=5, unique_by=lambda item: item["item_id"]))
def test_a_valid_catalog_survives_every_format(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("formats")
    frame = pl.DataFrame(rows, schema=ITEMS)
    frame.write_parquet(folder / "items.parquet")
    write_jsonl(folder / "items.jsonl", rows)
    nested = [pl.col("category"), pl.col("attributes")]
    as_text = [
        column.map_elements(lambda value: json.dumps(value.to_list()), return_dtype=pl.String)
        for column in nested
    ]
    flat = frame.with_columns(as_text)
    paths = [row["category"] for row in rows]
    written = [path and " > ".join(name.replace(">", r"\>") for name in path) for path in paths]
    if not any(name.endswith("\\") for path in paths if path for name in path):
        flat = flat.with_columns(pl.Series("category", written, dtype=pl.String))
        flat.write_csv(folder / "items.csv", quote_style="non_numeric")
        assert read(folder / "items.csv").frame.equals(frame)
    assert read(folder / "items.parquet").frame.equals(frame)
    assert read(folder / "items.jsonl").frame.equals(frame)
