"""Rows out of Parquet, CSV and JSONL files, in chunks, with a reject for every unreadable line.

A chunk bounds the memory that Python values need; Parquet is the road for large tables, since its
columns stay in Polars. Lines of blanks hold no row and are passed over.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from genrecall.data.cells import Column, parse_json
from genrecall.data.config import TableSource
from genrecall.data.rejects import Reject
from genrecall.errors import DataError, unknown_name

CHUNK: Final = 8_192
"""Rows per chunk: few enough that Python's garbage collector has little to walk."""

_SLICE: Final = 16 * CHUNK
"""Rows of a Parquet file in memory at a time: few enough for memory, many enough for speed."""

_PEEKED: Final = 100
"""Lines of a JSONL file whose keys are taken for its columns."""

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = "\ufeff"


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


@dataclass(frozen=True)
class Dialect:
    """How a publisher writes CSV and JSONL; by default as a shop does.

    Attributes:
        fallback: encoding of the lines that are not UTF-8; None makes them rejects.
        separator: between the fields of CSV.
        language: what a line of JSONL is written in, as told in a reject.
        parse: reads a line of JSONL; raises ValueError.
        keep_before_break: a file that breaks off, such as half a gzip file, gives the rows before
            the break and one reject, instead of an error.
    """

    fallback: str | None = None
    separator: str = ","
    language: str = "JSON"
    parse: Callable[[str], object] = parse_json
    keep_before_break: bool = False


_OURS: Final = Dialect()


def read_chunks(
    source: TableSource,
    *,
    wanted: Collection[str],
    needed: Collection[str],
    dialect: Dialect = _OURS,
) -> Iterator[Chunk]:
    """Read a table's columns chunk by chunk.

    Args:
        source: the file.
        wanted: their names of the columns to read.
        needed: those of `wanted` that the file must have.
        dialect: how its text is written.

    Raises:
        DataError: the file is missing or damaged as a whole, or lacks a needed column. A JSONL file
            shows that only at its end.
    """
    with _explained(source):
        if source.kind == "parquet":
            yield from _read_parquet(source.file, wanted, needed)
            return
        read = {"csv": _read_csv, "jsonl": _read_jsonl}[source.kind]
        breaks: list[Reject] = []
        yield from read(source.file, dialect, wanted, needed, breaks)
        if breaks:
            yield Chunk([], {name: [] for name in wanted}, str, breaks)


def column_names(source: TableSource, *, dialect: Dialect = _OURS) -> list[str]:
    """Names of a file's columns in its order; of a JSONL file the keys of its first rows.

    Raises:
        DataError: the file is missing or damaged.
    """
    with _explained(source):
        if source.kind == "parquet":
            return list(pl.read_parquet_schema(source.file))
        lines = _decoded_lines(source.file, dialect, [])
        if source.kind == "csv":
            return _csv_header(source.file, _Lines(lines), dialect)
        rows = _json_rows(islice(lines, _PEEKED), dialect, set())
        return list(
            dict.fromkeys(key for row in rows if isinstance(row, _Row) for key in row.values)
        )


@contextmanager
def _explained(source: TableSource) -> Iterator[None]:
    """Say what is wrong with a file that cannot be read as a whole."""
    if not source.file.is_file():
        raise DataError(f"{source.file} does not exist. Correct `file` in the config.")
    try:
        yield
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
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


class _Row(NamedTuple):
    line: int
    raw: str
    values: Mapping[str, object]


def _in_chunks(rows: Iterator[_Row | Reject], wanted: Collection[str]) -> Iterator[Chunk]:
    while batch := list(islice(rows, CHUNK)):
        good = [row for row in batch if isinstance(row, _Row)]
        yield Chunk(
            lines=[row.line for row in good],
            columns={name: [row.values.get(name) for row in good] for name in wanted},
            raw=[row.raw for row in good].__getitem__,
            rejects=[row for row in batch if isinstance(row, Reject)],
        )


def _decoded_lines(file: Path, dialect: Dialect, breaks: list[Reject]) -> Iterator[str]:
    """Lines with their ends; bytes that are not UTF-8 become lone surrogates, see `_is_utf8`.

    Where the file breaks off and the dialect keeps what is before, `breaks` gets a reject.
    """
    with file.open("rb") as probe:
        zipped = probe.read(2) == _GZIP
    number = 0
    with gzip.open(file) if zipped else file.open("rb") as stream:
        try:
            for number, line in enumerate(stream, start=1):
                text = _decoded(line, dialect.fallback)
                yield text.removeprefix(_BOM) if number == 1 else text
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            if not dialect.keep_before_break:
                raise
            breaks.append(Reject(number + 1, "file breaks off here", str(error), ""))


def _decoded(line: bytes, fallback: str | None) -> str:
    if fallback is None:
        return line.decode("utf-8", "surrogateescape")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode(fallback, "surrogateescape")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reject(line: int, cause: str, given: str, raw: str) -> Reject:
    shown = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return Reject(line, cause, given, shown.rstrip("\r\n"))


# --- JSONL ---------------------------------------------------------------------------------------


def _read_jsonl(
    file: Path,
    dialect: Dialect,
    wanted: Collection[str],
    needed: Collection[str],
    breaks: list[Reject],
) -> Iterator[Chunk]:
    known: set[str] = set()
    lines = _decoded_lines(file, dialect, breaks)
    yield from _in_chunks(_json_rows(lines, dialect, known), wanted)
    if known:  # else no line could be read, which says more than that a column is missing
        _check_needed(file, needed, known)


def _json_rows(lines: Iterable[str], dialect: Dialect, known: set[str]) -> Iterator[_Row | Reject]:
    """Read one object a line, adding every key that occurs to `known`."""
    for line, raw in enumerate(lines, start=1):
        if raw.isspace():
            continue
        if not _is_utf8(raw):
            yield _reject(line, "line is not UTF-8", "", raw)
            continue
        try:
            values = dialect.parse(raw)
        except ValueError as error:
            yield _reject(line, f"line is not {dialect.language}", str(error), raw)
            continue
        if not isinstance(values, dict):
            yield _reject(line, "line is not a JSON object", "", raw)
            continue
        known.update(values)
        yield _Row(line, raw.rstrip("\r\n"), values)


# --- CSV -----------------------------------------------------------------------------------------


class _Lines:
    """Physical lines for `csv.reader`, which remembers what a record took and can take it back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()
        self.taken: list[str] = []
        self.line = 1
        """Number of the first taken line."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        return line

    def begin_record(self) -> None:
        """Forget the lines taken so far."""
        self.line += len(self.taken)
        self.taken = []

    def keep_first(self) -> None:
        """Give all taken lines but the first back."""
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _read_csv(
    file: Path,
    dialect: Dialect,
    wanted: Collection[str],
    needed: Collection[str],
    breaks: list[Reject],
) -> Iterator[Chunk]:
    lines = _Lines(_decoded_lines(file, dialect, breaks))
    header = _csv_header(file, lines, dialect)
    _check_needed(file, needed, header)
    for name in wanted:
        if header.count(name) > 1:
            raise DataError(
                f"{file} has {header.count(name)} columns named {name!r}. Rename all but one."
            )
    at = {name: header.index(name) for name in wanted if name in header}
    yield from _in_chunks(_csv_rows(lines, dialect, at, width=len(header)), wanted)


def _csv_header(file: Path, lines: _Lines, dialect: Dialect) -> list[str]:
    try:
        header = next(_csv_reader(lines, dialect))
    except StopIteration:
        raise DataError(f"{file} is empty: not even a header line names its columns.") from None
    except csv.Error as error:
        raise DataError(
            f"{file}, line 1: the header line cannot be read ({error}). It must name the columns, "
            "separated by commas."
        ) from None
    if not _is_utf8("".join(header)):
        raise DataError(f"{file}, line 1: the header line is not UTF-8. Save the file as UTF-8.")
    return header


def _csv_reader(lines: _Lines, dialect: Dialect) -> Iterator[list[str]]:
    # Lenient, it would read '"5"x' as '5x' without a word.
    return csv.reader(lines, strict=True, delimiter=dialect.separator)


def _csv_rows(
    lines: _Lines, dialect: Dialect, at: Mapping[str, int], *, width: int
) -> Iterator[_Row | Reject]:
    """Read records; `at` is the position of each wanted column among the `width` fields.

    A record that is not CSV costs only its first line: after a quote that is never closed, the next
    line is read as a record again.
    """
    reader = _csv_reader(lines, dialect)
    while True:
        lines.begin_record()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.keep_first()
            yield _reject(lines.line, "line is not CSV", str(error), lines.taken[0])
            continue
        raw = "".join(lines.taken)
        if raw.isspace():
            continue
        if not _is_utf8(raw):
            yield _reject(lines.line, "line is not UTF-8", "", raw)
        elif len(fields) != width:
            given = f"{len(fields)} instead of {width}"
            yield _reject(lines.line, "line has the wrong number of fields", given, raw)
        else:
            cells = _csv_cells(raw, fields)
            values = {name: cells[position] for name, position in at.items()}
            yield _Row(lines.line, raw.rstrip("\r\n"), values)


def _csv_cells(raw: str, fields: list[str]) -> list[str | None]:
    """Tell an empty field (null) from a quoted empty one (""), which `csv` does not.

    >>> _csv_cells('a,,""', ["a", "", ""])
    ['a', None, '']
    """
    if '""' not in raw:
        return [field or None for field in fields]
    cells: list[str | None] = []
    start = 0
    for field in fields:
        quoted = raw.startswith('"', start)
        cells.append(field if field or quoted else None)
        # Inside quotes each quote is doubled; two more enclose the field; a comma follows.
        start += len(field) + (2 + field.count('"') if quoted else 0) + 1
    return cells


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
