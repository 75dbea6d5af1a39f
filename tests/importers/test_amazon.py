import json
from itertools import pairwise

import pytest
from imported import Import, as_jsonl, as_literals, cut, write

from genrecall.foundation.errors import DataError
from genrecall.importers.amazon import category_query, parse_loose

META_2014 = [
    {
        "asin": "B1",
        "title": "Rose &amp; Lily Soap, 3\" 'Mini'",
        "price": 4.5,
        "brand": "Petal",
        "categories": [["Beauty", "Bath &amp; Body", "Soap"], ["Gifts"]],
        "salesRank": {"Beauty": 12},
    },
    {"asin": "B2", "title": "Comb \\d", "categories": [["Beauty", "Hair Care"]], "price": None},
    {"asin": "B3", "title": "Mystery Box", "categories": [[]], "brand": ""},
    {"asin": "B4", "categories": [["Beauty"]]},
    {"asin": "B1", "title": "Rose Soap again", "categories": [["Beauty"]]},
]


def review(user, asin, time):
    return {
        "reviewerID": user,
        "asin": asin,
        "reviewerName": "A person",
        "reviewText": "Fine.",
        "overall": 5.0,
        "unixReviewTime": time,
    }


REVIEWS = [
    review("U1", "B2", 300),
    review("U2", "B1", 200),
    review("U1", "B1", 100),
    review("U1", "B3", 50),
    review("U2", "B1", 200),
    review("U2", "B9", 400),
]


@pytest.fixture
def source(tmp_path):
    """Two files of 2014 as they are published, with a few rows."""
    write(tmp_path / "beauty/meta_Beauty.json.gz", as_literals(*META_2014))
    write(tmp_path / "beauty/reviews_Beauty_5.json.gz", as_jsonl(*REVIEWS))
    return tmp_path / "beauty"


def test_the_products_of_2014(source):
    imported = Import("amazon", source)
    assert imported.table("items") == [
        {
            "item_id": "B1",
            "title": "Rose & Lily Soap, 3\" 'Mini'",
            "category": ["Beauty", "Bath & Body", "Soap"],
            "brand": "Petal",
            "price": 4.5,
        },
        {
            "item_id": "B2",
            "title": "Comb \\d",
            "category": ["Beauty", "Hair Care"],
            "brand": None,
            "price": None,
        },
        {
            "item_id": "B3",
            "title": "Mystery Box",
            "category": None,
            "brand": None,
            "price": None,
        },
    ]
    assert imported.rejects == [
        ("meta_Beauty.json.gz", 4, "title is missing"),
        ("meta_Beauty.json.gz", 5, "item_id occurs twice"),
    ]


def test_purchases_become_category_path_queries_in_time_order(source):
    imported = Import("amazon", source)
    searches = imported.table("searches")
    histories = {
        user: [
            (row["timestamp"], row["query"], row["purchases"])
            for row in searches
            if row["user_id"] == user
        ]
        for user in ("U1", "U2")
    }
    assert histories == {
        "U1": [(100, "beauty bath body", ["B1"]), (300, "beauty hair care", ["B2"])],
        "U2": [(200, "beauty bath body", ["B1"])],
    }
    assert sorted(row["search_id"] for row in searches) == ["s0", "s1", "s2"]
    assert sorted(row["user_id"] for row in imported.table("users")) == ["U1", "U2"]
    assert imported.notes == [
        "1 reviews occur twice and count once",
        "2 reviews are of products without a title or a category; no query can be derived for them",
        "the queries are category-path queries, derived from the first two levels of each bought "
        "product's category; call them so, and never real ones",
    ]


def test_shoppers_keep_together_over_many_buckets(tmp_path, monkeypatch):
    monkeypatch.setattr("genrecall.importers.amazon.bucket_count", lambda _: 7)
    source = tmp_path / "beauty"
    reviews = [review(f"U{n % 40}", "B1", 10_000 - n) for n in range(400)]
    write(source / "meta_Beauty.json", as_literals(*META_2014))
    write(source / "reviews_Beauty.json", as_jsonl(*reviews))
    imported = Import("amazon", source)
    searches = imported.table("searches")
    assert len({row["search_id"] for row in searches}) == 400
    users = [row["user_id"] for row in searches]
    assert len(imported.table("users")) == 40
    assert sum(left != right for left, right in pairwise(users)) == 39
    times = [row["timestamp"] for row in searches if row["user_id"] == "U3"]
    assert times == sorted(times)
    assert len(times) == 10
    assert [path.name for path in imported.done.folder.iterdir() if path.name[0] == "."] == []


def test_the_products_of_2018(tmp_path):
    source = tmp_path / "fashion"
    kites = ["Toys &amp; Games", "Kites", "</span></span></span>", "Flies high"]
    page = "<script>var aPageStart = (new Date()).getTime();</script>"
    meta = [
        {
            "asin": "K1",
            "title": "<b>Box</b>\n Kite",
            "brand": "  Breeze\n Works ",
            "price": "$1,012.99",
            "category": kites,
            "feature": ["Flies high"],
        },
        {
            "asin": "K2",
            "title": "Delta Kite",
            "brand": "",
            "price": ".a-section { margin: 0 }",
            "category": ["Toys & Games", "Kites", "2 m wide"],
            "feature": ["2 m wide"],
        },
        {"asin": "K3", "title": page, "category": []},
        {"asin": "K4", "title": "Reel", "price": "$3.00 - $9.00", "category": [], "feature": []},
        {"asin": "K5", "title": 5.5, "category": []},
    ]
    write(source / "meta_Toys_and_Games.json.gz", as_jsonl(*meta))
    write(source / "Toys_and_Games_5.json.gz", as_jsonl(review("U1", "K2", 7)))
    imported = Import("amazon", source)
    items = imported.table("items")
    assert [item["item_id"] for item in items] == ["K1", "K2", "K4"]
    assert [item["title"] for item in items] == ["Box Kite", "Delta Kite", "Reel"]
    assert [item["brand"] for item in items] == ["Breeze Works", None, None]
    assert [item["price"] for item in items] == [1012.99, None, None]
    assert [item["category"] for item in items] == [["Toys & Games", "Kites"]] * 2 + [None]
    assert [row["query"] for row in imported.table("searches")] == ["toys games kites"]
    assert imported.rejects == [
        ("meta_Toys_and_Games.json.gz", 3, "title is the source of a web page"),
        ("meta_Toys_and_Games.json.gz", 5, "title is neither text nor a whole number"),
    ]


def test_products_without_categories_come_without_searches(tmp_path):
    write(tmp_path / "all/meta_All_Beauty.json.gz", as_jsonl({"asin": "B1", "title": "Soap"}))
    write(tmp_path / "all/All_Beauty_5.json.gz", as_jsonl(review("U1", "B1", 7)))
    imported = Import("amazon", tmp_path / "all")
    assert imported.done.rows == {"items": 1}
    assert "1 reviews are of products without a title or a category" in imported.notes[0]


def test_several_categories_together(source):
    write(source / "meta_Toys.json", as_literals({"asin": "T1", "title": "Top"}))
    write(source / "reviews_Toys.json", as_jsonl(review("U1", "T1", 1)))
    write(source / "notes.txt", "mine")
    write(source / "reviews_Books_5.json", as_jsonl(review("U1", "T1", 1)))
    imported = Import("amazon", source)
    assert imported.done.rows == {"items": 4, "users": 2, "searches": 3}
    assert imported.notes[0] == (
        "reviews_Books_5.json is not read, since there is no meta_Books.json.gz"
    )


def test_all_and_frequent_reviews_of_one_category_are_not_mixed(source):
    write(source / "reviews_Beauty.json.gz", as_jsonl(*REVIEWS))
    with pytest.raises(DataError) as refused:
        Import("amazon", source)
    assert str(refused.value) == (
        f"{source} holds reviews_Beauty.json.gz and reviews_Beauty_5.json.gz, which tell of the "
        "same category. Leave one of them there."
    )


def test_corrupt_lines_are_named(source):
    lines = [
        b"{'asin': 'C1', 'title': 'Half",
        b"{'asin': 'C2', 'title': __import__('os').getcwd()}",
        b"{'asin': 'C3', 'title': 'Caf\xe9'}",
        b"['asin', 'C4']",
        b"{'asin': 'C5', 'title': 'Brush', 'price': 'cheap'}",
        b"{'asin': 'C6', 'title': 'Brush', 'price': -1}",
        b"{'asin': 'C7', 7: 'seven'}",
        b"{'asin': 'C8', 'title': 'Half \\ud83d'}",
        b"{'asin': 'C9', 'title': u'Caf\\xe9 \\u00bd'}",
    ]
    write(source / "meta_Beauty.json.gz", b"\n".join([as_literals(META_2014[0]).encode(), *lines]))
    write(
        source / "reviews_Beauty_5.json.gz",
        as_jsonl(review("U1", "B1", 7), review(None, "B1", 8), review("U1", "B1", "now"))
        + '{"reviewerID": "U1", "asin": "B',
    )
    imported = Import("amazon", source)
    items = {item["item_id"]: item for item in imported.table("items")}
    assert sorted(items) == ["B1", "C5", "C9"]
    assert items["C5"]["price"] is None
    assert items["C9"]["title"] == "Café ½"
    literal = "line is not JSON or a Python literal"
    assert sorted(imported.rejects) == [
        ("meta_Beauty.json.gz", 3, literal),
        ("meta_Beauty.json.gz", 4, literal),
        ("meta_Beauty.json.gz", 5, "line is not UTF-8"),
        ("meta_Beauty.json.gz", 6, literal),
        ("meta_Beauty.json.gz", 8, "price is negative"),
        ("meta_Beauty.json.gz", 9, literal),
        ("meta_Beauty.json.gz", 10, literal),
        ("reviews_Beauty_5.json.gz", 2, "user_id is missing"),
        ("reviews_Beauty_5.json.gz", 3, "timestamp is neither a whole number nor an ISO 8601 time"),
        ("reviews_Beauty_5.json.gz", 4, literal),
    ]


def test_a_broken_download_keeps_the_rows_before_the_break(source):
    reviews = [review(f"U{n * 7919 % 10007}", "B1", n) for n in range(3000)]
    cut(write(source / "reviews_Beauty_5.json.gz", as_jsonl(*reviews)))
    imported = Import("amazon", source)
    kept = imported.done.rows["searches"]
    assert 1000 < kept < 3000
    assert ("reviews_Beauty_5.json.gz", kept + 1, "file breaks off here") in imported.rejects


def test_missing_files_and_columns_are_named(source):
    write(source / "reviews_Beauty_5.json.gz", as_jsonl({"user": "U1", "asin": "B1"}))
    with pytest.raises(DataError, match=r"no column reviewerID, unixReviewTime; it has user, asin"):
        Import("amazon", source)
    (source / "reviews_Beauty_5.json.gz").unlink()
    with pytest.raises(DataError, match=r"has no reviews_Beauty_5\.json\.gz or Beauty_5\.json\.g"):
        Import("amazon", source)


@pytest.mark.parametrize(
    "line",
    [
        "{'a': open('x')}",
        "{'a': 1 + 1 .real}",
        "{'a': " + "(" * 300 + ")" * 300 + "}",
        "{'a': {[]: 1}}",
        "{'a': '\x00'}",
        "{'a'",
        "{'a': {'\\u00bd': {1}}}",
    ],
)
def test_only_literals_are_read(line):
    with pytest.raises(ValueError, match=r"."):
        parse_loose(line)


def test_json_and_literals_give_the_same():
    row = {"asin": "B1", "title": 'It\'s "new" ½ \\', "list": [1, None, True]}
    assert parse_loose(json.dumps(row)) == parse_loose(repr(row)) == row


def test_two_halves_of_a_character_are_joined():
    assert parse_loose(r"{'a': '\ud83d\ude00'}") == {"a": "😀"}


def test_a_root_alone_makes_a_query():
    assert category_query(["Beauty"]) == "beauty"
    assert category_query(["&", "-"]) == ""
