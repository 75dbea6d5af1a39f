"""What the tests of UBI share: documents of version 1.3, and logs of them; see `conftest`, too."""

from imported import as_jsonl, write

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


def only(done):
    """The only search of an import."""
    (search,) = done.table("searches")
    return search


def write_log(folder, queries, events=()):
    write(folder / "ubi_queries.jsonl", as_jsonl(*queries))
    if events:
        write(folder / "ubi_events.jsonl", as_jsonl(*events))
    return folder
