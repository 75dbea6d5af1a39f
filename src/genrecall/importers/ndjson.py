"""Large JSONL files, parsed by Polars a block at a time.

A block that Polars cannot take is halved until the lines at fault are among few; only those are
read by Python, which says what is wrong with each. So one broken line costs no other.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from gzip import BadGzipFile, GzipFile
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import polars as pl

from genrecall.data.rows.json_documents import is_document, numbered_objects
from genrecall.data.rows.lines import Dialect, decoded_lines
from genrecall.data.rows.readers import Chunk
from genrecall.data.rows.rejects import Reject
from genrecall.data.values.cells import parse_json

BLOCK: Final = 4 << 20
"""Bytes of text that are parsed at a time."""

_FEW: Final = 256
"""Lines below which a block that Polars cannot take is not halved further."""

_OBJECTS: Final = 4_096
"""Objects of one document that are parsed at a time."""

_READ: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_HALF_A_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")

Schema = Mapping[str, pl.DataType]


class Lines(NamedTuple):
    """Some lines of a file that are not blank.

    Attributes:
        numbers: where each stands, counted from 1; `[n]`.
        texts: their bytes without the end of the line; `[n]`.
    """

    numbers: list[int]
    texts: list[bytes]

    def raw(self, row: int) -> str:
        r"""Text of a line; bytes that are not UTF-8 are written `\xe9`."""
        return self.texts[row].decode("utf-8", "backslashreplace").rstrip("\r")


def read_json_chunks(
    file: Path, schema: Callable[[bytes], Schema], *, block: int = BLOCK
) -> Iterator[Chunk]:
    r"""Read a JSONL file, gzipped or not, block by block.

    A chunk's columns are typed where Polars parsed it, else lists of Python values. A typed text
    column holds JSON where a value was not text: `12` for the number 12, `{"a": 1}` for an object.
    A file that breaks off gives the rows before the break and one reject.

    Args:
        file: one JSON object a line, or one document that holds them, see
            `data/rows/json_documents.py`.
        schema: columns to read and their types, by the first line of a block; a column that a line
            lacks is null.
        block: bytes of text that are parsed at a time.

    Raises:
        OSError: the file cannot be opened.
    """
    breaks: list[Reject] = []
    document = is_document(file)
    for lines in _read_objects(file, breaks) if document else _read_lines(file, breaks, block):
        yield from _parse(lines, schema(lines.texts[0]))
    if breaks:
        yield Chunk([], {name: [] for name in schema(b"")}, str, breaks)


def _parse(lines: Lines, schema: Schema) -> Iterator[Chunk]:
    frame = _parse_fast(lines.texts, schema)
    if frame is not None:
        yield Chunk(lines.numbers, frame.to_dict(), lines.raw, [])
    elif len(lines.texts) > _FEW:
        half = len(lines.texts) // 2
        yield from _parse(Lines(lines.numbers[:half], lines.texts[:half]), schema)
        yield from _parse(Lines(lines.numbers[half:], lines.texts[half:]), schema)
    else:
        yield _parse_slow(lines, schema)


def _parse_fast(texts: list[bytes], schema: Schema) -> pl.DataFrame | None:
    """Parse lines at once; None where Polars would not read them as `_parse_slow` does."""
    block = b"\n".join(texts)
    if b"\\u" in block and _HALF_A_PAIR.search(block):
        return None
    try:
        frame = pl.read_ndjson(io.BytesIO(block), schema=dict(schema))
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.height == len(texts) else None  # two objects on a line are two rows


def _parse_slow(lines: Lines, schema: Schema) -> Chunk:
    kept: list[int] = []
    documents: list[dict[str, Any]] = []
    rejects = []
    for row, number in enumerate(lines.numbers):
        document = _parse_line(lines.texts[row])
        if isinstance(document, dict):
            kept.append(row)
            documents.append(document)
        else:
            rejects.append(Reject(number, *document, lines.raw(row)))
    columns = {name: [document.get(name) for document in documents] for name in schema}
    return Chunk(
        [lines.numbers[row] for row in kept], columns, lambda row: lines.raw(kept[row]), rejects
    )


def _parse_line(text: bytes) -> dict[str, Any] | tuple[str, str]:
    """Parse one line; where that fails, why: a cause and what was given."""
    try:
        value = parse_json(text.decode())
    except UnicodeDecodeError:
        return "line is not UTF-8", ""
    except ValueError as error:
        return "line is not JSON", str(error)
    return value if isinstance(value, dict) else ("line is not a JSON object", "")


def _read_objects(file: Path, breaks: list[Reject]) -> Iterator[Lines]:
    """Objects of one document in blocks; `breaks` gets a reject where the file breaks off."""
    lines = decoded_lines(file, Dialect(keep_before_break=True), breaks)
    objects = numbered_objects(lines)
    while block := list(islice(objects, _OBJECTS)):
        texts = [text.strip().encode("utf-8", "surrogateescape") for _, text in block]
        yield Lines([number for number, _ in block], texts)


def _read_lines(file: Path, breaks: list[Reject], block: int) -> Iterator[Lines]:
    """Lines in blocks; `breaks` gets a reject where the file breaks off."""
    first = 1
    begun: list[bytes] = []  # pieces of a line whose end has not come; joined once
    for data in _read_bytes(file, breaks, block):
        end = data.rfind(b"\n")
        if end < 0:
            begun.append(data)
            continue
        texts = b"".join([*begun, data[:end]]).split(b"\n")
        begun = [data[end + 1 :]]
        yield from _not_blank(texts, first)
        first += len(texts)
    rest = b"".join(begun)
    if breaks:
        whole = isinstance(_parse_line(rest), dict)
        raw = "" if whole else rest.decode("utf-8", "backslashreplace")
        breaks[0] = Reject(first + whole, "file breaks off here", breaks[0].given, raw)
        rest = rest if whole else b""
    yield from _not_blank([rest], first)


def _not_blank(texts: list[bytes], first: int) -> Iterator[Lines]:
    if first == 1:
        texts[0] = texts[0].removeprefix(_BOM)
    rows = [row for row, text in enumerate(texts) if text and not text.isspace()]
    if rows:
        yield Lines([first + row for row in rows], [texts[row] for row in rows])


def _read_bytes(file: Path, breaks: list[Reject], size: int) -> Iterator[bytes]:
    """Contents of a file, unzipped, in pieces of about `size` bytes."""
    with file.open("rb") as plain:
        zipped = plain.read(2) == _GZIP
        plain.seek(0)
        stream: IO[bytes] | GzipFile = GzipFile(fileobj=plain) if zipped else plain
        pieces: list[bytes] = []
        try:
            # `read1` hands out what it has before it complains about what follows.
            while piece := stream.read1(min(size, _READ)):  # type: ignore[union-attr]
                pieces.append(piece)
                if sum(map(len, pieces)) >= size:
                    yield b"".join(pieces)
                    pieces = []
        except (EOFError, zlib.error, BadGzipFile) as error:
            breaks.append(Reject(0, "", str(error), ""))
        yield b"".join(pieces)
