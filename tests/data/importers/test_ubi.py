import gzip
import json
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imported import Import, as_jsonl, cut, write

from genrecall.data.importers import buckets, ubi
from genrecall.data.importers.run import import_data
from genrecall.data.importers.ubi_documents import ACTIONS, CLICK, IMPRESSION, PURCHASE
from genrecall.data.tables import SEARCH_LOG
from genrecall.errors import ConfigError, DataError
from genrecall.progress import SilentLog

DAY = 1_704_067_200  # 2024-01-01T00:00:00Z


def query(query_id="q1", text="desk lamp", hits=("11", "12", "13"), **more):
    """A query document of version 1.3."""
    return {
        "application": "shop",
        "query_id": query_id,
        "client_id": "c1",
        "user_query": text,
        "query_attributes": {"page": 1},
        "object_id_field": "sku",
        "query": '{"match": {"title": "desk lamp"}}',
        "timestamp": "2024-01-01T00:00:00Z",
        "query_response_id": "r1",
        "query_response_hit_ids": list(hits),
    } | more


def event(action="click", item="12", query_id="q1", second=5, ordinal=1, **more):
    """An event of version 1.3."""
    return {
        "application": "shop",
        "action_name": action,
        "query_id": query_id,
        "session_id": "s1",
        "client_id": "c1",
        "timestamp": f"2024-01-01T00:00:{second:02}.250Z",
        "message_type": "INFO",
        "message": None,
        "event_attributes": {
            "object": {"object_id": item, "object_id_field": "sku", "name": "Lamp"},
            "position": {"ordinal": ordinal},
        },
    } | more


def without(document, *names):
    return {name: value for name, value in document.items() if name not in names}


def with_object(found, **more):
    """A click whose `event_attributes.object` is `found`."""
    attributes = {} if found is None else {"object": found}
    return event(event_attributes=attributes, **more)


@pytest.fixture
def imported(tmp_path):
    """Import queries and events; each call is a log of its own."""
    calls = iter(range(100))

    def run(queries, events=(), **options):
        folder = tmp_path / f"log{next(calls)}"
        write(folder / "ubi_queries.jsonl", as_jsonl(*queries))
        if events:
            write(folder / "ubi_events.jsonl", as_jsonl(*events))
        return Import("ubi", folder, **options)

    return run


def only(done):
    """The only search of an import."""
    (search,) = done.table("searches")
    return search


# --- the versions of the schema ------------------------------------------------------------------


def version_1_0():
    """As the first plugin wrote: epoch milliseconds, whole numbers, places that are objects."""
    asked = {
        "query_id": "q1",
        "client_id": "c1",
        "user_query": "desk lamp",
        "query_attributes": {},
        "timestamp": DAY * 1000,
        "query_response_id": "r1",
        "query_response_objects_ids": [11, 12, 13],
    }
    place = {"position": {"ordinal": {"index": 2}}}
    done = [
        {
            "action_name": action,
            "query_id": "q1",
            "client_id": "c1",
            "timestamp": (DAY + second) * 1000,
            "event_attributes": {"object": {"object_id": 12, "object_id_field": "sku"}} | place,
        }
        for action, second in [("click_through", 5), ("purchase", 9)]
    ]
    return [asked], done


def version_1_1():
    """As the next plugins wrote: the name of the hits differs from the index mapping."""
    asked = without(query(), "query_response_hit_ids", "application")
    asked |= {"query_response_object_ids": ["11", "12", "13"], "timestamp": "2024-01-01T00:00:00"}
    done = [
        without(event(action, second=second, ordinal={"index": 1}), "application")
        for action, second in [("click", 5), ("purchase", 9)]
    ]
    return [asked], done


def version_1_2():
    """As a client alone logs: no hits; what was shown is told by events, from place 0."""
    asked = without(query(), "query_response_hit_ids", "query", "query_response_id")
    asked["timestamp"] = "2024-01-01T01:00:00+01:00"
    shown = [
        event("impression", item, ordinal={"index": place})
        for place, item in [(2, "13"), (0, "11"), (1, "12")]
    ]
    done = [event(action, second=second) for action, second in [("click", 5), ("purchase", 9)]]
    return [asked], shown + done


def version_1_3():
    return [query()], [event("click"), event("purchase", second=9)]


@pytest.mark.parametrize("version", [version_1_0, version_1_1, version_1_2, version_1_3])
def test_all_versions_tell_the_same_search(imported, version):
    done = imported(*version())
    assert done.rejects == []
    assert done.notes == []
    assert only(done) == {
        "search_id": "q1",
        "timestamp": DAY,
        "user_id": "c1",
        "query": "desk lamp",
        "impressions": ["11", "12", "13"],
        "clicks": ["12"],
        "purchases": ["12"],
    }
    assert done.table("users") == [{"user_id": "c1"}]


def test_the_tables_have_our_columns_and_types(imported):
    done = imported([query()], [event()])
    assert pl.read_parquet_schema(done.done.folder / "searches.parquet") == pl.Schema(SEARCH_LOG)


# --- ways of exporting ---------------------------------------------------------------------------


def as_hits(index, documents):
    return [
        {"_index": index, "_id": f"id{n}", "_score": 1, "_source": document}
        for n, document in enumerate(documents)
    ]


def as_bulk(index, documents):
    hits = as_hits(index, documents)
    pairs = [({"index": without(hit, "_source")}, hit["_source"]) for hit in hits]
    return [row for pair in pairs for row in pair]


@pytest.mark.parametrize("export", [as_hits, as_bulk])
@pytest.mark.parametrize("ending", ["jsonl", "ndjson.gz", "json"])
def test_exports_of_an_index(tmp_path, export, ending):
    queries, events = [query(), query("q2", "hat")], [event(), event(query_id="q2", item="13")]
    expected = Import("ubi", write_log(tmp_path / "bare", queries, events))
    folder = tmp_path / "log"
    write(folder / f"ubi_queries-2024.01.{ending}", as_jsonl(*export("ubi_queries", queries)))
    write(folder / f"dump_ubi_events.{ending}", as_jsonl(*export("ubi_events", events)))
    write(folder / "products.jsonl", "not for us")
    write(folder / "ubi_events.mapping.txt", "not for us")
    done = Import("ubi", folder)
    assert done.table("searches") == expected.table("searches")
    assert done.rejects == []


def write_log(folder, queries, events):
    write(folder / "ubi_queries.jsonl", as_jsonl(*queries))
    write(folder / "ubi_events.jsonl", as_jsonl(*events))
    return folder


@pytest.mark.parametrize("export", [as_hits, as_bulk, lambda _, documents: documents])
def test_one_file_may_hold_both_indices(tmp_path, export):
    both = [event(), query(), event("purchase", second=7)]
    file = write(tmp_path / "ubi_queries_events.ndjson", as_jsonl(*export("any", both)))
    done = Import("ubi", file)
    assert only(done)["purchases"] == only(done)["clicks"] == ["12"]


def test_hits_and_bare_documents_on_the_lines_of_one_file(tmp_path):
    documents = [query(), *as_hits("any", [event()]), event("purchase")]
    for n, rows in enumerate((documents, documents[::-1])):
        done = Import("ubi", write(tmp_path / f"{n}/ubi_queries.jsonl", as_jsonl(*rows)))
        assert only(done)["clicks"] == ["12"]
        assert only(done)["purchases"] == ["12"]


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


# --- queries and events that do not pair up ------------------------------------------------------


def test_a_query_without_events_is_a_search_without_clicks(imported):
    done = imported([query()])
    assert only(done)["impressions"] == ["11", "12", "13"]
    assert only(done)["clicks"] == only(done)["purchases"] == []


def test_events_of_no_query_are_rejects(imported):
    done = imported([query()], [event(), event(query_id="gone"), event("purchase", "13", "gone")])
    assert only(done)["search_id"] == "q1"
    assert done.rejects == [
        ("ubi_events.jsonl", 2, "query_id has no query"),
        ("ubi_events.jsonl", 3, "query_id has no query"),
    ]
    row = done.reject_rows[1]
    assert row["given"] == "gone"
    assert json.loads(row["raw"]) == {
        "action_name": "purchase",
        "query_id": "gone",
        "event_attributes": {"object": {"object_id": "13"}},
    }


def test_events_that_carry_the_query_need_no_other_document(imported):
    events = [
        event(query_id="q2", second=9, user_query="hats"),
        event("impression", "13", "q2", second=3, user_query="hat"),
        event("purchase", query_id="q2", second=9),
    ]
    done = imported([query()], events)
    assert done.rejects == []
    search = done.table("searches")[1]
    assert search == {
        "search_id": "q2",
        "timestamp": DAY + 3,
        "user_id": "c1",
        "query": "hat",
        "impressions": ["13"],
        "clicks": ["12"],
        "purchases": ["12"],
    }


def test_a_log_of_events_alone(tmp_path):
    write(tmp_path / "log/ubi_events.jsonl", as_jsonl(event(user_query="hat"), event()))
    assert only(Import("ubi", tmp_path / "log"))["clicks"] == ["12"]
    write(tmp_path / "bare/ubi_events.jsonl", as_jsonl(event(), event()))
    with pytest.raises(DataError, match=r"query_id has no query: q1  \(2 such rows\)"):
        Import("ubi", tmp_path / "bare")


def test_a_query_that_was_logged_twice_is_one_search(imported):
    assert imported([query(), query()]).done.rows["searches"] == 1
    plugin = without(query(hits=["11"], timestamp="2024-01-01T00:00:01Z"), "user_query")
    client = without(query(timestamp="2024-01-01T00:00:02Z"), "query_response_hit_ids")
    for queries in ([plugin, client], [client, plugin]):
        search = only(imported(queries))
        assert search["query"] == "desk lamp"
        assert search["impressions"] == ["11"]
        assert search["timestamp"] == DAY + 1


def test_the_pages_of_a_search_follow_each_other(imported):
    second = query(hits=["14", "13"], timestamp="2024-01-01T00:00:30Z")
    for queries in ([query(), second], [second, query()]):
        assert only(imported(queries))["impressions"] == ["11", "12", "13", "14"]


def test_hits_under_several_names(imported):
    given = query(hits=[]) | {"query_response_object_ids": [], "query_response_objects_ids": [7]}
    assert only(imported([given]))["impressions"] == ["7"]
    given = query(hits=["11"]) | {"query_response_object_ids": ["no"]}
    assert only(imported([given]))["impressions"] == ["11"]
    given = query() | {"query_response_hit_ids": "11"}
    assert only(imported([given]))["impressions"] == ["11"]
    assert only(imported([query() | {"query_response_hit_ids": None}]))["impressions"] == []


# --- damage --------------------------------------------------------------------------------------


def test_broken_lines_are_named_and_cost_no_others(tmp_path):
    lines = [json.dumps(query(f"q{n}", f"text {n}")).encode() for n in range(100)]
    broken = {10: b'{"query_id": ', 40: b'{"user_query": "caf\xe9"}', 41: b"[1]", 77: b"nonsense"}
    for row, line in broken.items():
        lines[row] = line
    write(tmp_path / "log/ubi_queries.jsonl", b"\n".join(lines))
    done = Import("ubi", tmp_path / "log")
    assert done.rejects == [
        ("ubi_queries.jsonl", 11, "line is not JSON"),
        ("ubi_queries.jsonl", 41, "line is not UTF-8"),
        ("ubi_queries.jsonl", 42, "line is not a JSON object"),
        ("ubi_queries.jsonl", 78, "line is not JSON"),
    ]
    ids = {search["search_id"] for search in done.table("searches")}
    assert ids == {f"q{n}" for n in range(100)} - {f"q{row}" for row in broken}


def test_a_number_of_endless_digits_stops_nothing(tmp_path):
    line = json.dumps(query("q2", text={"query": "hat"}))[:-1] + f', "n": {"1" * 5_000}}}\n'
    write(tmp_path / "log/ubi_queries.jsonl", as_jsonl(query()) + line)
    done = Import("ubi", tmp_path / "log")
    assert only(done)["search_id"] == "q1"
    assert [reject[:2] for reject in done.rejects] == [("ubi_queries.jsonl", 2)]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding(tmp_path, encoding):
    text = as_jsonl(query(text="Stehlampe"), query("q2", text="Wäscheständer"))
    write(tmp_path / "log/ubi_queries.jsonl", text.encode(encoding))
    if encoding == "utf-16":
        with pytest.raises(
            DataError, match=r"gives no row of searches. The first causes:\n.*line 1"
        ):
            Import("ubi", tmp_path / "log")
    else:
        done = Import("ubi", tmp_path / "log")
        assert only(done)["query"] == "Stehlampe"
        assert done.rejects == [("ubi_queries.jsonl", 2, "line is not UTF-8")]


def test_a_file_that_breaks_off_gives_what_is_before(tmp_path):
    rng = random.Random(0)
    queries = [query(f"q{n}", rng.randbytes(20).hex()) for n in range(300)]
    cut(write(tmp_path / "log/ubi_queries.jsonl.gz", as_jsonl(*queries)))
    done = Import("ubi", tmp_path / "log")
    ids = {search["search_id"] for search in done.table("searches")}
    assert 100 < len(ids) < 200
    assert ids == {f"q{n}" for n in range(len(ids))}
    assert done.rejects == [("ubi_queries.jsonl.gz", len(ids) + 1, "file breaks off here")]


def test_a_source_without_a_log(tmp_path):
    write(tmp_path / "log/ubi_queries.csv", "query_id,user_query\n")
    with pytest.raises(DataError, match=r"has no ubi_queries\*.jsonl .*it holds ubi_queries.csv"):
        Import("ubi", tmp_path / "log")
    write(tmp_path / "empty/ubi_queries.jsonl", "")
    with pytest.raises(DataError, match=r"gives no row of searches\. Its files hold no rows"):
        Import("ubi", tmp_path / "empty")


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise DataError("no more")

    write_log(tmp_path / "log", [query()], [event()])
    monkeypatch.setattr(ubi, "join_searches", fail)
    with pytest.raises(DataError, match="no more"):
        Import("ubi", tmp_path / "log")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


# --- order and size ------------------------------------------------------------------------------


def random_log(rng, searches=12):
    """A log with queries that repeat, pages, orphans and events in all ways."""
    queries, events = [], []
    for n in range(searches):
        query_id = f"q{n}"
        for page in range(rng.choice([0, 1, 1, 1, 2])):
            hits = [str(item) for item in rng.sample(range(20), 4)]
            stamp = rng.choice([None, f"2024-01-01T00:{n:02}:{page:02}Z", (DAY + n) * 1000])
            text = rng.choice([f"text {n}", f"text {n}", None, {"query": f"text {n}"}])
            queries.append(query(query_id, text, hits, timestamp=stamp))
        for _ in range(rng.randrange(6)):
            action = rng.choice(["impression", "click", "add_to_cart", "purchase", "login"])
            item = rng.choice([rng.randrange(20), str(rng.randrange(20)), None])
            text = {"user_query": f"text {n}"} if rng.random() < 0.2 else {}
            events.append(event(action, item, query_id, rng.randrange(4), rng.randrange(3), **text))
    return queries, events


def spread(folder, documents, rng):
    """Write documents in any order over several files."""
    documents = list(documents)
    rng.shuffle(documents)
    parts = [[] for _ in range(rng.randint(1, 4))]
    for document in documents:
        rng.choice(parts).append(document)
    for n, part in enumerate(parts):
        write(folder / f"ubi_queries_events-{n}.jsonl{rng.choice(['', '.gz'])}", as_jsonl(*part))
    return folder


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from([1, 3]))
def test_searches_do_not_depend_on_the_order_of_rows_and_files(tmp_path_factory, seed, count):
    rng = random.Random(seed)
    queries, events = random_log(rng)
    queries.append(query("sure"))
    tmp_path = tmp_path_factory.mktemp("ubi")
    expected = Import("ubi", write_log(tmp_path / "log", queries, events))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ubi, "bucket_count", lambda _: count)
        patch.setitem(buckets.Buckets.__init__.__kwdefaults__, "load", 1)
        other = Import("ubi", spread(tmp_path / "spread", queries + events, rng))

    def by_id(done):
        return {search["search_id"]: search for search in done.table("searches")}

    assert by_id(other) == by_id(expected)
    assert other.table("users") == sorted(expected.table("users"), key=lambda row: row["user_id"])
    assert sorted(cause for *_, cause in other.rejects) == sorted(
        cause for *_, cause in expected.rejects
    )
    assert sorted(other.notes) == sorted(expected.notes)


def test_equal_logs_give_equal_bytes_and_no_traces_of_buckets(tmp_path, monkeypatch):
    monkeypatch.setattr(ubi, "bucket_count", lambda _: 5)
    monkeypatch.setitem(buckets.Buckets.__init__.__kwdefaults__, "load", 100)
    queries, events = random_log(random.Random(1), searches=40)
    folder = write_log(tmp_path / "log", queries, events)
    contents = []
    for name in ("a", "b"):
        import_data("ubi", folder, tmp_path / name, log=SilentLog())
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {
        "manifest.json",
        "searches.parquet",
        "users.parquet",
        "ubi_events.jsonl.jsonl",
    }


def test_searches_of_one_bucket_are_in_the_order_of_time(imported):
    queries = [query(f"q{n}", timestamp=DAY + (7 * n) % 10) for n in range(10)]
    times = [search["timestamp"] for search in imported(queries).table("searches")]
    assert times == sorted(times)


def test_a_gzipped_log_may_come_without_the_ending(tmp_path):
    write(tmp_path / "log/ubi_queries.jsonl", gzip.compress(as_jsonl(query()).encode()))
    assert only(Import("ubi", tmp_path / "log"))["search_id"] == "q1"
