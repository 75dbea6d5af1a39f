"""Documents of the two UBI indices as flat rows: a query or an event each.

What the versions of the schema and their writers do differently ends here:

- items of a query: `query_response_hit_ids` (1.3, and the index mapping of all versions),
  `query_response_object_ids` (what the plugin wrote before 1.3) or `query_response_objects_ids`
  (early plugins and the documentation); the first that is not empty counts.
- item of an event: `event_attributes.object.object_id`, text or a whole number; if it is missing,
  the entry of `object` that `object_id_field` names; if there is no `object_id_field` or it is
  `_id`, `internal_id`. `object` may also stand beside `event_attributes`, or be the bare id.
- place of an event: `event_attributes.position.ordinal`, a number (1.3) or `{"index": number}` (1.0
  to 1.2), else `event_attributes.rank`. Only the order of places within a search is used, so that
  it does not matter whether they count from 0 or from 1.
- time: see `ubi_times`.
- `user_query`: text, or an object that holds the text.
- a document stands bare on its line, or under `_source` in an exported hit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import polars as pl

from genrecall.data.rows.readers import Chunk
from genrecall.data.rows.rejects import Reject
from genrecall.data.values.cells import parse_json
from genrecall.data.values.convert import shorten
from genrecall.importers.ndjson import Schema
from genrecall.importers.ubi_times import milliseconds

IMPRESSION: Final = 0
CLICK: Final = 1
PURCHASE: Final = 2

ACTIONS: Final[Mapping[str, int]] = {
    "impression": IMPRESSION,
    "view": IMPRESSION,
    "item_view": IMPRESSION,
    "product_view": IMPRESSION,
    "item_hover": IMPRESSION,
    "product_hover": IMPRESSION,
    "click": CLICK,
    "on_click": CLICK,
    "click_through": CLICK,
    "item_click": CLICK,
    "product_click": CLICK,
    "result_click": CLICK,
    "watch": CLICK,
    "add_to_cart": CLICK,
    "add_to_basket": CLICK,
    "add_to_wishlist": CLICK,
    "purchase": PURCHASE,
    "buy": PURCHASE,
    "order": PURCHASE,
}
"""What the `action_name`s say about an item. Letter case and what stands between words do not
count. A view may be a glance as well as a visit, so it says no more than that the item was shown;
what goes into the cart was at least clicked."""

QUERIES: Final[dict[str, pl.DataType]] = {
    "query_id": pl.String(),
    "time": pl.Int64(),
    "query": pl.String(),
    "user_id": pl.String(),
    "hits": pl.List(pl.String()),
}
"""A query document; `time` in milliseconds since 1970."""

EVENTS: Final[dict[str, pl.DataType]] = {
    "query_id": pl.String(),
    "time": pl.Int64(),
    "action": pl.UInt8(),
    "item_id": pl.String(),
    "place": pl.Int64(),
    "user_id": pl.String(),
    "query": pl.String(),
    "file": pl.UInt32(),
    "line": pl.UInt32(),
}
"""What was done with an item; `file` is the position of its file."""

_TEXT: Final = pl.String()
_TEXTS: Final = pl.List(pl.String())
_HITS: Final = (
    "query_response_hit_ids",
    "query_response_object_ids",
    "query_response_objects_ids",
)
_KEPT: Final = ("query_id", "action_name", "user_query", "client_id", "user_id", "timestamp")
"""Fields that stay as they stand in a document."""
_DOCUMENT: Final[Schema] = {
    **dict.fromkeys(_KEPT, _TEXT),
    **dict.fromkeys(_HITS, _TEXTS),
    "event_attributes": pl.Struct(
        {
            "object": pl.Struct({"object_id": _TEXT}),
            "position": pl.Struct({"ordinal": _TEXT}),
            "rank": _TEXT,
        }
    ),
}
_FLAT: Final[Schema] = {
    **dict.fromkeys(_KEPT, _TEXT),
    "hits": _TEXTS,
    "item_id": _TEXT,
    "place": _TEXT,
}
_BULK_ACTIONS: Final = frozenset({"index", "create", "update", "delete"})
_QUERY_KEYS: Final = ("user_query", "query", "text", "q")


class Rows(NamedTuple):
    """Rows out of a chunk of documents.

    Attributes:
        queries: columns and types of `QUERIES`.
        events: those of `EVENTS`.
        rejects: documents that should be rows and cannot.
        passed: valid documents that say nothing about an item of a search, by what they are.
    """

    queries: pl.DataFrame
    events: pl.DataFrame
    rejects: list[Reject]
    passed: Counter[str]


def schema_of(line: bytes) -> Schema:
    """What to read of documents, or hits, like the one on a line."""
    if b'"_source"' in line:
        return {"_source": pl.Struct(_DOCUMENT)}
    return _DOCUMENT


def read_rows(
    chunk: Chunk, *, file: int, only_events: bool, actions: Mapping[str, int] = ACTIONS
) -> Rows:
    """Turn a chunk of documents, read with `schema_of`, into rows.

    A document with an `action_name` is an event, any other a query.

    Args:
        chunk: the documents.
        file: the position of their file.
        only_events: the file holds no queries, so that an event without an action is told.
        actions: as `ACTIONS`.
    """
    codes = {plain(name): code for name, code in actions.items()}
    flat = _flatten(chunk, codes)
    flat = flat.with_columns(
        milliseconds(flat["timestamp"]).alias("time"),
        _codes(flat["action_name"], codes).alias("action"),
        pl.col("place").str.extract(r"(-?\d+)").cast(pl.Int64, strict=False),
        pl.coalesce("client_id", "user_id").alias("user_id"),
        pl.col("user_query").alias("query"),
        pl.col("hits").list.drop_nulls(),
        pl.Series("line", chunk.lines, dtype=pl.UInt32).gather(flat["row"]),
        pl.lit(file, pl.UInt32).alias("file"),
    )
    is_event = pl.lit(True) if only_events else pl.col("action_name").is_not_null()
    used = pl.col("action").is_not_null() & pl.col("query_id").is_not_null()
    flat = flat.with_columns(is_event.alias("is_event"), used.alias("used")).with_columns(_wrong())
    rejects = [
        Reject(line, wrong, _given(wrong, action, timestamp), chunk.raw(row))
        for line, wrong, action, timestamp, row in flat.filter(pl.col("wrong").is_not_null())
        .select("line", "wrong", "action_name", "timestamp", "row")
        .iter_rows()
    ]
    flat = flat.filter(pl.col("wrong").is_null())
    events = flat.filter("is_event")
    return Rows(
        flat.filter(~pl.col("is_event")).select(*QUERIES),
        events.filter("used").select(*EVENTS),
        rejects,
        _count_passed(events.filter(~pl.col("used"))),
    )


def _wrong() -> pl.Expr:
    """Why a document cannot be the row that it should be; null where it can, or should not be."""
    event, used = pl.col("is_event"), pl.col("used")
    causes = {
        "action_name is missing": event & pl.col("action_name").is_null(),
        "query_id is missing": ~event & pl.col("query_id").is_null(),
        "event names no object": event & used & pl.col("item_id").is_null(),
        "timestamp is no time": (~event | used)
        & pl.col("timestamp").is_not_null()
        & pl.col("time").is_null(),
    }
    first = [pl.when(wrong).then(pl.lit(cause)) for cause, wrong in causes.items()]
    return pl.coalesce(first).alias("wrong")


def _given(cause: str, action: str | None, stamp: str | None) -> str:
    if cause.startswith("timestamp"):
        return shorten(stamp)
    return shorten(action) if cause.startswith("event") else ""


def _count_passed(events: pl.DataFrame) -> Counter[str]:
    counts: Counter[str] = Counter()
    kinds = events.group_by("action_name", pl.col("action").is_null().alias("unknown")).len()
    for action, unknown, count in kinds.iter_rows():
        counts[action if unknown else f"{action} without a query_id"] += count
    return counts


def plain(name: str) -> str:
    """An action's name without letter case and what stands between words.

    >>> plain("addToCart") == plain("add-to-cart") == plain("Add to cart")
    True
    """
    return re.sub(r"[\W_]+", "", name.casefold())


def _codes(names: pl.Series, codes: Mapping[str, int]) -> pl.Series:
    found = {name: codes.get(plain(name)) for name in names.unique().drop_nulls()}
    known = {name: code for name, code in found.items() if code is not None}
    return names.replace_strict(
        list(known), list(known.values()), default=None, return_dtype=pl.UInt8
    )


# --- documents -----------------------------------------------------------------------------------


def _flatten(chunk: Chunk, codes: Mapping[str, int]) -> pl.DataFrame:
    """Rows `_FLAT` and `row`, a document's position in the chunk; lines of no document go."""
    if chunk.columns and all(isinstance(column, pl.Series) for column in chunk.columns.values()):
        flat = _flatten_fast(pl.DataFrame(dict(chunk.columns)))
        odd = _is_odd(flat, codes)
        rows, flat = flat.filter(odd)["row"].to_list(), flat.filter(~odd)
    else:
        rows = list(range(len(chunk.lines)))
        flat = pl.DataFrame(schema={**_FLAT, "row": pl.UInt32()})
    if rows:
        found = [_flatten_document(_parse(chunk.raw(row))) for row in rows]
        odd_rows = [
            values | {"row": row} for values, row in zip(found, rows, strict=True) if values
        ]
        flat = pl.concat([flat, pl.DataFrame(odd_rows, schema=flat.schema)]).sort("row")
    blank = pl.col(pl.String).str.strip_chars() == ""
    return flat.with_columns(pl.when(~blank).then(pl.col(pl.String)).name.keep())


def _flatten_fast(frame: pl.DataFrame) -> pl.DataFrame:
    if "_source" in frame.columns:
        frame = frame.unnest("_source")
    attributes = pl.col("event_attributes").struct
    hits = [pl.when(pl.col(name).list.len() > 0).then(pl.col(name)) for name in _HITS]
    flat = frame.select(
        *_KEPT,
        pl.coalesce(hits).alias("hits"),
        attributes.field("object").struct.field("object_id").alias("item_id"),
        pl.coalesce(
            attributes.field("position").struct.field("ordinal"), attributes.field("rank")
        ).alias("place"),
    )
    return flat.with_row_index("row").select(*_FLAT, "row")


def _is_odd(flat: pl.DataFrame, codes: Mapping[str, int]) -> pl.Series:
    """Documents at which Python has to look: none of ours, or in an unusual shape."""
    item_lost = _codes(flat["action_name"], codes).is_not_null() & flat["item_id"].is_null()
    nothing = flat["query_id"].is_null() & flat["action_name"].is_null()
    return item_lost | nothing | flat["user_query"].str.contains(r"^\s*[{\[]").fill_null(False)


def _parse(line: str) -> Any:
    """Parse a line again; nothing where Python is stricter, as about numbers of 5,000 digits."""
    try:
        return parse_json(line)
    except ValueError:
        return {}


def _flatten_document(document: Any) -> dict[str, object] | None:
    """Read one document or hit; None for the action line of a bulk file."""
    if len(document) == 1 and _BULK_ACTIONS.issuperset(document):
        return None
    if isinstance(document.get("_source"), dict):
        document = document["_source"]
    attributes = document.get("event_attributes")
    if not isinstance(attributes, dict):
        attributes = {}
    position = attributes.get("position")
    place = position.get("ordinal") if isinstance(position, dict) else None
    hits: list[str | None] = next(
        (_texts(document[name]) for name in _HITS if document.get(name)), []
    )
    return {
        "query_id": _text(document.get("query_id")),
        "action_name": _text(document.get("action_name")),
        "user_query": _query(document.get("user_query")),
        "client_id": _text(document.get("client_id")),
        "user_id": _text(document.get("user_id")),
        "timestamp": _text(document.get("timestamp")),
        "hits": hits,
        "item_id": _item(attributes.get("object"), document.get("object"), attributes, document),
        "place": _place(place if place is not None else attributes.get("rank")),
    }


def _text(value: object) -> str | None:
    """A text or number as text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # an id that went through a table of floats
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _texts(value: object) -> list[str | None]:
    return [_text(part) for part in value] if isinstance(value, list) else [_text(value)]


def _query(value: object) -> str | None:
    if isinstance(value, dict):
        return next((text for key in _QUERY_KEYS if (text := _query(value.get(key)))), None)
    return _text(value)


def _item(*places: object) -> str | None:
    """Id of an event's object, looked for in one place after the other."""
    for found in places:
        if not isinstance(found, dict):
            if (text := _text(found)) is not None:
                return text
            continue
        field = found.get("object_id_field")
        names = ["object_id", *([field] if isinstance(field, str) else [])]
        if field in (None, "", "_id"):
            names.append("internal_id")
        for name in names:
            if (text := _text(found.get(name))) is not None and text.strip():
                return text
    return None


def _place(value: object) -> str | None:
    return _text(value.get("index") if isinstance(value, dict) else value)
