"""Rows out of Parquet, CSV and JSONL files, in chunks, with a reject for every unreadable line.

A chunk bounds the memory that Python values need; Parquet is the road for large tables, since its
columns stay in Polars. Lines of blanks hold no row and are passed over.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from genrecall.data.config import TableSource
from genrecall.data.rows.csv_records import Lines, read_header, read_records
from genrecall.data.rows.json_documents import numbered_objects
from genrecall.data.rows.lines import Dialect, Row, damage, decoded_lines, unreadable
from genrecall.data.rows.rejects import Reject
from genrecall.data.values.convert import Column, shorten
from genrecall.foundation.errors import DataError, unknown_name

CHUNK: Final = 8_192
"""Rows per chunk: few enough that Python's garbage collector has little to walk."""

_SLICE: Final = 16 * CHUNK
"""Rows of a Parquet file in memory at a time: few enough for memory, many enough for speed."""

_PEEKED: Final = 100
"""Rows of a JSONL file whose keys are taken for its columns."""

_PANIC: Final = pl.exceptions.PanicException
"""Some damage to a Parquet file ends in this instead of a `PolarsError`. It is no `Exception`."""


class Chunk(NamedTuple):
    """Some rows of a table.

    Attributes:
        lines: where each row begins, counted from 1; `[n]`.
        columns: the wanted columns by their name in the file, each `[n]`; a column that the file
            lacks is all null.
        raw: the text of a row, by its position in the chunk.
        rejects: lines among these rows that could not be read.
    """

    lines: Sequence[int]
    columns: Mapping[str, Column]
    raw: Callable[[int], str]
    rejects: list[Reject]


_OTHER_SEPARATORS: Final = ";\t|,"


def read_chunks(
    source: TableSource,
    *,
    wanted: Collection[str],
    needed: Collection[str],
    dialect: Dialect | None = None,
) -> Iterator[Chunk]:
    """Read a table's columns chunk by chunk.

    Args:
        source: the file.
        wanted: their names of the columns to read.
        needed: those of `wanted` that the file must have.
        dialect: how its text is written; None: as the source says.

    Raises:
        DataError: the file is missing or damaged as a whole, or lacks a needed column. A JSONL file
            shows that only at its end.
    """
    with explained(source):
        if source.kind == "parquet":
            yield from _read_parquet(source.file, wanted, needed)
            return
        read = {"csv": _read_csv, "jsonl": _read_jsonl}[source.kind]
        breaks: list[Reject] = []
        yield from read(source.file, dialect or _dialect_of(source), wanted, needed, breaks)
        if breaks:
            yield Chunk([], {name: [] for name in wanted}, str, breaks)


def pick(chunk: Chunk, kept: Sequence[int]) -> Chunk:
    """Some rows of a chunk, by position; its rejects are left out."""
    return Chunk(
        lines=[chunk.lines[row] for row in kept],
        columns={name: _picked(column, kept) for name, column in chunk.columns.items()},
        raw=lambda row: chunk.raw(kept[row]),
        rejects=[],
    )


def _picked(column: Column, kept: Sequence[int]) -> Column:
    if isinstance(column, pl.Series):
        return column.gather(pl.Series(kept, dtype=pl.UInt32))
    return [column[row] for row in kept]


class FirstRows:
    """Leaves out rows that go on with the one before, over all chunks of a table.

    Args:
        column: rows that follow one another with the same value here belong together.

    Attributes:
        left_out: how many rows were left out so far.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        self._last: object = None
        self.left_out = 0

    def of(self, chunk: Chunk) -> Chunk:
        """The first rows of a chunk; a row without a value stays."""
        column = chunk.columns[self._column]
        kept = []
        for row, value in enumerate(column.to_list() if isinstance(column, pl.Series) else column):
            if value is None or value != self._last:
                kept.append(row)
            self._last = value
        self.left_out += len(column) - len(kept)
        return pick(chunk, kept)._replace(rejects=chunk.rejects)


def _dialect_of(source: TableSource) -> Dialect:
    return Dialect(encoding=source.dialect.encoding, separator=source.separator)


def column_names(source: TableSource, *, dialect: Dialect | None = None) -> list[str]:
    """Names of a file's columns in its order; of a JSONL file the keys of its first rows.

    Raises:
        DataError: the file is missing or damaged.
    """
    with explained(source):
        if source.kind == "parquet":
            return list(pl.read_parquet_schema(source.file))
        dialect = dialect or _dialect_of(source)
        breaks: list[Reject] = []
        lines = decoded_lines(source.file, dialect, breaks)
        if source.kind == "csv":
            return read_header(source.file, Lines(lines), dialect, breaks)
        rows = islice(_json_rows(lines, dialect, set()), _PEEKED)
        return list(
            dict.fromkeys(key for row in rows if isinstance(row, Row) for key in row.values)
        )


@contextmanager
def explained(source: TableSource) -> Iterator[None]:
    """Say what is wrong with a file that cannot be read as a whole.

    Raises:
        DataError: it is missing, or what is done here fails at what it holds.
    """
    if not source.file.is_file():
        raise DataError(f"{source.file} does not exist. Correct `file` in the config.")
    try:
        yield
    except (
        OSError,
        EOFError,
        UnicodeError,
        zlib.error,
        pl.exceptions.PolarsError,
        _PANIC,
    ) as error:
        raise DataError(
            f"{source.file} cannot be read as {source.kind}: {error}. Get or write the file again; "
            "in a config, check its `format`."
        ) from error


def _check_needed(file: Path, needed: Collection[str], known: Collection[str]) -> None:
    for name in needed:
        if name not in known:
            raise DataError(
                f"{unknown_name(f'column of {file}', name, known)} "
                "Name the right one under `columns`, for example `columns: {title: their_name}`."
            )


def _in_chunks(rows: Iterator[Row | Reject], wanted: Collection[str]) -> Iterator[Chunk]:
    while batch := list(islice(rows, CHUNK)):
        good = [row for row in batch if isinstance(row, Row)]
        yield Chunk(
            lines=[row.line for row in good],
            columns={name: [row.values.get(name) for row in good] for name in wanted},
            raw=[row.raw for row in good].__getitem__,
            rejects=[row for row in batch if isinstance(row, Reject)],
        )


# --- JSONL ---------------------------------------------------------------------------------------


def _read_jsonl(
    file: Path,
    dialect: Dialect,
    wanted: Collection[str],
    needed: Collection[str],
    breaks: list[Reject],
) -> Iterator[Chunk]:
    known: set[str] = set()
    lines = decoded_lines(file, dialect, breaks)
    yield from _in_chunks(_json_rows(lines, dialect, known), wanted)
    if known:  # else no line could be read, which says more than that a column is missing
        _check_needed(file, needed, known)


def _json_rows(lines: Iterable[str], dialect: Dialect, known: set[str]) -> Iterator[Row | Reject]:
    """Read one object a line, or those of one document, adding every key to `known`.

    Of a hit that was exported from OpenSearch, its document counts, and beside it its `_id`.
    """
    for line, raw in numbered_objects(lines):
        if raw.isspace():
            continue
        if damaged := damage(raw, dialect):
            yield unreadable(line, damaged, "", raw)
            continue
        try:
            values = dialect.parse(raw)
        except ValueError as error:
            yield unreadable(line, f"line is not {dialect.language}", str(error), raw)
            continue
        if not isinstance(values, dict):
            yield unreadable(line, "line is not a JSON object", "", raw)
            continue
        if isinstance(source := values.get("_source"), dict):
            values = {"_id": values.get("_id")} | source
        known.update(values)
        yield Row(line, raw.rstrip("\r\n"), values)


# --- CSV -----------------------------------------------------------------------------------------


def _read_csv(
    file: Path,
    dialect: Dialect,
    wanted: Collection[str],
    needed: Collection[str],
    breaks: list[Reject],
) -> Iterator[Chunk]:
    lines = Lines(decoded_lines(file, dialect, breaks))
    header = read_header(file, lines, dialect, breaks)
    if len(header) == 1 and dialect.separator in header[0] and header[0] not in needed:
        raise DataError(
            f"{file} has one column, {shorten(header[0])}, since all of its header line stands in "
            "one pair of quotes, and so perhaps does each line. Write quotes around fields that "
            "hold the separator alone."
        )
    if other := _other_separator(header, needed):
        raise DataError(
            f"{file} has one column, {shorten(header[0])}, since its fields are not separated by "
            f"{dialect.separator!r} but, it seems, by {other!r}: set the table's "
            f"`dialect: {{separator: {json.dumps(other)}}}`. `genrecall init` sees this by itself."
        )
    _check_needed(file, needed, header)
    for name in wanted:
        if header.count(name) > 1:
            raise DataError(
                f"{file} has {header.count(name)} columns named {name!r}. Rename all but one."
            )
    at = {name: header.index(name) for name in wanted if name in header}
    yield from _in_chunks(read_records(lines, dialect, at, width=len(header)), wanted)


def _other_separator(header: Sequence[str], needed: Collection[str]) -> str | None:
    """What seems to separate the columns, if the whole header is one, and is not the one needed."""
    if len(header) != 1 or all(name in header for name in needed):
        return None
    return next((sign for sign in _OTHER_SEPARATORS if sign in header[0]), None)


# --- Parquet -------------------------------------------------------------------------------------


def _read_parquet(file: Path, wanted: Collection[str], needed: Collection[str]) -> Iterator[Chunk]:
    known = pl.read_parquet_schema(file)
    _check_needed(file, needed, known)
    present = [name for name in wanted if name in known]
    frame = pl.scan_parquet(file, glob=False).select(present)
    rows = pl.scan_parquet(file, glob=False).select(pl.len()).collect().item()
    for first in range(0, rows, _SLICE):
        part = frame.slice(first, _SLICE).collect()
        for start in range(0, min(rows - first, _SLICE), CHUNK):
            yield _parquet_chunk(part.slice(start, CHUNK), first + start, wanted)


def _parquet_chunk(part: pl.DataFrame, start: int, wanted: Collection[str]) -> Chunk:
    columns: dict[str, Column] = {name: part[name] for name in part.columns}
    columns |= {name: [None] * part.height for name in wanted if name not in part.columns}
    return Chunk(
        lines=range(start + 1, start + part.height + 1),
        columns=columns,
        raw=partial(_row_as_json, part),
        rejects=[],
    )


def _row_as_json(frame: pl.DataFrame, position: int) -> str:
    return json.dumps(frame.row(position, named=True), ensure_ascii=False, default=str)
