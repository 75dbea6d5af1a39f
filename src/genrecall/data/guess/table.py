"""All that can be guessed of a table before it is read: its columns, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from genrecall.data.config import DataConfig, TableSource
from genrecall.data.filters.cells import FilterCells
from genrecall.data.guess.columns import GuessedColumns, is_called, match_columns
from genrecall.data.guess.presets import find_preset, preset_columns
from genrecall.data.guess.synonyms import COUNTS
from genrecall.data.rows.readers import column_names, explained, read_chunks
from genrecall.data.rows.sniff import encoding_of, seen_as, separator_of
from genrecall.data.validate import (
    ITEMS_SCHEMA,
    JUDGMENTS_SCHEMA,
    SEARCHES_SCHEMA,
    TableSchema,
)
from genrecall.data.values import detect, detect_times
from genrecall.data.values.cells import ARRAY, TEXTS_TYPE
from genrecall.data.values.convert import read_cells, shorten
from genrecall.data.values.detect_stock import look_at_stock
from genrecall.data.values.ids import IDS, IdColumns
from genrecall.data.values.times import TimeColumn
from genrecall.data.values.words import without
from genrecall.foundation.errors import DataError

_SAMPLE: Final = 20_000
"""Rows that are looked at."""

_NEVER_EMPTY: Final = frozenset({"item_id", "title", "query", "user_id", "search_id", "group_id"})
"""Columns in which a word like `None` is a name or a text."""


@dataclass
class Guess:
    """What a file seems to be.

    Attributes:
        columns: which of its columns are ours.
        rows: how many of them were looked at.
        shop: the shop system that exported it, if it is known by its columns.
        first_row_of: as in the config.
        dialect: settings that differ from the default.
        why: what shows a setting, by its name.
        blank: which of our columns hold nothing in those rows.
        unread: which of our columns are better not read.
        notes: what the user has to decide or know.
    """

    columns: GuessedColumns
    rows: int = 0
    shop: str | None = None
    first_row_of: str | None = None
    dialect: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    blank: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def set(self, name: str, value: object, why: str = "") -> None:
        """Note a setting of the dialect; the first that says it holds."""
        if name not in self.dialect:
            self.dialect[name] = value
            self.why[name] = why


def guess_table(file: Path, schema: TableSchema) -> Guess:
    """Look at the beginning of a file.

    Raises:
        DataError: the file is missing or damaged.
    """
    source = TableSource(file=file)
    guess = Guess(GuessedColumns({}, ()))
    if source.kind != "parquet":
        with explained(source):
            _sniff(guess, source)
    source = TableSource.model_validate({"file": file, "dialect": guess.dialect})
    names = column_names(source)
    theirs: dict[str, str] = {}
    preset = find_preset(names) if schema is ITEMS_SCHEMA else None
    if preset is not None:
        theirs = preset_columns(preset, names)
        guess.shop, guess.first_row_of = preset.name, preset.first_row_of
        guess.notes += [preset.note] if preset.note else []
        for name, value in preset.dialect.items():
            guess.set(name, value, f"as {preset.name} writes them")
    theirs = match_columns(names, schema, theirs)
    sample = _sample(source, theirs, guess)
    stock = is_called(theirs.get("available", ""), COUNTS)
    if stock and _is_something_else(sample["available"]):
        del theirs["available"], sample["available"]
    _look(guess, sample, schema, stock=stock)
    _unread_times(guess, theirs, sample, schema)
    if "filters" in theirs:
        _filters(guess, theirs, sample["filters"])
    unused = [name for name in names if name not in theirs.values()]
    guess.columns = GuessedColumns(theirs, unused)
    if schema is SEARCHES_SCHEMA and not theirs.keys() & {"clicks", "purchases"}:
        guess.notes += _row_an_event(unused)
    return guess


def _row_an_event(unused: Sequence[str]) -> list[str]:
    """Say what to do with a log that has one item a row."""
    item = match_columns(unused, JUDGMENTS_SCHEMA).get("item_id")
    if item is None:
        return []
    return [
        f"the column {item!r} holds one item a row, as logs of events do: if each row is a click, "
        "map `clicks` to it; otherwise write a row a search, with lists of what was shown, clicked "
        "and bought"
    ]


def _sniff(guess: Guess, source: TableSource) -> None:
    """Find out from the beginning of a text how its lines are written."""
    if encoding := encoding_of(source.file):
        word = seen_as(source.file, encoding)
        example = f", and reads {shorten(word)}" if word else ""
        guess.set("encoding", encoding, f"its text is not UTF-8{example}")
    if source.kind == "csv" and (sign := separator_of(source.file, encoding)) != source.separator:
        guess.set("separator", sign)


def _sample(
    source: TableSource, theirs: Mapping[str, str], guess: Guess
) -> dict[str, list[object]]:
    """The first values of each of our columns."""
    values: dict[str, list[object]] = {ours: [] for ours in theirs}
    for chunk in read_chunks(source, wanted=list(theirs.values()), needed=()):
        for ours, column in values.items():
            column.extend(chunk.columns[theirs[ours]])
        guess.rows += len(chunk.lines)
        if guess.rows >= _SAMPLE:
            break
    return values


def _look(
    guess: Guess, sample: Mapping[str, Sequence[object]], schema: TableSchema, *, stock: bool
) -> None:
    """Find out from a sample how cells are written; with `stock` of pieces, by its name."""
    empty = detect.empty_words(
        value
        for name, values in sample.items()
        if name not in _NEVER_EMPTY
        for value in values
        if isinstance(value, str)
    )
    if empty:
        guess.set("empty", empty)
    guess.blank = [
        name
        for name, values in sample.items()
        if all(value is None or not str(value).strip() for value in without(values, empty))
    ]
    texts = {
        name: [value for value in without(values, empty) if isinstance(value, str)]
        for name, values in sample.items()
    }
    of_type: dict[pl.DataType, list[str]] = {}
    pieces = look_at_stock(sample.get("available", ()), empty, named=stock)
    if pieces.counts:
        example = shorten(pieces.numbers[0])
        guess.set("counts", value=True, why=f"such as {example}: how many there are")
        numbers, cells = set(pieces.numbers), texts["available"]
        texts["available"] = [cell for cell in cells if cell.strip() not in numbers]
        if written := [cell for cell in cells if cell.strip() in numbers]:
            of_type[pl.Float64()] = written  # by the same signs as prices
    for name, values in texts.items():
        if name != "category" and any(map(str.strip, values)):
            of_type.setdefault(schema.columns[name], []).extend(values)
    looks: Mapping[pl.DataType, Callable[[Guess, list[str]], None]] = {
        pl.Float64(): _numbers,
        pl.Int64(): _times,
        pl.Boolean(): _flags,
        TEXTS_TYPE: _lists,
    }
    for dtype, look in looks.items():
        if dtype in of_type:
            look(guess, of_type[dtype])
    ids = IdColumns()
    for name in IDS & texts.keys():
        ids.read(name, pl.Series(texts[name], dtype=pl.String))
    guess.notes += ids.notes()
    if any(map(str.strip, texts.get("category", []))):
        level, path = detect.category_separators(texts["category"])
        if level not in (None, ">"):
            guess.set("level_separator", level, "between levels of a category")
        if path is not None:
            guess.set("path_separator", path, "between several categories")


def _is_something_else(values: Sequence[object]) -> bool:
    """Whether cells of a column that is called like a stock say nothing of one."""
    empty = detect.empty_words(value for value in values if isinstance(value, str))
    others = look_at_stock(values, empty, named=True).others
    return len(others) > _BEARABLE * len(values)


_BEARABLE: Final[float] = DataConfig.model_fields["max_rejects"].default
"""Share of unreadable rows that a run allows."""


def _unread_times(
    guess: Guess,
    theirs: Mapping[str, str],
    sample: Mapping[str, Sequence[object]],
    schema: TableSchema,
) -> None:
    """Tell of columns whose times a run would refuse, as they stand."""
    for ours, values in sample.items():
        if schema.columns[ours] != pl.Int64():
            continue
        column = TimeColumn(guess.dialect.get("times"))
        read = column.read(without(values, guess.dialect.get("empty", ())))
        if len(read.failed) > _BEARABLE * len(values):
            _, given = next(iter(read.failed.values()))
            guess.notes.append(
                f"the column {theirs[ours]!r} holds times that cannot be read, such as {given}: "
                f"{detect_times.what_helps(ours)}"
            )
            continue
        try:
            column.settle(read.values, what=f"the column {theirs[ours]!r}")
        except DataError as error:
            guess.notes.append(str(error).removesuffix("."))


def _filters(guess: Guess, theirs: dict[str, str], values: Sequence[object]) -> None:
    """Leave the column out if more of it is unreadable than a run allows."""
    known = without(values, guess.dialect.get("empty", ()))
    _, failed = read_cells(known, FilterCells().cell)
    if len(failed) <= _BEARABLE * len(values):
        return
    cause, given = next(iter(failed.values()))
    guess.unread.append("filters")
    guess.notes.append(
        f"the column {theirs.pop('filters')!r} is not read as filters: its cells, such as {given}, "
        f"{cause}"
    )


def _numbers(guess: Guess, texts: list[str]) -> None:
    found = detect.number_format(texts)
    if found is None:
        return
    for name, value, plain in (
        ("decimal", found.decimal, "."),
        ("thousands", found.thousands, None),
        ("currency", list(found.currency), []),
    ):
        if value != plain:
            example = found.examples[name]
            guess.set(name, value, f"such as {shorten(example)}" if example else "")
    if len(found.decimals) > 1:
        guess.notes.append(
            f"{detect.both_signs(found.decimals)}. As `decimal` is {found.decimal!r}, those with "
            "the other sign will be rejected"
        )
    if found.doubt is not None:
        guess.notes.append(_doubt(found.doubt, found.thousands))
    if found.foreign:
        shown = ", ".join(map(shorten, found.foreign))
        guess.notes.append(
            f"numbers in other currencies than {found.currency[0]}, such as {shown}, will be "
            "rejected, since prices in two currencies do not compare"
        )


def _doubt(example: str, thousands: str | None) -> str:
    """Say that all numbers with a sign are like `1.299`, and how they are read."""
    read = "between thousands" if thousands else "before decimal places"
    other = "replace `thousands` by" if thousands else 'set `thousands: "."` and'
    return (
        f"no number tells thousands and decimal places apart, such as {shorten(example)}: the sign "
        f'is read as one {read}. If it is not, {other} `decimal: ","` under `dialect`'
    )


def _times(guess: Guess, texts: list[str]) -> None:
    found = detect_times.time_pattern(texts)
    if found is None:
        return
    guess.set("times", found.pattern, f"such as {shorten(found.example)}")
    if found.doubt is not None:
        guess.notes.append(
            f"no time tells day and month apart, such as {shorten(found.example)}: they are read "
            f"by {found.pattern}, and could be {found.doubt}"
        )


def _flags(guess: Guess, texts: list[str]) -> None:
    known, unknown = detect.flag_words(texts)
    if known:
        guess.set("flags", known)
    if unknown:
        shown = ", ".join(map(shorten, unknown[:5]))
        guess.notes.append(
            f"whether {shown} means true or false is not known: say it under `flags` of `dialect`, "
            f"such as `flags: {{{unknown[0]!r}: false}}`"
        )


def _lists(guess: Guess, texts: list[str]) -> None:
    sign = detect.list_separator(texts)
    if sign == ARRAY:
        guess.set("list_separator", sign, "ids stand in arrays as PostgreSQL writes them")
    elif sign is not None:
        guess.set("list_separator", sign, "between the ids of a list")
