import json

import pytest
from imported import Import, write
from ubi_log import DAY, event, only, query, with_object, without, write_log

from genrecall.foundation.errors import ConfigError
from genrecall.importers import ubi
from genrecall.importers.ubi_documents import ACTIONS, CLICK, IMPRESSION, PURCHASE

# --- items, actions, places ----------------------------------------------------------------------


def test_where_the_id_of_an_item_may_stand(imported):
    events = [
        with_object({"object_id": 1}, second=1),
        with_object({"object_id": "2", "internal_id": "no"}, second=2),
        with_object({"object_id_field": "asin", "asin": "3"}, second=3),
        with_object({"object_id": None, "object_id_field": "asin", "asin": 4}, second=4),
        with_object({"internal_id": "5"}, second=5),
        with_object({"object_id_field": "_id", "internal_id": 6}, second=6),
        with_object("7", second=7),
        with_object(None, second=8, object={"object_id": 8}),
        with_object(None, second=9, object_id="9"),
        event(event_attributes={"object_id": 10}, second=10),
        with_object({"object_id": 11.0}, second=11),
    ]
    done = imported([query(hits=[str(n) for n in range(1, 12)])], events)
    assert done.rejects == []
    assert only(done)["clicks"] == [str(n) for n in range(1, 12)]


def test_an_event_on_an_item_that_names_none_is_a_reject(imported):
    nameless = [
        with_object(None),
        with_object({}),
        with_object({"object_id": None}),
        with_object({"object_id": " "}),
        with_object({"object_id": {"a": 1}, "object_id_field": "sku"}),
        with_object({"internal_id": "5", "object_id_field": "sku"}),
        without(event(), "event_attributes"),
        event(event_attributes=None),
        event(event_attributes="text"),
    ]
    done = imported([query()], [*nameless, event(item="13")])
    assert only(done)["clicks"] == ["13"]
    assert [reject[1:] for reject in done.rejects] == [
        (line, "event names no object") for line in range(1, 10)
    ]
    assert done.reject_rows[0]["given"] == "'click'"
    assert json.loads(done.reject_rows[0]["raw"]) == nameless[0]


def test_what_actions_say(imported):
    queries, events = [], []
    for name in ACTIONS:
        queries.append(query(name, hits=[]))
        forms = [name, name.upper(), name.replace("_", "-"), name.replace("_", " ").title()]
        events += [event(form, str(item), name) for item, form in enumerate(forms)]
    columns = {IMPRESSION: "impressions", CLICK: "clicks", PURCHASE: "purchases"}
    for search in imported(queries, events).table("searches"):
        told = {code for code, column in columns.items() if search[column]}
        assert told == {ACTIONS[search["search_id"]]}
        assert sorted(search[columns[told.pop()]]) == ["0", "1", "2", "3"]


def test_events_that_say_nothing_of_an_item_are_counted_and_told(imported):
    other = [
        without(event("search"), "event_attributes"),
        *[event("brand_filter", item=None)] * 3,
        event("product_sort"),
        event("click", query_id=None),
        without(event("click"), "query_id"),
        event("purchase", query_id=" "),
        event("login", timestamp="soon"),
    ]
    done = imported([query()], [*other, event()])
    assert done.rejects == []
    assert only(done)["clicks"] == ["12"]
    (note,) = done.notes
    assert note.startswith("events that say nothing of an item of a search: 9, of them ")
    for part in (
        "brand_filter 3",
        "click without a query_id 2",
        "purchase without a query_id 1",
        "search 1",
        "product_sort 1",
        "login 1",
    ):
        assert part in note
    assert "--option clicks=NAME,NAME" in note


def test_many_kinds_of_events_are_told_in_short(imported):
    done = imported([query()], [event(f"kind{n}") for n in range(15)])
    assert "and 5 more kinds" in done.notes[0]


def test_further_actions_are_named_by_an_option(imported):
    events = [event("Quick View", "11"), event("reorder", "12"), event("seen", "14")]
    options = {"clicks": "quick_view, zoom", "purchases": "reorder", "impressions": "seen"}
    search = only(imported([query()], events, **options))
    assert search["clicks"] == ["11"]
    assert search["purchases"] == ["12"]
    assert search["impressions"] == ["11", "12", "13", "14"]
    assert set(ubi.OPTIONS) == set(options)
    with pytest.raises(ConfigError, match=r"option of importer ubi 'click'.*Did you mean 'clicks'"):
        imported([query()], events, click="zoom")


def test_an_option_may_say_that_a_known_action_means_something_else(imported):
    search = only(imported([query()], [event("view"), event("add_to_cart")], clicks="view"))
    assert search["clicks"] == ["12"]


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("form", [lambda n: n, lambda n: {"index": n}, str])
def test_places_may_count_from_0_or_from_1(imported, base, form):
    shown = [event("impression", str(n), ordinal=form(n + base)) for n in (2, 10, 0, 1, 9)]
    search = only(imported([query(hits=[])], shown))
    assert search["impressions"] == ["0", "1", "2", "9", "10"]


def test_places_under_rank_and_events_without_a_place(imported):
    def shown(item, second, **attributes):
        attributes |= {"object": {"object_id": item}}
        return event("impression", second=second, event_attributes=attributes)

    events = [
        shown("d", 2),
        shown("c", 1, position={"x": 3, "y": 4}),
        shown("b", 9, rank=1),
        shown("a", 9, rank=0),
    ]
    assert only(imported([query(hits=[])], events))["impressions"] == ["a", "b", "c", "d"]


def test_items_shown_beyond_the_hits_follow_them(imported):
    shown = [event("impression", item, ordinal=n) for n, item in enumerate(["12", "99", "11"])]
    search = only(imported([query(hits=["11", None, "12", "11"])], shown))
    assert search["impressions"] == ["11", "12", "99"]


def test_clicks_are_in_the_order_of_time_and_each_once(imported):
    events = [event(item="13", second=9), event(item="11", second=7), event(item="13", second=3)]
    events += [event(item="12", timestamp=None)]  # at the end: nobody knows when
    assert only(imported([query()], events))["clicks"] == ["13", "11", "12"]


def test_an_event_that_was_logged_twice_counts_once(imported):
    events = [event(), event(), event("purchase"), event("purchase"), event("impression")] * 2
    search = only(imported([query()], events))
    assert search["clicks"] == search["purchases"] == ["12"]
    assert search["impressions"] == ["11", "12", "13"]


def test_clicks_on_items_that_were_not_on_the_page_are_told(imported):
    queries = [query(f"q{n}", hits=["901", "902"]) for n in range(3)]
    done = imported(queries, [event(query_id=f"q{n}") for n in range(3)])
    (note,) = done.notes
    assert note.startswith("clicks on items that their query did not return: 3 of 3.")
    assert "object_id_field" in note
    assert [search["clicks"] for search in done.table("searches")] == [["12"]] * 3


# --- times, texts, shoppers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamp",
    [
        "2024-01-01T00:00:07Z",
        "2024-01-01T00:00:07",
        "2024-01-01 00:00:07",
        "2024-01-01T02:00:07.999+02:00",
        "2024-01-01T02:00:07+0200",
        "2024-01-01T00:00:07.123456789Z",
        (DAY + 7) * 1000,
        str((DAY + 7) * 1000 + 250),
        DAY + 7,
        float(DAY + 7),
    ],
)
def test_the_forms_of_time(imported, stamp):
    assert only(imported([query(timestamp=stamp)]))["timestamp"] == DAY + 7
    done = imported(
        [query()], [event(item="13"), event(timestamp=stamp), event(second=9, item="11")]
    )
    assert only(done)["clicks"] == ["13", "12", "11"]


def test_a_date_alone_and_times_before_1970(imported):
    done = imported(
        [query("a", timestamp="2024-01-02"), query("b", timestamp="1969-12-31T23:59:59.5Z")]
    )
    assert [search["timestamp"] for search in done.table("searches")] == [-1, DAY + 86_400]


def test_an_unreadable_time_is_a_reject(imported):
    done = imported(
        [query(), query("q2", timestamp="soon"), query("q3", timestamp={"a": 1})],
        [event(), event("purchase", timestamp="NaN"), event("purchase", timestamp=1e300)],
    )
    assert only(done)["clicks"] == ["12"]
    assert "purchases" not in done.done.rows
    assert done.rejects == [
        ("ubi_events.jsonl", 2, "timestamp is no time"),
        ("ubi_events.jsonl", 3, "timestamp is no time"),
        ("ubi_queries.jsonl", 2, "timestamp is no time"),
        ("ubi_queries.jsonl", 3, "timestamp is no time"),
    ]
    assert done.reject_rows[2]["given"] == "'soon'"


def test_a_search_without_a_time_has_that_of_its_first_event(imported):
    done = imported([without(query(), "timestamp")], [event(second=9), event(second=4, item="11")])
    assert only(done)["timestamp"] == DAY + 4
    assert "timestamp" not in only(imported([query(timestamp=None)]))


@pytest.mark.parametrize(
    "given",
    [
        {"query": "desk lamp"},
        {"user_query": "desk lamp", "filters": ["white"]},
        {"text": {"query": "desk lamp"}},
    ],
)
def test_a_query_may_be_an_object(imported, given):
    assert only(imported([query(text=given)]))["query"] == "desk lamp"


@pytest.mark.parametrize("text", ["{brackets", "[a]", '{"query": "x"}', "12", "käse 🧀", " a  b "])
def test_a_query_is_kept_as_it_was_typed(imported, text):
    assert only(imported([query(text=text)]))["query"] == text
    assert only(imported([query(text=int(text) if text == "12" else text)]))["query"] == text


def test_queries_without_a_text_are_left_out_and_told(imported):
    textless = [
        query("a", text=None),
        query("b", text="  "),
        without(query("c"), "user_query"),
        query("d", text={"filters": []}),
    ]
    done = imported([*textless, query()], [event(query_id="a"), event()])
    assert only(done)["search_id"] == "q1"
    assert done.rejects == []
    assert done.notes == ["queries without user_query, which are left out: 4."]


def test_a_query_without_an_id_is_a_reject(imported):
    done = imported([query(), query(None), {"user_query": "hat"}, {}])
    assert only(done)["search_id"] == "q1"
    assert done.rejects == [
        ("ubi_queries.jsonl", line, "query_id is missing") for line in (2, 3, 4)
    ]


def test_an_event_without_an_action_is_a_reject_in_a_file_of_events(imported):
    done = imported([query()], [without(event(), "action_name"), event(action=" "), event()])
    assert only(done)["clicks"] == ["12"]
    assert done.rejects == [("ubi_events.jsonl", line, "action_name is missing") for line in (1, 2)]


def test_ids_may_be_whole_numbers(imported):
    done = imported(
        [query(7, client_id=5), query(8, client_id=None)],
        [event(query_id=7), event(query_id="8", client_id=6)],
    )
    first, second = done.table("searches")
    assert (first["search_id"], first["user_id"], first["clicks"]) == ("7", "5", ["12"])
    assert (second["search_id"], second["user_id"], second["clicks"]) == ("8", "6", ["12"])
    assert done.table("users") == [{"user_id": "5"}, {"user_id": "6"}]


def test_the_shopper_is_the_client_else_the_user(imported):
    queries = [query("a"), query("b", client_id=None), query("c", client_id="")]
    events = [
        event(query_id="a", client_id="other", user_id="u1"),
        event(query_id="b", client_id="c2", user_id="u1"),
        event(query_id="c", client_id=None, user_id="u1"),
    ]
    done = imported(queries, events)
    assert [search["user_id"] for search in done.table("searches")] == ["c1", "c2", "u1"]
    assert [user["user_id"] for user in done.table("users")] == ["c1", "c2", "u1"]


def test_a_log_without_shoppers_gives_no_table_of_them(imported):
    done = imported([query(client_id=None)], [event(client_id=None)])
    assert set(done.done.rows) == {"searches"}


# --- ways of exporting ---------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("answer", [True, False])
def test_answers_of_search_and_arrays_need_not_be_cut_up(tmp_path, answer, indent):
    queries, events = [query(), query("q2", "hat")], [event(), event(query_id="q2", item="13")]
    expected = Import("ubi", write_log(tmp_path / "bare", queries, events))
    for name, documents in {"ubi_queries": queries, "ubi_events": events}.items():
        hits = [{"_index": name, "_source": document} for document in documents]
        whole = {"took": 1, "hits": {"total": {"value": 2}, "hits": hits}} if answer else documents
        write(tmp_path / f"log/{name}.json", json.dumps(whole, indent=indent))
    done = Import("ubi", tmp_path / "log")
    assert done.table("searches") == expected.table("searches")
    assert done.rejects == []
