import gzip
import json
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imported import Import, as_jsonl, write
from ubi_log import DAY, event, only, query, without, write_log

from genrecall.data.tables import SEARCH_LOG
from genrecall.foundation.errors import DataError
from genrecall.foundation.progress import SilentLog
from genrecall.importers import buckets, ubi
from genrecall.importers.run import import_data

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


# --- queries and events that do not pair up ------------------------------------------------------


def test_a_query_without_events_is_a_search_without_clicks(imported):
    done = imported([query()])
    assert only(done)["impressions"] == ["11", "12", "13"]
    assert only(done)["clicks"] == only(done)["purchases"] == []
    assert done.notes == ["the log holds no event, so no search has a click or a purchase"]


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
        "ubi_events.jsonl",
    }


def test_searches_of_one_bucket_are_in_the_order_of_time(imported):
    queries = [query(f"q{n}", timestamp=DAY + (7 * n) % 10) for n in range(10)]
    times = [search["timestamp"] for search in imported(queries).table("searches")]
    assert times == sorted(times)


def test_a_gzipped_log_may_come_without_the_ending(tmp_path):
    write(tmp_path / "log/ubi_queries.jsonl", gzip.compress(as_jsonl(query()).encode()))
    assert only(Import("ubi", tmp_path / "log"))["search_id"] == "q1"
