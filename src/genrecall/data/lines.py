"""Lines of text files, gzipped or not, in the publisher's encoding."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from genrecall.data.cells import parse_json
from genrecall.data.rejects import Reject

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = "\ufeff"


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


class Row(NamedTuple):
    """One row of a text file: where it begins, its text, and its values by column."""

    line: int
    raw: str
    values: Mapping[str, object]


def decoded_lines(file: Path, dialect: Dialect, breaks: list[Reject]) -> Iterator[str]:
    """Lines with their ends; bytes that are not UTF-8 become lone surrogates, see `is_utf8`.

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


def is_utf8(text: str) -> bool:
    """Whether a line was UTF-8, or was decoded by the dialect's fallback."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unreadable(line: int, cause: str, given: str, raw: str) -> Reject:
    """Reject a line as it was decoded."""
    shown = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return Reject(line, cause, given, shown.rstrip("\r\n"))
