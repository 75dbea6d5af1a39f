"""Objects out of one large JSON document, as lines of JSON.

The document is an array, objects printed over several lines, or an answer of OpenSearch's
`_search`. Brackets are counted from line to line, so that a large file is never in memory as a
whole, and an object that is broken costs no other.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from genrecall.data.rows.lines import Dialect, decoded_lines

_ARRAY: Final = re.compile(r"\s*\[\s*(?:\{.*)?", re.DOTALL)
_PRINTED: Final = re.compile(r"\s*\{\s*")
_ANSWER: Final = re.compile(
    r'\s*\{\s*(?:"(?:took|timed_out|_shards|_scroll_id|pit_id)"\s*:.*)?', re.DOTALL
)
_HITS: Final = re.compile(r'"hits"\s*:\s*\{')
_OF_AN_ANSWER: Final = ["", "hits", "hits"]
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')


def numbered_objects(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines and their numbers; of a document each object on a line, and its place among them."""
    stream = iter(lines)
    begun: list[str] = []
    for line in stream:
        begun.append(line)
        if not line.isspace():
            break
    first = begun[-1] if begun else ""
    whole = chain(begun, stream)
    if _ARRAY.fullmatch(first):
        yield from enumerate(_objects(whole, [""]), start=1)
    elif _PRINTED.fullmatch(first):
        yield from enumerate(_printed(whole), start=1)
    elif _is_answer(first):
        yield from enumerate(_objects(whole, _OF_AN_ANSWER), start=1)
    else:
        yield from enumerate(whole, start=1)


def is_document(file: Path) -> bool:
    """Whether a file is one document, or objects over several lines, instead of lines of JSON."""
    lines = decoded_lines(file, Dialect(keep_before_break=True), [])
    first = next((line for line in lines if not line.isspace()), "")
    return bool(_ARRAY.fullmatch(first) or _PRINTED.fullmatch(first) or _is_answer(first))


def _is_answer(first: str) -> bool:
    """Whether a line begins an answer of `_search`, or is one."""
    whole = first.rstrip().endswith("}")
    return bool(_ANSWER.fullmatch(first) and (_HITS.search(first) or not whole))


def _printed(lines: Iterator[str]) -> Iterator[str]:
    """Objects over several lines, or an answer that was printed so."""
    begun: list[str] = []
    for line in lines:
        begun.append(line)
        if line.strip() not in ("", "{"):
            break
    whole = chain(begun, lines)
    if _ANSWER.fullmatch("".join(begun)) and len(begun) > 1:
        return _objects(whole, _OF_AN_ANSWER)
    return _objects(whole, [])


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
