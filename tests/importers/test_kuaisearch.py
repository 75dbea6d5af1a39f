import json
import random

import polars as pl
import pytest
from imported import Import, as_jsonl, cut, write

from genrecall.data.tables import ITEMS, SEARCH_LOG, USERS
from genrecall.foundation.errors import DataError
from genrecall.importers import ndjson


def item(item_id=1, title="台灯", brand="Lumen", levels=("家居", "灯具", "台灯"), **more):
    row = {"item_id": item_id, "item_title": title, "brand_id": 4, "brand_name": brand}
    row |= {"seller_id": 9, "seller_name": "灯饰 | 小店"}
    for level, name in enumerate(levels, start=1):
        row |= {f"category_level{level}_id": level, f"category_level{level}_name": name}
    return row | more


def search(session=1, time=500, user=7, query="台灯 护眼", shown=(3, 1, 2), **more):
    return {
        "user_id": user,
        "session_id": session,
        "impressed_item_ids": list(shown),
        "clicked_item_ids": [1],
        "purchased_item_ids": [],
        "time_index": time,
        "query": query,
        "split": "train",
    } | more


def user(user_id=7, gender="F", age="24-30", **more):
    places = {"fre_country": "中国", "fre_province": "江苏", "fre_city": "UNKNOWN"}
    return {"user_id": user_id, "gender": gender, "age_bucket": age} | places | more


@pytest.fixture
def folder(tmp_path):
    """Write the data set's tables; those not given hold a row."""

    def write_files(ending="", **tables):
        rows = {"items": [item()], "recall": [search()], "users": [user()]} | tables
        for name, content in rows.items():
            text = content if isinstance(content, bytes) else as_jsonl(*content)
            write(tmp_path / f"data/{name}.jsonl{ending}", text)
        write(tmp_path / "data/rank.jsonl", "not read")
        write(tmp_path / "data/relevance.jsonl", "not read")
        return tmp_path / "data"

    return write_files


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_three_tables(folder, ending):
    done = Import("kuaisearch", folder(ending))
    assert done.table("items") == [
        {
            "item_id": "1",
            "title": "台灯",
            "category": ["家居", "灯具", "台灯"],
            "brand": "Lumen",
            "attributes": [{"key": "seller", "value": ["灯饰 | 小店"]}],
        }
    ]
    assert done.table("searches") == [
        {
            "search_id": "1-500",
            "timestamp": 500,
            "user_id": "7",
            "query": "台灯 护眼",
            "impressions": ["3", "1", "2"],
            "clicks": ["1"],
            "purchases": [],
        }
    ]
    assert done.table("users") == [
        {
            "user_id": "7",
            "gender": "female",
            "age_band": "24-30",
            "attributes": [
                {"key": "country", "value": ["中国"]},
                {"key": "province", "value": ["江苏"]},
            ],
        }
    ]
    assert done.rejects == []
    for name, columns in {"items": ITEMS, "searches": SEARCH_LOG, "users": USERS}.items():
        path = done.done.folder / f"{name}.parquet"
        assert pl.read_parquet_schema(path) == pl.Schema(columns)


def test_unknown_levels_end_the_path_and_unknown_brands_are_none(folder):
    items = [
        item(1, levels=("家居", "灯具", "UNKNOWN")),
        item(2, levels=("家居", "UNKNOWN", "台灯"), brand="UNKNOWN"),
        item(3, levels=("UNKNOWN",) * 3, brand="无品牌"),
        item(4, levels=("家居", None, None), brand="其他/other"),
        item(5, levels=("数码 > 灯", "灯", "灯"), brand=None, seller_name=None),
    ]
    rows = Import("kuaisearch", folder(items=items)).table("items")
    paths = [["家居", "灯具"], ["家居"], None, ["家居"], ["数码 > 灯", "灯", "灯"]]
    assert [row["category"] for row in rows] == paths
    assert [row["brand"] for row in rows] == ["Lumen", None, None, None, None]
    assert rows[4]["attributes"] is None


def test_the_searches_of_a_session_are_told_apart(folder):
    searches = [search(1, 500), search(1, 501, query="灯"), search(2, 500, purchased_item_ids=[2])]
    rows = Import("kuaisearch", folder(recall=searches)).table("searches")
    assert [row["search_id"] for row in rows] == ["1-500", "1-501", "2-500"]
    assert [row["purchases"] for row in rows] == [[], [], ["2"]]


def test_what_is_not_as_published_is_read_where_it_can_be_and_else_rejected(folder):
    searches = [
        search(1, impressed_item_ids=["3", 1]),
        search(2, clicked_item_ids="1"),
        search(3, clicked_item_ids={"item": 1}),
        search(4, query=None),
        search(5, user=None, purchased_item_ids=None),
        search(6, time="soon"),
    ]
    done = Import("kuaisearch", folder(recall=searches))
    rows = done.table("searches")
    assert [row["search_id"] for row in rows] == ["1-500", "2-500", "5-500"]
    assert rows[0]["impressions"] == ["3", "1"]
    assert rows[1]["clicks"] == ["1"]
    assert rows[2]["user_id"] is rows[2]["purchases"] is None
    assert sorted(done.rejects) == [
        ("recall.jsonl", 3, "clicks is not a list"),
        ("recall.jsonl", 4, "query is missing"),
        ("recall.jsonl", 6, "timestamp is neither a whole number nor an ISO 8601 time"),
    ]
    raws = {row["line"]: row["raw"] for row in done.reject_rows}
    assert json.loads(raws[3]) == searches[2]


def test_a_value_that_is_no_text_costs_only_its_row(folder):
    users = [user("7a"), user(8, gender=["F"]), user(9, age={"from": 24})]
    done = Import("kuaisearch", folder(users=users))
    assert [row["user_id"] for row in done.table("users")] == ["7a"]
    assert done.rejects == [
        ("users.jsonl", 2, "gender is neither text nor a whole number"),
        ("users.jsonl", 3, "age_band is neither text nor a whole number"),
    ]


def test_an_item_that_stands_twice_is_kept_once(folder):
    done = Import("kuaisearch", folder(items=[item(1), item(2), item(1, "灯")]))
    assert [row["title"] for row in done.table("items")] == ["台灯", "台灯"]
    assert done.rejects == [("items.jsonl", 3, "item_id occurs twice")]


@pytest.mark.parametrize("table", ["items", "recall", "users"])
def test_broken_lines_cost_no_others(folder, table, monkeypatch):
    monkeypatch.setitem(ndjson.read_json_chunks.__kwdefaults__, "block", 2_000)
    make = {"items": item, "recall": search, "users": user}[table]
    lines = [json.dumps(make(n)).encode() for n in range(200)]
    lines[50], lines[120], lines[121] = b"{", b'{"query": "\xe9"}', b"[]"
    done = Import("kuaisearch", folder(**{table: b"\n".join(lines)}))
    assert done.done.rows["searches" if table == "recall" else table] == 197
    assert done.rejects == [
        (f"{table}.jsonl", 51, "line is not JSON"),
        (f"{table}.jsonl", 121, "line is not UTF-8"),
        (f"{table}.jsonl", 122, "line is not a JSON object"),
    ]


def test_a_file_that_breaks_off_gives_what_is_before(folder):
    rng = random.Random(0)
    searches = [search(n, query=rng.randbytes(20).hex()) for n in range(300)]
    source = folder(".gz", recall=searches)
    cut(source / "recall.jsonl.gz")
    done = Import("kuaisearch", source)
    count = done.done.rows["searches"]
    assert 100 < count < 200
    assert done.rejects == [("recall.jsonl.gz", count + 1, "file breaks off here")]


@pytest.mark.parametrize("name", ["items", "recall", "users"])
def test_a_missing_file_is_named(folder, name):
    source = folder()
    (source / f"{name}.jsonl").unlink()
    with pytest.raises(DataError, match=rf"has no {name}\.jsonl; it holds .*rank\.jsonl.*Expected"):
        Import("kuaisearch", source)


def test_a_missing_column_is_named(folder):
    row = search()
    del row["clicked_item_ids"]
    with pytest.raises(DataError, match=r"recall\.jsonl has no column clicked_item_ids; it has"):
        Import("kuaisearch", folder(recall=[row]))
    row = item()
    del row["brand_name"], row["seller_name"]
    assert "brand" not in Import("kuaisearch", folder(items=[row])).table("items")[0]


def test_a_file_in_another_encoding(folder):
    text = as_jsonl(*[search(n, query=f"灯{n}") for n in range(3)]).encode("gb18030")
    with pytest.raises(DataError, match=r"(?s)gives no row of searches.*line 1: line is not UTF-8"):
        Import("kuaisearch", folder(recall=text))
