"""The shops in other languages, and what is measured of them."""

import json

import polars as pl

from benchmarks.languages import chinese, german
from benchmarks.languages.__main__ import measure
from genrecall.bundle import open_bundle
from genrecall.data.load import load_shop


def test_nobody_uses_a_new_word_before_its_time(tmp_path):
    german.write_shop(tmp_path)
    searches = pl.read_parquet(tmp_path / "searches.parquet").sort("timestamp")
    new = german.new_words()
    has_new = [bool(new.intersection(query.split())) for query in searches["query"]]
    first = has_new.index(True)
    assert first >= german.NEW_FROM * german.SEARCHES
    assert sum(has_new) > 0.3 * (german.SEARCHES - first)


def test_no_title_has_a_word_that_shoppers_use_for_it(tmp_path):
    german.write_shop(tmp_path)
    titles = " ".join(pl.read_parquet(tmp_path / "items.parquet")["title"]).lower().split()
    words = {word.lower() for kind in german.kinds() for word in (kind.word, kind.new)}
    assert not words & set(titles)


def test_the_same_call_writes_the_same_german_shop(tmp_path):
    for name in ("one", "two"):
        german.write_shop(tmp_path / name)
    for file in ("items.parquet", "searches.parquet"):
        one, two = ((tmp_path / name / file).read_bytes() for name in ("one", "two"))
        assert one == two


def test_clicked_items_are_of_what_was_asked_for(tmp_path):
    german.write_shop(tmp_path)
    items = pl.read_parquet(tmp_path / "items.parquet")
    title = dict(zip(items["item_id"], items["title"], strict=True))
    of_word = {
        word.lower(): kind.noun
        for kind in german.kinds()
        for word in (kind.noun, kind.plural, kind.word, kind.new)
    }
    searches = pl.read_parquet(tmp_path / "searches.parquet")
    for query, clicks in zip(searches["query"], searches["clicks"], strict=True):
        noun = of_word.get(query.split()[0])
        assert noun is None or all(f" {noun} " in title[item] for item in clicks)


def test_judged_titles_are_products(tmp_path):
    (tmp_path / "items.jsonl").write_text(
        json.dumps(
            {"item_id": 7, "item_title": "貂皮大衣", "brand_name": "金粟兰",
             "category_level1_name": "女装", "category_level2_name": "皮草",
             "category_level3_name": "UNKNOWN"}
        )
    )  # fmt: skip
    judged = {"query": "半身裙", "item_title": "开衩半裙", "brand": "无品牌", "score": 2}
    (tmp_path / "relevance.jsonl").write_text(json.dumps(judged))
    chinese.write_shop(tmp_path, tmp_path / "shop")
    assert pl.read_parquet(tmp_path / "shop/items.parquet").rows() == [
        ("7", "貂皮大衣", "金粟兰", ["女装", "皮草"]),
        ("judged-0", "开衩半裙", None, None),
    ]
    judgments = pl.read_parquet(tmp_path / "shop/judgments.parquet")
    assert judgments.rows() == [("半身裙", "judged-0", 2.0)]


def test_every_channel_is_measured_on_all_searches_of_a_shop_without_new_words(shop_run):
    found = measure(open_bundle(shop_run.bundle), load_shop(shop_run.open_stage("data")))
    assert list(found) == ["all"]
    assert found["all"]["searches"] > 0
    assert {"bm25", "dense", "generative"} <= found["all"].keys()
    assert 0 <= found["all"]["dense"]["recall@10"]["value"] <= 1
