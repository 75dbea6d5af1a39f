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
        ({"item_id": [" B&amp;W ", "7 "]}, '{"item_id": ["7", "B&amp;W"]}'),
        ({"item_id": {"not": " 7"}}, '{"item_id": {"not": "7"}}'),
        ({"Gr&ouml;&szlig;e": "M", " ": "x"}, '{"Größe": "M"}'),
    ],
)  # fmt: skip
def test_every_way_to_write_them_is_read(given, kept):
    assert FilterCells().cell(given) == kept


@pytest.mark.parametrize(
    "given", [{}, "", " ; ", "{}", "[]", "null", [], {"brand": None, "price": {}}]
)
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


def read(folder, *filters, max_rejects=1.0, items=ITEMS, **columns):
    """Kept filters and rejects of searches with these cells, over `items`, and one without."""
    table = TableSource(file=write(folder / "items.jsonl", items), columns=columns)
    catalog = Catalog(read_table(table, ITEMS_SCHEMA, max_rejects=0).frame)
    rows = [{"query": "saw", "filters": cell} for cell in (*filters, None)]
    source = TableSource(file=write(folder / "searches.jsonl", rows))
    return read_table(
        source, SEARCHES_SCHEMA, max_rejects=max_rejects, catalog=catalog, items=table
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
        (2, "filters cannot be used: unknown field 'colour'"),
        (3, "filters cannot be used: unfit condition on 'price'"),
        (4, "filters cannot be used: unfit condition on 'price'"),
        (5, "filters cannot be used: unfit condition on 'brand'"),
        (6, "filters cannot be used: not a field, one of = != >= > <= <, and a value"),
    ]  # fmt: skip
    assert done.rejects[2].given == "{'price': 'dear'}"
    assert done.notes == [
        "filters cannot be used: unfit condition on 'price', such as {'price': 'cheap'}; filter on "
        "'price': 'cheap' is not a number",
        "filters cannot be used: unknown field 'colour', such as {'colour': 'red'}; unknown filter "
        "field 'colour'; known: available, brand, category, color, group_id, item_id, price, "
        "score, updated_at. Did you mean 'color'?",
        "filters cannot be used: unfit condition on 'brand', such as {'brand': {'lte': 5}}; filter "
        "on 'brand': bounds (lte) are for numbers, which are price, score, updated_at and "
        "attributes of numbers; give values instead",
        "filters cannot be used: not a field, one of = != >= > <= <, and a value, such as 'price'; "
        "write it like 'price<=50' or 'category=Tools > Drills'",
        "correct such filters, or set `filters: null` under `columns` to read these searches "
        "without",
    ]


def test_cells_of_one_cause_and_several_forms_are_shown_by_up_to_three_of_them(tmp_path):
    cells = ["colour:red", "size:L", "red", "red and blue", "a", "cheap: yes"]
    note = read(tmp_path, *cells).notes[0]
    assert "such as 'colour:red', 'red', 'red and blue'; write it like" in note


def test_a_field_that_no_item_has_is_none_of_the_catalog(tmp_path):
    items = [{"item_id": "a", "title": "Saw", "brand": " ", "price": 10}]
    done = read(tmp_path, "brand=Acme", "category!=Saws", "price<=50; available=yes", items=items)
    assert [(reject.line, reject.cause) for reject in done.rejects] == [
        (1, "filters cannot be used: no item has any brand"),
        (2, "filters cannot be used: no item has any category"),
    ]
    assert done.notes[0] == (
        "filters cannot be used: no item has any brand, such as 'brand=Acme'; if your items have "
        "it, map `brand` under `columns` of `items`"
    )
    assert done.frame["filters"].to_list() == ['{"available": true, "price": {"lte": 50}}', None]


SHOP_ITEMS = [
    {"item_id": "a", "Name": "Saw", "inStock": True, "Farbe": "red", "size": "L", "Preis": 10},
    {"item_id": "b", "Name": "Lamp", "inStock": False},
]
SHOP_COLUMNS = {
    "title": "Name",
    "available": "inStock",
    "price": "Preis",
    "attributes": {"color": "Farbe"},
}


def test_names_of_the_items_own_columns_are_read_by_their_mapping(tmp_path):
    cells = [{"inStock": True}, "inStock=yes; Farbe=red", "Preis<=50; price>2; color=red"]
    done = read(tmp_path, *cells, items=SHOP_ITEMS, **SHOP_COLUMNS)
    assert done.rejects == []
    assert done.frame["filters"].to_list() == [
        '{"available": true}',
        '{"available": true, "color": "red"}',
        '{"color": "red", "price": {"gt": 2, "lte": 50}}',
        None,
    ]
    assert done.notes == [
        "filters name columns as the items' table does, and are read by its mapping: 'Farbe' as "
        "`color`, 'Preis' as `price`, 'inStock' as `available`"
    ]


def test_a_name_of_the_items_that_is_no_field_is_told_what_it_is(tmp_path):
    cells = [{"size": "L"}, {"Name": "Saw"}, {"inStock": True, "available": True}]
    done = read(tmp_path, *cells, items=SHOP_ITEMS, **SHOP_COLUMNS)
    assert [reject.cause for reject in done.rejects] == [
        "filters cannot be used: unknown field 'size'",
        "filters cannot be used: unknown field 'Name'",
        "filters cannot be used: the field 'available' goes by two names",
    ]
    assert done.notes[1].endswith(
        "such as {'size': 'L'}; it is a column of the items that is not read: add it to "
        "`attributes` under `columns` of `items`"
    )
    assert done.notes[2].endswith("the column is read as `title`, which cannot be filtered by")


def test_a_name_that_means_two_fields_or_another_one_is_not_read_as_one(tmp_path):
    items = [{"item_id": "a", "title": "Saw", "shade": "red", "brand": "b", "color": "red"}]
    columns = {"attributes": {"color": "shade", "tint": "shade", "own": "color"}}
    done = read(tmp_path, "shade=red", "color=red", items=items, **columns)
    assert [reject.cause for reject in done.rejects] == [
        "filters cannot be used: unknown field 'shade'"
    ]
    assert done.notes[0].endswith("the column is read as 'color' and 'tint'; name one of these")
    assert done.frame["filters"].to_list() == ['{"color": "red"}', None]


def test_what_helps_is_told(tmp_path):
    help_ = "correct such filters, or set `filters: null` under `columns` to read these searches"
    with pytest.raises(DataError, match=r"known: available, brand, .*'color'") as refused:
        read(tmp_path, {"colour": "red"}, max_rejects=0.2)
    assert help_ in str(refused.value)
    assert str(refused.value).count("known: available") == 1
    with pytest.raises(DataError, match="filters are neither JSON") as refused:
        read(tmp_path, 7, max_rejects=0.2)
    assert help_ in str(refused.value)


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
    differ = {name for name in parts[0] if parts[0][name] != parts[1][name]}
    assert differ == {"pages", "fields"}


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
