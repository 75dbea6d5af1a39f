"""Records out of the lines of a CSV file, with a reject for each that is none."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from genrecall.data.rows.lines import Dialect, Row, damage, is_text, unreadable
from genrecall.data.rows.rejects import Reject
from genrecall.foundation.errors import DataError

_LONGEST: Final = 2**24
"""Characters of a cell. Without a limit, a quote that is never closed would have the rest of a file
in memory; by default `csv` refuses descriptions of 131,072 characters."""

_EXCEL: Final = re.compile(r"\ufeff?\"?sep=.\"?\s*", re.IGNORECASE)

_WRONG: Final[Mapping[str, str]] = {
    "unexpected end of data": "a quote is opened and never closed",
    "expected after": "text follows a quote; quotes within a quoted cell are doubled",
    "new-line character": "a carriage return stands alone, as at the ends of lines of old Macs; "
    "write line feeds",
    "larger than field limit": f"a cell has more than {_LONGEST:,} characters, or a quote is "
    "opened and never closed",
}
"""What the words of `csv` mean."""


class Lines:
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

    def give_back(self, but: int = 0) -> None:
        """Give the taken lines back, but for some of the first."""
        self._returned.extendleft(reversed(self.taken[but:]))
        del self.taken[but:]


def read_header(file: Path, lines: Lines, dialect: Dialect, breaks: list[Reject]) -> list[str]:
    """Read the names of the columns; `breaks` are those of the lines, see `decoded_lines`.

    Before it may stand lines of blanks, and `sep=;` as Excel has it.

    Raises:
        DataError: there is no header line, or it cannot be read.
        EOFError: the file breaks off before it.
    """
    skip_preamble(lines)
    try:
        header = next(_reader(lines, dialect))
    except StopIteration:
        if breaks:
            raise EOFError(breaks[0].given) from None
        raise DataError(f"{file} is empty: not even a header line names its columns.") from None
    except csv.Error as error:
        raise DataError(
            f"{file}, line {lines.line}: the header line cannot be read: {_what_is_wrong(error)}. "
            "It must name the columns; between them stands `separator` of the table's `dialect`, "
            "by default a comma."
        ) from None
    names = "".join(header)
    encoding = dialect.encoding or "UTF-8"
    if not is_text(names):
        raise DataError(
            f"{file}, line {lines.line}: the header line is not {encoding}. Set the table's "
            "`dialect: {encoding: …}`, such as cp1252 (Windows) or utf-16, or save it as UTF-8."
        )
    if "\0" in names:
        raise DataError(
            f"{file}, line {lines.line}: read as {encoding}, the header line holds NUL bytes, as "
            "UTF-16 and damaged files do. Set the table's `dialect: {encoding: utf-16}`, or export "
            "the file anew."
        )
    return header


def skip_preamble(lines: Lines) -> None:
    """Pass over what may stand before the header line, and begin the record of that."""
    for line in lines:
        if not line.isspace() and not _EXCEL.fullmatch(line):
            lines.give_back()
            break
        lines.begin_record()


def _what_is_wrong(error: csv.Error) -> str:
    """Say it in words of the one who has the file."""
    return next((told for ours, told in _WRONG.items() if ours in str(error)), str(error))


def _reader(lines: Lines, dialect: Dialect) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST)  # of the process; no reader has one of its own
    # Lenient, it would read '"5"x' as '5x' without a word.
    return csv.reader(lines, strict=True, delimiter=dialect.separator)


def read_records(
    lines: Lines, dialect: Dialect, at: Mapping[str, int], *, width: int
) -> Iterator[Row | Reject]:
    """Read records; `at` is the position of each wanted column among the `width` fields.

    A record that is not CSV costs only its first line: after a quote that is never closed, the next
    line is read as a record again.
    """
    reader = _reader(lines, dialect)
    while True:
        lines.begin_record()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.give_back(but=1)
            given = _what_is_wrong(error)
            yield unreadable(lines.line, "line is not CSV", given, lines.taken[0])
            continue
        raw = "".join(lines.taken)
        if raw.isspace():
            continue
        if damaged := damage(raw, dialect):
            yield unreadable(lines.line, damaged, "", raw)
        elif len(fields) != width:
            given = f"{len(fields)} instead of {width}"
            yield unreadable(lines.line, "line has the wrong number of fields", given, raw)
        else:
            cells = _cells(raw, fields)
            values = {name: cells[position] for name, position in at.items()}
            yield Row(lines.line, raw.rstrip("\r\n"), values)


def _cells(raw: str, fields: list[str]) -> list[str | None]:
    """Tell an empty field (null) from a quoted empty one (""), which `csv` does not.

    >>> _cells('a,,""', ["a", "", ""])
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
