"""What `validate` shows of the tables, and what it advises."""

import json

import pytest

from genrecall.data.config import DataConfig
from genrecall.data.rows.rejects import Reject
from genrecall.data.rows.remedies import remedies
from genrecall.data.stage import validate
from genrecall.data.summary import describe
from genrecall.data.values.detect_times import what_helps
from genrecall.data.values.dialect import TableDialect
from genrecall.foundation.errors import DataError


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


ITEMS = [
    {"item_id": "a", "title": "Saw", "category": ["Tools", "Saws"], "price": 10, "available": True,
     "attributes": {"color": ["red", "blue"]}, "updated_at": "2024-02-01"},
    {"item_id": "b", "title": "Lamp", "category": "Home|Lamps", "price": 30, "available": False},
    {"item_id": "c", "title": "Hose", "price": 20, "updated_at": "2024-02-03"},
]  # fmt: skip


def check(folder, items=ITEMS, searches=None, **settings):
    data = {"items": {"file": write(folder / "items.jsonl", items), **settings}}
    if searches:
        data["searches"] = {"file": write(folder / "searches.jsonl", searches)}
    return validate(DataConfig.model_validate(data))


def test_what_will_matter_later_is_counted(tmp_path):
    searches = [
        {"query": "saw", "timestamp": 1_708_077_600_000, "clicks": ["a", "b"]},
        {"query": "lamp", "timestamp": 1_708_164_000_000, "clicks": ["b"], "purchases": ["c"]},
    ]
    summary = check(tmp_path, searches=searches)
    assert summary["catalog"] == {
        "categories": 2,
        "levels": 2,
        "without_category": 1,
        "unavailable": 1,
        "price": {"lowest": 10.0, "median": 20.0, "highest": 30.0, "missing": 0},
        "first": {
            "item_id": "a",
            "title": "Saw",
            "category": ["Tools", "Saws"],
            "attributes": [{"key": "color", "value": ["red", "blue"]}],
            "price": 10.0,
            "available": True,
            "updated_at": "2024-02-01 00:00:00",
        },
    }
    assert summary["times"] == {
        "items.updated_at": {"unit": "ISO 8601", "first": "2024-02-01", "last": "2024-02-03"},
        "searches.timestamp": {
            "unit": "milliseconds since 1970",
            "first": "2024-02-16",
            "last": "2024-02-17",
        },
    }
    assert summary["unavailable_positives"] == {"count": 2, "of": 4}
    lines = describe(summary)
    for line in (
        "  first item: item_id 'a', title 'Saw', category 'Tools > Saws', color 'red|blue', "
        "price 10.0, available True, updated_at '2024-02-01 00:00:00'",
        "  categories: 2 of up to 2 levels; 1 items without one",
        "  prices: 10.00 to 30.00, median 20.00; 0 items without one",
        "  not available: 1 items, which are never answered",
        "  searches.timestamp: milliseconds since 1970, 2024-02-16 to 2024-02-17",
        "  not available today: 2 of 4 relevant items, which no channel answers with",
        "note: items: 1 cells hold '|', such as 'Home|Lamps', and are read as one name; if it "
        "stands between levels, set `dialect: {level_separator: '|'}`",
    ):
        assert line in lines
    assert json.loads(json.dumps(summary)) == summary


def test_a_log_of_ordinals_and_dated_items_do_not_compare(tmp_path):
    searches = [{"query": "saw", "timestamp": n, "clicks": ["a"]} for n in range(3)]
    summary = check(tmp_path, searches=searches)
    assert summary["times"]["searches.timestamp"] == {"unit": "ordinals", "first": 0, "last": 2}
    assert any("items.updated_at and searches.timestamp do not compare" in note
               for note in summary["notes"])  # fmt: skip


def test_nothing_is_said_of_what_a_catalog_lacks(tmp_path):
    summary = check(tmp_path, [{"item_id": 1, "title": "Saw"}])
    assert summary["catalog"]["price"] is None
    assert summary["times"] == {}
    assert describe(summary) == [
        "  items: 1 of 1 rows",
        "  first item: item_id '1', title 'Saw'",
        "  searches: none; everything is learned from the titles",
    ]


def test_times_that_are_mixed_stop_the_table(tmp_path):
    rows = [{"item_id": 1, "title": "x", "updated_at": "2024-02-01"},
            {"item_id": 2, "title": "y", "updated_at": 20240101}]  # fmt: skip
    with pytest.raises(DataError, match=r"items\.jsonl: the column of updated_at mixes times of 2"):
        check(tmp_path, rows)


@pytest.mark.parametrize(
    ("cause", "given", "remedy"),
    [
        ("price is not a number", ["'1.299,00 €'", "'n/a'"],
         'set `dialect: {empty: ["n/a"], decimal: ",", thousands: ".", currency: ["€"]}`'),
        ("price is not a number", ["'on request'"], None),
        ("timestamp is neither a whole number nor an ISO 8601 time", ["'16.02.2024'"],
         'set `dialect: {times: "%d.%m.%Y"}`'),
        ("updated_at is neither a whole number nor an ISO 8601 time", ["'0000-00-00'"],
         'set `dialect: {empty: ["0000-00-00"]}`'),
        ("updated_at is neither a whole number nor an ISO 8601 time",
         ["'0000-00-00'", "'10 janvier 2024'"],
         'set `dialect: {empty: ["0000-00-00"]}`; such as \'10 janvier 2024\': '
         + what_helps("updated_at")),
        ("price is not a number", ["'0.5 €'", "'1,5 €'"],
         'set `dialect: {currency: ["€"]}`; both a point and a comma stand before decimal places, '
         "such as in '0.5 €' and '1,5 €'; write all numbers of the table one way"),
        ("available is neither true nor false", ["'ja'", "'evtl.'", "'-'"],
         'set `dialect: {flags: {"ja": true, "evtl.": …}, empty: ["-"]}`'),
        ("available is neither true nor false", ["'12'", "'-'", "'-2'"],
         'set `dialect: {counts: true, empty: ["-"]}`'),
        ("available is neither true nor false", ["'2'"],
         'set `dialect: {flags: {"2": …}}`, or `counts: true` if numbers say how many there are'),
        ("available is neither true nor false", ["'1.250'", "'12,5'"],
         'set `dialect: {counts: true, decimal: ",", thousands: "."}`'),
        ("line is not UTF-8", [""],
         "set `dialect: {encoding: …}`, such as cp1252 (Windows); `genrecall init` sees which"),
        ("title is empty", [""], None),
    ],
)  # fmt: skip
def test_what_would_help_is_told(cause, given, remedy):
    rejects = [Reject(line, cause, value, "") for line, value in enumerate(given)]
    assert remedies(rejects) == ([] if remedy is None else [f"{cause}: {remedy}"])


@pytest.mark.parametrize(
    ("dialect", "cause", "given", "remedy"),
    [
        ({"decimal": ","}, "price is not a number", ["'1.299'"],
         'set `dialect: {thousands: "."}`'),
        ({"decimal": ",", "currency": ["€"]}, "price is not a number", ["'12,50 EUR'"],
         'set `dialect: {currency: ["€", "EUR"]}`'),
        ({"decimal": ",", "currency": ["€"]}, "price is not a number", ["'12,50 $'"], None),
        ({"decimal": ","}, "price is not a number", ["'12.50'"], 'set `dialect: {decimal: "."}`'),
        ({"times": "%d.%m.%Y"}, "timestamp is no time like %d.%m.%Y", ["'02/16/2024'", "'-'"],
         "set `dialect: {empty: [\"-\"]}`; '02/16/2024' is a time like %m/%d/%Y: set "
         "`times` to that if all are; otherwise write all of them one way"),
        ({"times": "s"}, "timestamp is not a whole number", ["'gestern'"],
         "such as 'gestern': " + what_helps("timestamp")),
        ({"empty": ["-"]}, "price is not a number", ["'n/a'"],
         'set `dialect: {empty: ["-", "n/a"]}`'),
        ({"flags": {"ja": True}}, "available is neither true nor false", ["'nein'"],
         'set `dialect: {flags: {"ja": true, "nein": false}}`'),
    ],
)  # fmt: skip
def test_what_would_help_holds_beside_what_is_set(dialect, cause, given, remedy):
    rejects = [Reject(line, cause, value, "") for line, value in enumerate(given)]
    found = remedies(rejects, TableDialect.model_validate(dialect))
    assert found == ([] if remedy is None else [f"{cause}: {remedy}"])


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("chunk", [1, 8_192])
def test_a_column_with_both_decimal_signs_is_told_whichever_is_set(
    tmp_path, monkeypatch, chunk, decimal
):
    """Each advice to set the other sign would lead to the other."""
    monkeypatch.setattr("genrecall.data.rows.readers.CHUNK", chunk)
    prices = ["1.299", "7", "0.5", "1,5", "2.5", "3,75"]
    rows = [{"item_id": n, "title": "x", "price": price} for n, price in enumerate(prices)]
    examples = {".": "'1,5' and '0.5'", ",": "'0.5' and '1,5'"}[decimal]
    with pytest.raises(DataError) as refused:
        check(tmp_path, rows, dialect={"decimal": decimal})
    assert (
        "\n  price is not a number: both a point and a comma stand before decimal places, such as "
        f"in {examples}; write all numbers of the table one way\n" in str(refused.value)
    )


def test_a_refused_table_tells_what_would_help(tmp_path):
    rows = [{"item_id": n, "title": "x", "price": "12,50"} for n in range(3)]
    with pytest.raises(DataError) as refused:
        check(tmp_path, rows)
    assert 'What would help:\n  price is not a number: set `dialect: {decimal: ","}`\n' in str(
        refused.value
    )


def test_a_wrong_separator_is_told_instead_of_missing_columns(tmp_path):
    for sign, name in ((";", '";"'), ("\t", r'"\\t"')):
        path = tmp_path / "items.csv"
        path.write_text(f"item_id{sign}title\n1{sign}Saw\n", "utf-8")
        with pytest.raises(DataError, match=rf"set the table's `dialect: {{separator: {name}}}`"):
            validate(DataConfig.model_validate({"items": {"file": path}}))


def test_a_catalog_most_of_whose_titles_have_no_word_is_told(tmp_path):
    summary = check(tmp_path, [{"item_id": n, "title": "!?" if n else "Saw"} for n in range(5)])
    assert summary["notes"] == [
        "items: 80 % of the titles looked at have no word, such as '!?': no search finds them by "
        "text, and their SIDs say nothing. Map `title` to the column that holds the name"
    ]
    half = [{"item_id": n, "title": "!?" if n % 2 else "Saw"} for n in range(4)]
    assert check(tmp_path, half)["notes"] == []
