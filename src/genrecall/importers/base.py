"""What all importers share: reading a publisher's files, writing our tables in bounded memory.

Rows go out in parts of a bounded size, which are joined into one Parquet file per table at the end.
A row that cannot be used is named by file, line and cause, counted, and kept in `rejects/`.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import polars as pl

from genrecall.data.config import TableSource
from genrecall.data.rows.lines import Dialect
from genrecall.data.rows.readers import Chunk, column_names, pick, read_chunks
from genrecall.data.rows.rejects import Reject, reject_line
from genrecall.data.validate import (
    ITEMS_SCHEMA,
    JUDGMENTS_SCHEMA,
    SEARCHES_SCHEMA,
    USERS_SCHEMA,
    TableSchema,
    check_chunk,
)
from genrecall.data.values.reading import CellReader
from genrecall.foundation.errors import DataError
from genrecall.foundation.progress import Progress, RunLog
from genrecall.importers.ndjson import read_json_chunks

PART_ROWS: Final = 131_072
"""Rows of a table in memory before they are written."""

_SCHEMAS: Final = {
    "items": ITEMS_SCHEMA,
    # Numbered by their reader where they have no id. An importer makes ids that differ: to compare
    # those of a long log would take memory that grows with it.
    "searches": replace(SEARCHES_SCHEMA, unique=None, numbered=False),
    "users": USERS_SCHEMA,
    "judgments": JUDGMENTS_SCHEMA,
}

_PUBLISHED: Final = Dialect(keep_before_break=True)

_ENDING: Final = re.compile(r"\.(jsonl|ndjson|json|csv|tsv|parquet)(\.gz)?$", re.IGNORECASE)

_SHOWN: Final = 5
"""How many files or causes an error names."""


@dataclass
class Tables:
    """The tables under way; made by `run.import_data` and given to an importer.

    Attributes:
        source: what is imported; rejects name its files relative to it.
        layout: the files that the importer expects.
        folder: a scratch folder that becomes the output.
        log: where to report.
        options: the importer's options, defaults filled in.
        notes: what the user should know about the tables; the importer adds to it.
        positive_from: set by an importer whose scale of relevance needs another than the default.
        counts: rows of each table so far.
        rejects: how often each cause occurred so far, by file.
    """

    source: Path
    layout: str
    folder: Path
    log: RunLog
    options: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    positive_from: float | None = None
    counts: Counter[str] = field(default_factory=Counter)
    rejects: dict[str, Counter[str]] = field(default_factory=dict)
    _first: dict[tuple[str, str], Reject] = field(default_factory=dict)
    _waiting: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    _seen: dict[str, set[str]] = field(default_factory=dict)
    _reader: CellReader = field(default_factory=CellReader)

    # --- in ---

    def find(self, file: Path) -> Path:
        """An expected file, as it stands or gzipped.

        Raises:
            DataError: it is not there.
        """
        found = self.find_optional(file)
        if found is None:
            raise self.missing(file.name)
        return found

    def find_optional(self, file: Path) -> Path | None:
        """A file, as it stands or gzipped; None if it is not there."""
        zipped = file.with_name(f"{file.name}.gz")
        return next((path for path in (file, zipped) if path.is_file()), None)

    def missing(self, name: str) -> DataError:
        """Say that the source lacks a file, what it has, and what is expected."""
        if self.source.is_dir():
            names = sorted(path.name for path in self.source.iterdir())
            holds = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
            found = f"holds {holds or 'nothing'}"
        else:
            found = "is a file" if self.source.exists() else "does not exist"
        return DataError(f"{self.source} has no {name}; it {found}. Expected:\n{self.layout}")

    def read(
        self,
        file: Path,
        *,
        wanted: Collection[str],
        needed: Collection[str] = (),
        dialect: Dialect = _PUBLISHED,
        kind: str | None = None,
        types: Mapping[str, pl.DataType] | None = None,
    ) -> Iterator[Chunk]:
        """Read a file chunk by chunk; what cannot be read becomes rejects.

        Args:
            file: CSV, JSONL (maybe gzipped) or Parquet.
            wanted: names of the columns to read; one that the file lacks is all null.
            needed: those that it must have.
            dialect: how its text is written. A file that breaks off keeps the rows before.
            kind: `parquet`, `csv` or `jsonl`; None: by the ending.
            types: of JSONL, the types that the wanted columns have as a rule: it is parsed by them,
                several times as fast, and line by line where they do not hold.

        Raises:
            DataError: the file is unreadable as a whole, or lacks a needed column.
        """
        source = TableSource.model_validate({"file": file, "format": kind})
        dialect = replace(dialect, keep_before_break=True)
        known = column_names(source, dialect=dialect)
        lacking = [name for name in needed if name not in known]
        if lacking and known:  # a file without a readable line is told by its rejects
            raise DataError(
                f"{file} has no column {', '.join(lacking)}; it has {', '.join(known)}. "
                f"Expected:\n{self.layout}"
            )
        progress = Progress(self.log, file.name, total=None, unit="rows")
        empty = True
        if types is None:
            chunks = read_chunks(source, wanted=wanted, needed=(), dialect=dialect)
        else:
            chunks = read_json_chunks(file, lambda _: types)
        for chunk in chunks:
            empty = False
            self.reject(file, *chunk.rejects)
            progress.update(len(chunk.lines) + len(chunk.rejects))
            yield chunk
        if empty:
            self.notes.append(f"{self._name(file)} holds no rows")

    def rows(
        self, file: Path, schema: TableSchema, *, dialect: Dialect = _PUBLISHED
    ) -> Iterator[pl.DataFrame]:
        """Read a file of the publisher as rows in the columns and types of `schema`.

        Raises:
            DataError: as `read` does, for a required column that the file lacks.
        """
        needed = schema.required
        for chunk in self.read(file, wanted=schema.columns, needed=needed, dialect=dialect):
            yield self.check(file, chunk, schema)

    def check(self, file: Path, chunk: Chunk, schema: TableSchema) -> pl.DataFrame:
        """Convert rows to the types of a schema; what does not fit becomes rejects.

        Cells are converted as those of a shop's own tables are: see `data/values/reading.py`.
        """
        mapping = {name: name for name in chunk.columns}
        seen = self._seen.setdefault(schema.name, set())
        frame, rejects = check_chunk(chunk, schema, mapping, seen, self._reader)
        self.reject(file, *rejects)
        return frame

    def drop(self, file: Path, chunk: Chunk, causes: Mapping[int, tuple[str, str]]) -> Chunk:
        """Reject rows by position, for a cause and a given value, and give the others."""
        if not causes:
            return chunk
        self.reject(
            file,
            *(
                Reject(chunk.lines[row], cause, given, chunk.raw(row))
                for row, (cause, given) in sorted(causes.items())
            ),
        )
        return pick(chunk, [row for row in range(len(chunk.lines)) if row not in causes])

    # --- out ---

    def take(self, table: str, file: Path, chunk: Chunk) -> pl.DataFrame:
        """Check and write rows whose columns have our names; what does not fit becomes rejects.

        Returns the kept rows, columns and types of the table.
        """
        schema = _SCHEMAS[table]
        unknown = set(chunk.columns) - set(schema.columns)
        assert not unknown, f"{table} has no column {unknown}"
        frame = self.check(file, chunk, schema)
        self.write(table, frame)
        return frame

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Write rows as they are: columns of the table by name, those missing are null."""
        columns = _SCHEMAS[table].columns
        assert set(frame.columns) <= set(columns), f"{table} has no such column"
        whole = frame.select(
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
            for name, dtype in columns.items()
        )
        waiting = self._waiting.setdefault(table, [])
        waiting.append(whole)
        self.counts[table] += whole.height
        if sum(part.height for part in waiting) >= PART_ROWS:
            self._write_part(table)

    def reject(self, file: Path, *rejects: Reject) -> None:
        """Keep rows that cannot be used."""
        if not rejects:
            return
        name = self._name(file)
        counts = self.rejects.setdefault(name, Counter())
        path = self.folder / "rejects" / f"{_ENDING.sub('', name).replace('/', '-')}.jsonl"
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            for reject in rejects:
                counts[reject.cause] += 1
                self._first.setdefault((name, reject.cause), reject)
                stream.write(reject_line(reject, file=name))

    def _name(self, file: Path) -> str:
        inside = file != self.source and file.is_relative_to(self.source)
        return file.relative_to(self.source).as_posix() if inside else file.name

    def _parts(self, table: str) -> Path:
        return self.folder / f".{table}"

    def _write_part(self, table: str) -> None:
        parts = self._parts(table)
        parts.mkdir(exist_ok=True)
        number = sum(1 for _ in parts.iterdir())
        pl.concat(self._waiting.pop(table)).write_parquet(parts / f"{number:06d}.parquet")

    def finish(self) -> None:
        """Join the parts of each table.

        Raises:
            DataError: there is nothing, a table that was begun is empty, or there are judgments
                of no items.
        """
        begun = {*self.counts, *({"items"} if "judgments" in self.counts else ())}
        empty = sorted(table for table in begun if not self.counts[table])
        if empty or not begun:
            causes = "".join(
                f"\n  {name}, {reject}  ({self.rejects[name][cause]:,} such rows)"
                for (name, cause), reject in list(self._first.items())[:_SHOWN]
            )
            raise DataError(
                f"{self.source} gives no row of {', '.join(empty) or 'any table'}."
                + (f" The first causes:{causes}" if causes else " Its files hold no rows.")
                + f"\nExpected:\n{self.layout}"
            )
        for table in self.counts:
            if self._waiting.get(table):
                self._write_part(table)
            parts = self._parts(table)
            pl.scan_parquet(sorted(parts.iterdir())).sink_parquet(
                self.folder / f"{table}.parquet", row_group_size=PART_ROWS
            )
            shutil.rmtree(parts)
