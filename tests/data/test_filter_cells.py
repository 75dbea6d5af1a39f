"""What a log tells that its searches were filtered by: how it is read, kept and refused."""

import datetime
import json
from decimal import Decimal

import polars as pl
import pytest

from genrecall.data.config import DataConfig, TableSource
from genrecall.data.filters.cells import FilterCells
from genrecall.data.load import load_tables
from genrecall.data.stage import run, validate
from genrecall.data.summary import describe
from genrecall.data.tables import SEARCHES, Catalog, Searches
from genrecall.data.validate import ITEMS_SCHEMA, SEARCHES_SCHEMA, read_table
from genrecall.foundation.errors import DataError
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work

ACME = '{"brand": "Acme", "price": {"lte": 50}}'


@pytest.mark.parametrize(
    "given",
    [
        {"price": {"lte": 50}, "brand": "Acme"},
        {"brand": ["Acme", "Acme"], "price": {"lte": 50.0}},
        {"brand": ["Acme", None], "price": {"gte": None, "lte": Decimal(50)}, "color": []},
        {"brand": "Acme", "price": {"lte": 50}, "color": " ", "category": None, "size": {}},
        '{"price": {"lte": 5e1}, "brand": "Acme"}',
        "brand=Acme; price<=50",
        "price <= 50.00 ;; brand = Acme;",
        ["price<=50", "brand=Acme"],
        '["price<=50", "brand=Acme"]',
        "['price<=50' 'brand=Acme']",
        [{"key": "brand", "value": ["Acme"]}, {"key": "price", "value": {"lte": 50}}],
    ],
)
def test_equal_filters_are_equal_text(given):
    assert FilterCells().cell(given) == ACME


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("brand=Bolt; brand=Acme", '{"brand": ["Acme", "Bolt"]}'),
        ({"brand": ["Bolt", "Acme"]}, '{"brand": ["Acme", "Bolt"]}'),
        ("brand!=Acme; price>=2; price<3.5", '{"brand": {"not": "Acme"}, "price": '
         '{"gte": 2, "lt": 3.5}}'),
        ("category=Tools > Drills; available=yes", '{"available": true, "category": '
         '"Tools > Drills"}'),
        ({"brand": "M&uuml;ller"}, '{"brand": "Müller"}'),
        ({"updated_at": {"gte": datetime.date(1970, 1, 2)}}, '{"updated_at": {"gte": 86400}}'),
        ({"width": True}, '{"width": true}'),
    ],
)  # fmt: skip
def test_every_way_to_write_them_is_read(given, kept):
    assert FilterCells().cell(given) == kept


@pytest.mark.parametrize("given", [{}, "", " ; ", "{}", "[]", [], {"brand": None, "price": {}}])
def test_who_filtered_by_nothing_has_no_filters(given):
    assert FilterCells().cell(given) is None


@pytest.mark.parametrize("given", [7, '{"brand": ', "{'brand': 'Acme'}", "[1, 2]", [{"a": 1}]])
def test_what_is_no_filter_is_told_what_is_one(given):
    told = r'are neither JSON such as \{"brand": "Acme", .* nor conditions such as brand=Acme; pri'
    with pytest.raises(ValueError, match=told):
        FilterCells().cell(given)


def test_html_stays_where_the_catalog_keeps_it():
    kept = FilterCells(cleans=False).cell({"brand": "M&uuml;ller"})
    assert kept == '{"brand": "M&uuml;ller"}'


ITEMS = [
    {"item_id": "a", "title": "Saw", "brand": "Acme", "price": 10, "attributes": {"color": "red"}},
    {"item_id": "b", "title": "Lamp", "brand": "Bolt", "price": 60},
]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def read(folder, *filters, max_rejects=1.0):
    """Kept filters and rejects of searches with these cells, over `ITEMS`, and one without."""
    items = read_table(
        TableSource(file=write(folder / "items.jsonl", ITEMS)), ITEMS_SCHEMA, max_rejects=0
    )
    rows = [{"query": "saw", "filters": cell} for cell in (*filters, None)]
    source = TableSource(file=write(folder / "searches.jsonl", rows))
    return read_table(
        source, SEARCHES_SCHEMA, max_rejects=max_rejects, catalog=Catalog(items.frame)
    )


def test_a_search_without_usable_filters_is_rejected_by_name(tmp_path):
    done = read(
        tmp_path,
        {"brand": "acme", "color": "red"},
        {"colour": "red"},
        {"price": "cheap"},
        {"price": "dear"},
        {"brand": {"lte": 5}},
        "price",
    )
    assert done.frame["filters"].to_list() == ['{"brand": "acme", "color": "red"}', None]
    assert [(reject.line, reject.cause) for reject in done.rejects] == [
        (2, "filters cannot be used (the first: unknown filter field 'colour'; known: available, "
            "brand, category, color, group_id, item_id, price, score, updated_at. Did you mean "
            "'color'?)"),
        (3, "filters cannot be used (the first: filter on 'price': 'cheap' is not a number)"),
        (4, "filters cannot be used (the first: filter on 'price': 'cheap' is not a number)"),
        (5, "filters cannot be used (the first: filter on 'brand': bounds (lte) are for numbers, "
            "which are price, score, updated_at and attributes of numbers; give values instead)"),
        (6, "filters cannot be used (the first: 'price' is not a filter; write a field, one of "
            "= != >= > <= <, and a value, such as 'price<=50' or 'category=Tools > Drills')"),
    ]  # fmt: skip
    assert done.rejects[2].given == "{'price': 'dear'}"


def test_what_helps_is_told(tmp_path):
    help_ = "or set `filters: null` under `columns` to read these searches without"
    with pytest.raises(DataError, match=f"cannot be used .*: correct them, {help_}"):
        read(tmp_path, {"colour": "red"}, max_rejects=0.2)
    with pytest.raises(DataError, match=f"filters are neither JSON .*: correct them, {help_}"):
        read(tmp_path, 7, max_rejects=0.2)


def test_structs_of_parquet_tell_what_is_not_null(tmp_path):
    rows = [
        {"brand": ["Acme"], "price": {"gte": None, "lte": 50.0}},
        {"brand": None, "price": {"gte": 2.0, "lte": None}},
        {"brand": [], "price": None},
        None,
    ]
    frame = pl.DataFrame({"query": ["saw"] * 4, "filters": rows})
    assert isinstance(frame.schema["filters"], pl.Struct)
    frame.write_parquet(tmp_path / "searches.parquet")
    source = TableSource(file=tmp_path / "searches.parquet")
    done = read_table(source, SEARCHES_SCHEMA, max_rejects=0)
    assert done.frame["filters"].to_list() == [ACME, '{"price": {"gte": 2}}', None, None]


def shop(folder, *filters):
    searches = [
        {"query": f"saw {n}", "clicks": ["a", "b"], "filters": cell}
        for n, cell in enumerate(filters)
    ]
    tables = {"items": ITEMS, "searches": searches}
    return DataConfig.model_validate(
        {name: {"file": write(folder / f"{name}.jsonl", rows)} for name, rows in tables.items()}
    )


def made(folder, *filters):
    config = shop(folder, *filters)
    return run(config, Work(folder / "data", inputs="", seed=0, log=SilentLog()))


def test_the_stage_keeps_them_with_the_searches(tmp_path):
    done = made(tmp_path, "brand=Acme", None, {"brand": ["Acme"]})
    searches = load_tables(done)[1]
    assert searches.frame["filters"].to_list() == ['{"brand": "Acme"}', None, '{"brand": "Acme"}']
    assert searches.filters == [{"brand": "Acme"}, None, {"brand": "Acme"}]
    assert searches.filters[0] is searches.filters[2]


def test_a_log_without_filters_is_kept_as_before_there_were_any(tmp_path):
    done = made(tmp_path, None, "", [])
    assert "filters" not in pl.read_parquet_schema(done.file("searches.parquet"))
    assert "filters" not in done.read_json("summary.json")
    searches = load_tables(done)[1]
    assert searches.frame.schema == pl.Schema(SEARCHES)
    assert searches.filters == [None] * 3


def test_what_the_supervised_stages_read_does_not_depend_on_them(tmp_path):
    """Alignment does: it rolls searches out under their filters."""
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    parts = [
        made(tmp_path / name, *filters).meta["parts"]
        for name, filters in (("with", ["brand=Acme"] * 9), ("without", [None] * 9))
    ]
    assert {name for name in parts[0] if parts[0][name] != parts[1][name]} == {"pages"}


def test_validate_says_how_many_are_filtered_and_by_what(tmp_path):
    told = shop(tmp_path, "brand=Acme", "brand=Acme; color=red", "price<99", None, "color=red")
    summary = validate(told)
    assert summary["filters"] == {
        "searches": 4,
        "of": 5,
        "fields": {"brand": 2, "color": 2, "price": 1},
        "filtered_out": 3,
        "positives": 8,
    }
    lines = describe(summary)
    assert "  filtered: 4 of 5 searches, by brand (2), color (2), price (1)" in lines
    assert (
        "  filtered out: 3 of the 8 relevant items of these do not pass their filters today; no "
        "channel answers with them"
    ) in lines


def test_searches_of_an_older_run_have_no_filters():
    frame = pl.DataFrame(schema=SEARCHES).drop("filters")
    assert Searches(frame).completed().frame.schema == pl.Schema(SEARCHES)
