"""Objects out of one large JSON document, as lines of JSON.

The document is an array, an object around one (`{"products": [...]}`), objects printed over several
lines, or an answer of OpenSearch's `_search`. Brackets are counted from line to line, so that a
large file of many lines is never in memory as a whole, and an object that is broken costs no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from genrecall.data.rows.lines import Dialect, decoded_lines

_ARRAY: Final = re.compile(r"\s*\[\s*(?:\{.*)?", re.DOTALL)
_PRINTED: Final = re.compile(r"\s*\{\s*")
_ANSWER: Final = re.compile(
    r'\s*\{\s*(?:"(?:took|timed_out|_shards|_scroll_id|pit_id)"\s*:.*)?', re.DOTALL
)
_AROUND: Final = re.compile(r'\s*\{\s*"(\w+)"\s*:\s*\[\s*(?:\{.*)?', re.DOTALL)
_OF_ROWS: Final = (
    "products|items|data|results|records|documents|rows|entries|hits|searches|queries|events|users|"
    "customers|judgments"
)
"""What a list of rows is called; a list in a row, such as its pictures, is called otherwise."""

_BESIDE: Final = r'\s*"\w+"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)\s*,'
_AROUND_LATER: Final = re.compile(
    rf'\s*\{{(?:{_BESIDE})+\s*"({_OF_ROWS})"\s*:\s*\[\s*(?:\{{.*)?', re.DOTALL
)
_LISTED: Final = re.compile(r":\s*\[\s*\{")
_HITS: Final = re.compile(r'"hits"\s*:\s*\{')
_OF_AN_ANSWER: Final = ["", "hits", "hits"]
_PEEKED: Final = 8
"""Lines that tell what a file is."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')


def numbered_objects(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines and their numbers; of a document each object on a line, and its place among them."""
    begun, whole = _peek(lines)
    within = _brackets(begun)
    yield from enumerate(whole if within is None else _objects(whole, within), start=1)


def is_document(file: Path) -> bool:
    """Whether a file is one document, or objects over several lines, instead of lines of JSON."""
    begun, _ = _peek(decoded_lines(file, Dialect(keep_before_break=True), []))
    return _brackets(begun) is not None


def _peek(lines: Iterable[str]) -> tuple[list[str], Iterator[str]]:
    """The first lines that are not blank, and all lines."""
    stream = iter(lines)
    begun: list[str] = []
    read: list[str] = []
    for line in stream:
        read.append(line)
        begun += [] if line.isspace() else [line]
        if len(begun) == _PEEKED:
            break
    return begun, chain(read, stream)


def _brackets(begun: Sequence[str]) -> list[str] | None:
    """Names of the brackets that objects of a document stand within; None for lines of JSON."""
    first, *others = begun or [""]
    if _ARRAY.fullmatch(first):
        return [""]
    if _PRINTED.fullmatch(first):
        text = "".join(begun)
        return _OF_AN_ANSWER if others and _ANSWER.fullmatch(text) else _around(text) or []
    if _is_answer(first):
        return _OF_AN_ANSWER
    if first.rstrip().endswith("}"):
        return None if others else _around_alone(first)
    return None if _goes_on_in_lines(others) else _around("".join(begun))


def _around(text: str) -> list[str] | None:
    """The brackets of a list of objects that a document begins with."""
    found = _AROUND.fullmatch(text) or _AROUND_LATER.fullmatch(text)
    return ["", found[1]] if found else None


def _around_alone(line: str) -> list[str] | None:
    """Those of a list of objects in a line without other lines.

    With words beside a list the line is a row, such as a search with what was shown to it, but for
    a list that is called like one of rows.
    """
    if not _LISTED.search(line):
        return None
    try:
        values = json.loads(line)
    except ValueError:
        return None
    lists = [name for name, value in values.items() if isinstance(value, list)]
    rest = [value for name, value in values.items() if name not in lists]
    counts = all(value is None or isinstance(value, bool | int | float) for value in rest)
    single = not any(isinstance(value, dict) for value in rest)
    rows = counts or (single and lists and re.fullmatch(_OF_ROWS, lists[0]))
    return ["", lists[0]] if len(lists) == 1 and rows else None


def _goes_on_in_lines(others: Sequence[str]) -> bool:
    """Whether lines of JSON follow, and no brackets: the first line is only damaged."""
    stripped = [line.strip() for line in others]
    row = bool(stripped) and stripped[0].startswith("{") and stripped[0].endswith("}")
    return row and not (len(stripped) > 1 and stripped[1].startswith("]"))


def _is_answer(first: str) -> bool:
    """Whether a line begins an answer of `_search`, or is one."""
    whole = first.rstrip().endswith("}")
    return bool(_ANSWER.fullmatch(first) and (_HITS.search(first) or not whole))


def _objects(lines: Iterable[str], within: list[str]) -> Iterator[str]:
    """Objects that stand within brackets of these names; "" for brackets without one.

    After an object that is never closed, its next line is read as if it were over.
    """
    around: list[str] = []
    while (rest := (yield from _closed_objects(lines, within, around))) is not None:
        lines, around = rest, list(within)


def _closed_objects(
    lines: Iterable[str], within: list[str], around: list[str]
) -> Generator[str, None, list[str] | None]:
    """As `_objects`, where the lines begin within brackets of the names `around`.

    Where a line begins another object at the margin of one that is not closed, that one is given as
    far as it goes. At the end, of an object that is not closed its first line is given; returns its
    other lines.
    """
    taken: list[str] = []  # lines of an object from its bracket on
    margin_of_object = 0
    name = ""
    for line in lines:
        margin = len(line) - len(line.lstrip())
        if taken and margin == margin_of_object > 0 and line.lstrip().startswith("{"):
            yield _joined(taken)
            taken, around = [], list(within)
        start = 0
        for token in _TOKEN.finditer(line):
            sign = token[0]
            if sign[0] == '"':
                name = sign[1:-1]
            elif sign in "{[":
                if sign == "{" and around == within:
                    start, margin_of_object, taken = token.start(), margin, [""]
                around.append(name if around else "")
            elif around:
                around.pop()
                if taken and len(around) == len(within):
                    yield _joined([*taken, line[start : token.end()]])
                    taken = []
        if taken:
            taken.append(line[start:])
    if not taken:
        return None
    _, first, *rest = taken
    yield _joined([first])
    return rest


def _joined(parts: Iterable[str]) -> str:
    """One line: a line end within JSON is never part of a text."""
    return " ".join(part.strip() for part in parts if part.strip()) + "\n"
