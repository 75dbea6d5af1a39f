"""The item log: what was written of items, on disk before it is acknowledged.

One SQLite file holds the newest state of each item that was ever written, not its history. States
are numbered in the order in which they were written; who has applied all up to a number reads what
came after it. A write is synced before it returns, so whatever survives a crash is all that was
acknowledged and nothing of a write that was not: SQLite's write-ahead log has no half transactions.

Several processes may share a file. One of them writes at a time; the others wait, and each sees in
`changed`, which costs some microseconds, whether another one has written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from genrecall.foundation.errors import ArtifactError, StorageFullError
from genrecall.foundation.sid import Sid

_SCHEMA: Final = 1
_PATIENCE: Final = 10.0  # seconds, for another writer

Item = Mapping[str, Any]
"""An item in the columns of the items table, as JSON has them."""

Outcome = Literal["created", "updated", "deleted", "unchanged", "stale", "unknown"]


class Change(NamedTuple):
    """One wish of a writer.

    Attributes:
        item_id: of the item.
        item: as it is to be; None to delete it.
        sid: behind which it is found; None for a deletion.
        version: of this state, at least 0; one that is not higher than what is there changes
            nothing. None for the next one.
    """

    item_id: str
    item: Item | None
    sid: Sid | None = None
    version: int | None = None


class Written(NamedTuple):
    """What became of a change.

    Attributes:
        item_id: of the item.
        outcome: `unchanged` where this version is there already, `stale` where a later one is,
            `unknown` where nothing was there to delete.
        version: that is there now; None where nothing is.
    """

    item_id: str
    outcome: Outcome
    version: int | None


class State(NamedTuple):
    """An item as it was written last.

    Attributes:
        number: of the write, ascending.
        item_id: of the item.
        version: of the state.
        item: None where it was deleted.
        sid: behind which it is found; None where it was deleted.
    """

    number: int
    item_id: str
    version: int
    item: Item | None
    sid: Sid | None


class ItemLog:
    """A log on disk, opened by this process; not to be shared by threads.

    Args:
        file: the SQLite file; made where there is none.
        space: digest of the SID space that its SIDs are of.

    Raises:
        ArtifactError: no item log, a damaged one, or one of another SID space or schema.
    """

    def __init__(self, file: Path, *, space: str) -> None:
        self.file, self.space = file, space
        file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)
        with self._telling():
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                self._make()
        self._seen = self._data_version()

    def write(self, changes: Sequence[Change], *, known: Sequence[bool]) -> list[Written]:
        """Write changes, all of them or none, and sync them.

        Args:
            changes: in their order; of the same item, a later one follows an earlier one.
            known: whether each item is there without the log, as those of a bundle are.

        Raises:
            StorageFullError: the disk is full; nothing was written.
            ArtifactError: the file is damaged.
        """
        with self._telling():
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                return [
                    self._write(change, known=there)
                    for change, there in zip(changes, known, strict=True)
                ]

    def get(self, item_id: str) -> State | None:
        """The state of an item; None where it was never written."""
        with self._telling():
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM items WHERE item_id = ?", (item_id,)
            ).fetchone()
        return None if row is None else _state(row)

    def after(self, number: int) -> Iterator[State]:
        """The states that were written after a number, in their order."""
        with self._telling():
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM items WHERE number > ? ORDER BY number", (number,)
            )
            yield from map(_state, rows)

    def changed(self) -> bool:
        """Whether another process has written since this was asked last."""
        before, self._seen = self._seen, self._data_version()
        return before != self._seen

    @property
    def last(self) -> int:
        """Number of the latest write; 0 before the first."""
        with self._telling():
            (number,) = self._connection.execute("SELECT max(number) FROM items").fetchone()
        return int(number or 0)

    def counts(self) -> dict[str, int]:
        """How many items stand in it, by `live` and `deleted`."""
        with self._telling():
            rows = self._connection.execute(
                "SELECT item IS NULL, count(*) FROM items GROUP BY item IS NULL"
            ).fetchall()
        found = {bool(gone): int(count) for gone, count in rows}
        return {"live": found.get(False, 0), "deleted": found.get(True, 0)}

    def snapshot(self, target: Path) -> None:
        """Copy the log as it is now into a new file, while others may write.

        Raises:
            StorageFullError: the disk is full.
            FileExistsError: there is such a file.
        """
        with target.open("xb"):
            pass
        copy = sqlite3.connect(target)
        try:
            with self._telling():
                self._connection.backup(copy)
        except BaseException:
            copy.close()
            target.unlink()
            raise
        copy.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _make(self) -> None:
        execute = self._connection.execute
        execute("CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        about = dict(execute("SELECT name, value FROM about").fetchall())
        if not about:
            told = [("schema", str(_SCHEMA)), ("space", self.space)]
            self._connection.executemany("INSERT INTO about VALUES (?, ?)", told)
            execute(
                "CREATE TABLE items (item_id TEXT PRIMARY KEY, version INTEGER NOT NULL, "
                "number INTEGER NOT NULL UNIQUE, item TEXT, sid TEXT) WITHOUT ROWID"
            )
            return
        if about.get("schema") != str(_SCHEMA):
            raise ArtifactError(
                f"{self.file} has schema {about.get('schema')!r}; this version reads {_SCHEMA}. "
                "Write its items anew with this version."
            )
        if about.get("space") != self.space:
            raise ArtifactError(
                f"{self.file} holds items of another SID space than the bundle's: their SIDs mean "
                "other clusters there. Give another file, or have its items encoded again."
            )

    def _write(self, change: Change, *, known: bool) -> Written:
        execute, item_id = self._connection.execute, change.item_id
        before = execute(
            "SELECT version, item IS NULL FROM items WHERE item_id = ?", (item_id,)
        ).fetchone()
        version, gone = (None, not known) if before is None else (int(before[0]), bool(before[1]))
        if change.version is not None and version is not None and change.version <= version:
            outcome: Outcome = "unchanged" if change.version == version else "stale"
            return Written(item_id, outcome, version)
        if change.item is None and gone and change.version is None:
            return Written(item_id, "unknown", version)
        following = 0 if version is None else version + 1
        now = following if change.version is None else change.version
        item = None if change.item is None else json.dumps(change.item, ensure_ascii=False)
        sid = None if change.sid is None else json.dumps(list(change.sid))
        execute(
            "INSERT OR REPLACE INTO items VALUES "
            "(?, ?, (SELECT coalesce(max(number), 0) + 1 FROM items), ?, ?)",
            (item_id, now, item, sid),
        )
        if change.item is None:
            return Written(item_id, "deleted", now)
        return Written(item_id, "created" if gone else "updated", now)

    def _data_version(self) -> int:
        with self._telling():
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StorageFullError(
                    f"{self.file} cannot grow: the disk is full. Nothing was written; make room "
                    "and write again."
                ) from error
            raise ArtifactError(f"{self.file} cannot be used: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise ArtifactError(
                f"{self.file} is no item log, or it is damaged ({error}). Restore it from a "
                "snapshot."
            ) from error


_COLUMNS: Final = "number, item_id, version, item, sid"


def _state(row: tuple[int, str, int, str | None, str | None]) -> State:
    number, item_id, version, item, sid = row
    codes = None if sid is None else json.loads(sid)
    return State(
        number,
        item_id,
        version,
        None if item is None else json.loads(item),
        None if codes is None else Sid(*codes),
    )
