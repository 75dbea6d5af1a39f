"""The encoding and the separator of a text file, guessed from its beginning."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from genrecall.data.rows.csv_records import Lines, skip_preamble
from genrecall.data.rows.lines import Dialect, decoded_lines, is_text

_READ: Final = 16 * 2**20
"""Bytes that are looked through for the encoding."""

_RECORDS: Final = 200
"""Records that are looked at for the separator."""

_LOOKED_THROUGH: Final = 100_000
"""Lines that are looked through for an example of the encoding."""

_SEPARATORS: Final = ",;\t|"

_WIDE: Final = 0.2
"""Share of zeros among every other byte of UTF-16: ASCII has a zero in each character; a table in
Chinese has it at least in numbers, separators and ends of lines."""

_LOPSIDED: Final = 4
"""How many times as many they are as the zeros among the other bytes; damage leaves as many of
both."""

_WINDOWS: Final = ("cp1252", "cp1250")
"""Of Western and of Central Europe; the first of equals."""

_IN_TEXT: Final = frozenset("€£„“”‘’‚–—…®°²³½¼«»·×™©§±ºª")


def encoding_of(file: Path) -> str | None:
    """Guess the encoding of a text; None for UTF-8, and where a byte order mark tells.

    Where most lines beyond ASCII are UTF-8, all of them should be: the others are damaged. A text
    in Windows-1250 has letters where one in Windows-1252 would have signs, and the other way round;
    where both have letters, it is taken for the latter. A zero here and there is damage; it does
    not make UTF-16.
    """
    with file.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    with gzip.open(file) if zipped else file.open("rb") as stream:
        start = stream.read(_READ)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    if wide := _utf_16(start):
        return wide
    others = [line for line in start.split(b"\n") if not line.isascii()]
    if len(start) == _READ:
        others = others[:-1]  # it may be cut within a character
    damaged = sum(not _is_utf8(line) for line in others)
    if 2 * damaged <= len(others):
        return None
    return max(_WINDOWS, key=lambda name: _likeness(start, name))


def _utf_16(text: bytes) -> str | None:
    """UTF-16 without a mark, known by zeros in every other byte."""
    first, second = (part.count(0) / max(1, len(part)) for part in (text[::2], text[1::2]))
    if second > max(_WIDE, _LOPSIDED * first):
        return "utf-16-le"
    return "utf-16-be" if first > max(_WIDE, _LOPSIDED * second) else None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _likeness(text: bytes, encoding: str) -> int:
    """How many characters beyond ASCII would be usual in words and prices."""
    others = bytes(byte for byte in text if byte >= 0x80).decode(encoding, "replace")
    return sum(char.isalpha() or char in _IN_TEXT for char in others)


def seen_as(file: Path, encoding: str) -> str:
    """The first word beyond ASCII, as it reads in an encoding: whether that is the right one."""
    lines = islice(decoded_lines(file, Dialect(encoding=encoding), []), _LOOKED_THROUGH)
    words = (word for line in lines for word in re.findall(r"\w+", line) if is_text(word))
    return next((word for word in words if not word.isascii()), "")


def separator_of(file: Path, encoding: str | None) -> str:
    """Guess what separates the fields of CSV: what gives most records as many as the header has."""
    stream = Lines(decoded_lines(file, Dialect(encoding=encoding), []))
    skip_preamble(stream)
    lines = list(islice(stream, 4 * _RECORDS))
    return max(_SEPARATORS, key=lambda sign: _evenness(lines, sign))


def _evenness(lines: Iterable[str], separator: str) -> tuple[int, int]:
    """How many records have the fields of the header, and how many fields these are."""
    try:
        records = list(islice(csv.reader(lines, delimiter=separator), _RECORDS))
    except csv.Error:
        return 0, 0
    if not records or len(records[0]) < 2:
        return 0, 0
    width = len(records[0])
    return sum(len(record) == width for record in records), width
