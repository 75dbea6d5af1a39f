"""OpenSearch User Behavior Insights (UBI), schema 1.0 to 1.3: a search log out of two indices.

The plugin and its clients write a document for each query and one for each event, which tell of
their search by `query_id`. How a document is read is told in `ubi_documents`. A search is made of
all documents with one `query_id`, in whatever order and files they come:

- its query, time and shopper are those of the first query document that has them, else of the first
  event; the shopper is the `client_id`, which all versions log, else the `user_id`.
- impressions: the items of the query documents in order, the documents in order of time, so that a
  second page follows the first; then items of impression events by place, if not among them.
- clicks and purchases: items of such events in order of time, each once.

Events whose `query_id` no query document has are rejects, unless they carry the `user_query`.
Sources: the JSON schemas of UBI 1.0.0 to 1.3.0 and the index mappings of the OpenSearch plugin.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Final

import polars as pl

from genrecall.data.rows.rejects import Reject
from genrecall.foundation.progress import Progress
from genrecall.importers import Option
from genrecall.importers.base import Tables
from genrecall.importers.buckets import Buckets, bucket_count, scratch_folder
from genrecall.importers.ndjson import read_json_chunks
from genrecall.importers.ubi_documents import (
    ACTIONS,
    CLICK,
    EVENTS,
    IMPRESSION,
    PURCHASE,
    QUERIES,
    read_rows,
    schema_of,
)
from genrecall.importers.ubi_searches import join_searches

LAYOUT: Final = """\
  ubi_queries*.jsonl  the index ubi_queries: a document or an exported hit a line
  ubi_events*.jsonl   the index ubi_events
  Endings .ndjson and .json will do, and .gz behind them; so will one file for both indices."""

OPTIONS: Final = {
    name: Option("", (), f"further action names that count as {name}, separated by commas")
    for name in ("impressions", "clicks", "purchases")
}
_ENDINGS: Final = (".jsonl", ".ndjson", ".json")
_SHOWN: Final = 10
_STRANGE: Final = 0.5
"""Share of clicks on items of the page below which queries and events seem to use other ids."""


def import_files(source: Path, tables: Tables) -> None:
    """Read the exports in a folder, or a single one, into `searches` and `users`.

    Raises:
        DataError: there are none.
    """
    files = _find(source, tables)
    with scratch_folder(tables.folder) as scratch:
        log = _Log(tables, scratch, files)
        for number, file in enumerate(files):
            log.read(number, file)
        log.write_searches()
        log.write_users()
    tables.notes += log.notes()


def _find(source: Path, tables: Tables) -> list[Path]:
    """Exports in a folder, or the single one; one with another ending is told."""
    if source.is_file():
        return [source]
    named = [file for file in sorted(source.iterdir()) if file.is_file() and _indices(file)]
    files = [file for file in named if file.name.lower().removesuffix(".gz").endswith(_ENDINGS)]
    if not files:
        raise tables.missing("ubi_queries*.jsonl and no ubi_events*.jsonl")
    tables.notes += [
        f"{file.name} is not read: export it as JSON lines, in {', '.join(_ENDINGS)} or with .gz "
        "behind it"
        for file in named
        if file not in files
    ]
    return files


def _indices(file: Path) -> list[str]:
    """Of which indices a file tells, by its name."""
    return [index for index in ("ubi_queries", "ubi_events") if index in file.name.lower()]


class _Log:
    """The log under way."""

    def __init__(self, tables: Tables, scratch: Path, files: list[Path]) -> None:
        self._tables, self._files = tables, files
        count = bucket_count(files)
        self._queries = Buckets(scratch / "queries", key="query_id", schema=QUERIES, count=count)
        self._events = Buckets(scratch / "events", key="query_id", schema=EVENTS, count=count)
        users = {"user_id": pl.String()}
        self._users = Buckets(scratch / "users", key="user_id", schema=users, count=count)
        self._actions = dict(ACTIONS)
        for kind, option in zip((IMPRESSION, CLICK, PURCHASE), OPTIONS, strict=True):
            more = tables.options[option].split(",")
            self._actions |= {name: kind for name in more if name.strip()}
        self._passed: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def read(self, number: int, file: Path) -> None:
        """Read the documents of one file."""
        only_events = _indices(file) == ["ubi_events"]
        progress = Progress(self._tables.log, file.name, total=None, unit="documents")
        for chunk in read_json_chunks(file, schema_of):
            rows = read_rows(chunk, file=number, only_events=only_events, actions=self._actions)
            self._tables.reject(file, *chunk.rejects, *rows.rejects)
            self._passed += rows.passed
            self._queries.add(rows.queries)
            self._events.add(rows.events)
            self._counts["events"] += rows.events.height
            progress.update(len(chunk.lines) + len(chunk.rejects))

    def write_searches(self) -> None:
        """Join queries and events, and write the searches; lay the shoppers aside."""
        progress = Progress(self._tables.log, "join", total=len(self._queries), unit="buckets")
        for bucket in range(len(self._queries)):
            joined = join_searches(self._queries.take(bucket), self._events.take(bucket))
            self._tables.write("searches", joined.searches)
            self._users.add(joined.searches.select(pl.col("user_id").drop_nulls().unique()))
            self._reject_orphans(joined.orphans)
            self._counts["textless"] += joined.textless
            self._counts["clicks"] += joined.clicks
            self._counts["clicks_on_page"] += joined.clicks_on_page
            progress.update(1)

    def write_users(self) -> None:
        """Write each shopper once."""
        for bucket in range(len(self._users)):
            users = self._users.take(bucket).unique().sort("user_id")
            if users.height:
                self._tables.write("users", users)

    def notes(self) -> list[str]:
        """What is to be said about the log as a whole."""
        notes = []
        if not self._counts["events"] + self._passed.total():
            notes.append("the log holds no event, so no search has a click or a purchase")
        if self._passed:
            most = self._passed.most_common(_SHOWN)
            kinds = ", ".join(f"{name} {count:,}" for name, count in most)
            if len(self._passed) > len(most):
                kinds += f" and {len(self._passed) - len(most)} more kinds"
            notes.append(
                f"events that say nothing of an item of a search: {self._passed.total():,}, of "
                f"them {kinds}. If some should count, name them: --option clicks=NAME,NAME."
            )
        if self._counts["textless"]:
            notes.append(
                f"queries without user_query, which are left out: {self._counts['textless']:,}."
            )
        clicks, on_page = self._counts["clicks"], self._counts["clicks_on_page"]
        if on_page < _STRANGE * clicks:
            notes.append(
                f"clicks on items that their query did not return: {clicks - on_page:,} of "
                f"{clicks:,}. Queries and events seem to name items by different ids: the plugin "
                "logs internal numbers unless the search names an object_id_field."
            )
        return notes

    def _reject_orphans(self, orphans: pl.DataFrame) -> None:
        """Keep events of no query by what was read of them."""
        for (number,), events in orphans.sort("file", "line").group_by("file", maintain_order=True):
            used = events.select("line", "query_id", "action", "item_id")
            rejects = [
                Reject(
                    line, "query_id has no query", query_id, _document(query_id, action, item_id)
                )
                for line, query_id, action, item_id in used.iter_rows()
            ]
            self._tables.reject(self._files[int(number)], *rejects)


def _document(query_id: str, action: int, item_id: str) -> str:
    event = {
        "action_name": {IMPRESSION: "impression", CLICK: "click", PURCHASE: "purchase"}[action],
        "query_id": query_id,
        "event_attributes": {"object": {"object_id": item_id}},
    }
    return json.dumps(event, ensure_ascii=False)
