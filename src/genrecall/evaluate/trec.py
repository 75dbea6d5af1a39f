"""TREC run and qrels files, for other evaluation tools.

A line's fields are separated by white space, so ids are written percent-encoded where they hold
white space or a percent sign, and decoded when read: `red shoe` stands as `red%20shoe`.

`run` lines: `search_id Q0 item_id rank score tag`. Tools such as trec_eval sort by score and break
ties their own way, whatever the rank says; scores are therefore lowered by the smallest float32
steps where they tie, so that every tool sees the ranking's order. Such tools also leave out a
search that has no line, and report the mean of the others; a search with an empty answer has a line
with the item `%none`, which no catalog can have.

`qrels` lines: `search_id 0 item_id relevance`. Relevance is the item's gain, which is 1 for a click
and 2 for a purchase. Other tools read whole numbers there; where some gain is none, all stand in
thousandths, which changes no ratio of them and so no nDCG.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.foundation.errors import DataError

NO_ITEM: Final = "%none"
"""Stands for the item of a search with an empty answer; an id's percent sign is encoded."""

_UNSAFE: Final = re.compile(r"[\s%]")


def encode_id(name: str) -> str:
    """Write an id so that it has no white space.

    Raises:
        DataError: the id is empty.

    >>> encode_id("red shoe 100%")
    'red%20shoe%20100%25'
    """
    if not name:
        raise DataError(
            "an empty id cannot stand in a TREC file; give every search and item an id."
        )
    return _UNSAFE.sub(lambda match: quote(match[0], safe=""), name)


def decode_id(text: str) -> str:
    """Undo `encode_id`.

    >>> decode_id("red%20shoe%20100%25")
    'red shoe 100%'
    """
    return unquote(text)


def write_run(
    stream: TextIO,
    *,
    search_ids: Sequence[str],
    item_ids: Sequence[str],
    rows: Sequence[Rows],
    scores: Sequence[NDArray[np.floating[Any]]],
    tag: str = "genrecall",
) -> None:
    """Write the rankings of searches.

    Args:
        stream: where to.
        search_ids: id of each search.
        item_ids: id of each catalog row.
        rows: catalog rows of each search, best first.
        scores: score of each, not increasing.
        tag: name of the system.

    Raises:
        DataError: an id is empty, or a search id stands twice.
    """
    _check_unique(search_ids)
    tag = encode_id(tag)
    for search_id, ranked, ranked_scores in zip(search_ids, rows, scores, strict=True):
        name = encode_id(search_id)
        falling = _strictly_falling(ranked_scores)
        if not len(ranked):
            stream.write(f"{name} Q0 {NO_ITEM} 1 0 {tag}\n")
        for rank, (row, score) in enumerate(zip(ranked, falling, strict=True), start=1):
            stream.write(f"{name} Q0 {encode_id(item_ids[row])} {rank} {score!s} {tag}\n")


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Read a run: search id → item id → score, highest first; no item for an empty answer.

    Raises:
        DataError: a line that is not of the form, or an item twice under one search.
    """
    run: dict[str, dict[str, float]] = {}
    form = "search_id Q0 item_id rank score tag"
    for number, (search, _, item, _, score, _) in _lines(path, form):
        value = _number(score, path, number)
        if item == NO_ITEM:
            run.setdefault(decode_id(search), {})
        else:
            _put(run, search, item, value, where=f"{path}:{number}")
    return {
        search: dict(sorted(items.items(), key=lambda pair: -pair[1]))
        for search, items in run.items()
    }


def write_qrels(
    stream: TextIO,
    *,
    search_ids: Sequence[str],
    item_ids: Sequence[str],
    positives: Sequence[Rows],
    gains: Sequence[NDArray[np.floating[Any]]],
) -> None:
    """Write the relevant items of searches, each with its gain.

    Args:
        stream: where to.
        search_ids: id of each search.
        item_ids: id of each catalog row.
        positives: catalog rows of each search.
        gains: of each of them, above 0.

    Raises:
        DataError: an id is empty, or a search id stands twice.
    """
    _check_unique(search_ids)
    whole = all((of_search == np.round(of_search)).all() for of_search in gains)
    unit = 1 if whole else 1000
    for search_id, rows, of_rows in zip(search_ids, positives, gains, strict=True):
        name = encode_id(search_id)
        for row, gain in zip(rows, of_rows, strict=True):
            relevance = max(round(unit * float(gain)), 1)  # 0 would be irrelevant
            stream.write(f"{name} 0 {encode_id(item_ids[row])} {relevance}\n")


def read_qrels(path: Path) -> dict[str, dict[str, float]]:
    """Read qrels: search id → item id → relevance.

    Raises:
        DataError: a line that is not of the form, or an item twice under one search.
    """
    qrels: dict[str, dict[str, float]] = {}
    for number, (search, _, item, relevance) in _lines(path, "search_id 0 item_id relevance"):
        _put(qrels, search, item, _number(relevance, path, number), where=f"{path}:{number}")
    return qrels


def _strictly_falling(scores: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The largest float32 scores that are not above the given and fall at every step.

    Float32 values sort like integers made of their bits, next to each other when the floats are.
    """
    bits = scores.astype(np.float32).view(np.int32).astype(np.int64)
    keys = np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF))
    steps = np.arange(len(keys))
    keys = np.minimum.accumulate(keys + steps) - steps
    fallen = np.where(keys >= 0, keys, -keys | 0x80000000).astype(np.uint32)
    return fallen.view(np.float32)


def _check_unique(search_ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in search_ids:
        if name in seen:
            raise DataError(f"search id {name!r} stands twice; a TREC file needs unique ids.")
        seen.add(name)


def _lines(path: Path, form: str) -> Iterator[tuple[int, list[str]]]:
    """Numbered lines with as many fields as `form`."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            fields = line.split()
            if len(fields) != len(form.split()):
                raise DataError(
                    f"{path}:{number} has {len(fields)} fields; each line must be `{form}`, with "
                    "white space inside ids percent-encoded."
                )
            yield number, fields


def _number(text: str, path: Path, number: int) -> float:
    try:
        if "_" in text or not text.isascii():  # Python's own numbers, and other scripts' digits
            raise ValueError
        return float(text)
    except ValueError as error:
        raise DataError(f"{path}:{number} has {text!r} where a number is needed.") from error


def _put(
    table: dict[str, dict[str, float]], search: str, item: str, value: float, *, where: str
) -> None:
    items = table.setdefault(decode_id(search), {})
    name = decode_id(item)
    if name in items:
        raise DataError(f"{where} names item {name!r} of this search again; it may stand once.")
    items[name] = value
