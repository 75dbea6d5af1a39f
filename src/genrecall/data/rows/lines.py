"""Lines of text files, gzipped or not, in the publisher's encoding."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Final, NamedTuple

from genrecall.data.rows.rejects import Reject
from genrecall.data.values.cells import parse_json

_MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by how they begin; the longer first."""

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = "\ufeff"


@dataclass(frozen=True)
class Dialect:
    """How a publisher writes CSV and JSONL; by default as a shop does.

    Attributes:
        encoding: of the file; None: UTF-8, or what a byte order mark says.
        fallback: encoding of the lines that are not UTF-8; None makes them rejects.
        separator: between the fields of CSV.
        language: what a line of JSONL is written in, as told in a reject.
        parse: reads a line of JSONL; raises ValueError.
        keep_before_break: a file that breaks off, such as half a gzip file, gives the rows before
            the break and one reject, instead of an error.
    """

    encoding: str | None = None
    fallback: str | None = None
    separator: str = ","
    language: str = "JSON"
    parse: Callable[[str], object] = parse_json
    keep_before_break: bool = False

    @property
    def undecodable(self) -> str:
        """Say of a line that it is not in the encoding."""
        return f"line is not {self.encoding or 'UTF-8'}"


class Row(NamedTuple):
    """One row of a text file: where it begins, its text, and its values by column."""

    line: int
    raw: str
    values: Mapping[str, object]


def decoded_lines(file: Path, dialect: Dialect, breaks: list[Reject]) -> Iterator[str]:
    """Lines with their ends; what cannot be decoded becomes lone surrogates, see `is_text`.

    Only line feeds end a line. Where the file breaks off and the dialect keeps what is before,
    `breaks` gets a reject.
    """
    with file.open("rb") as probe:
        zipped = probe.read(2) == _GZIP
    number = 0
    with gzip.open(file) if zipped else file.open("rb") as stream:
        try:
            encoding = dialect.encoding or _marked(stream.peek(4))
            with closing(_decoded(stream, encoding, dialect.fallback)) as lines:
                for number, line in enumerate(lines, start=1):
                    yield line.removeprefix(_BOM) if number == 1 else line
        except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
            if not dialect.keep_before_break:
                raise
            breaks.append(Reject(number + 1, "file breaks off here", str(error), ""))


def _marked(start: bytes) -> str:
    """Encoding by the byte order mark; none of these begins a text in UTF-8."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def _decoded(
    stream: BufferedReader | gzip.GzipFile, encoding: str, fallback: str | None
) -> Generator[str, None, None]:
    # Where a character takes several bytes, one of them may look like the end of a line.
    if len("\n\n".encode(encoding)) - len("\n".encode(encoding)) > 1:
        texts = TextIOWrapper(stream, encoding, errors="surrogatepass", newline="\n")
        try:
            while text := texts.readline():  # `yield from` would close the stream
                yield text
        finally:
            texts.detach()  # the stream is not its own to close
        return
    for line in stream:
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError:
            yield line.decode(fallback or encoding, "surrogateescape")


def is_text(text: str) -> bool:
    """Whether all of a line could be decoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def damage(text: str, dialect: Dialect) -> str | None:
    """Why a line is unreadable whatever its format: the cause of its reject; None for a sound one.

    No text holds a NUL. Torn copies and damaged disks leave them.
    """
    if not is_text(text):
        return dialect.undecodable
    return "line holds NUL bytes, as damaged files do" if "\0" in text else None


def unreadable(line: int, cause: str, given: str, raw: str) -> Reject:
    """Reject a line as it was decoded."""
    try:
        shown = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # of UTF-16, which may hold any half of a pair
        shown = raw.encode("utf-8", "backslashreplace").decode()
    return Reject(line, cause, given, shown.rstrip("\r\n"))
