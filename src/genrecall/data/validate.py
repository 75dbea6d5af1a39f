"""One table of the shop: its columns mapped, its cells converted, its rows checked.

A row is kept whole or rejected whole: a product with an unreadable price would otherwise sell for
an unknown one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import polars as pl

from genrecall.data.config import TableSource
from genrecall.data.filters.cells import FilterCells
from genrecall.data.rows.readers import Chunk, FirstRows, read_chunks
from genrecall.data.rows.rejects import Reject, check_share
from genrecall.data.rows.remedies import remedies
from genrecall.data.tables import (
    ITEMS,
    JUDGMENTS,
    SEARCH_LOG,
    SEQUENCES,
    UNLABELLED,
    USERS,
    Catalog,
)
from genrecall.data.values import cells
from genrecall.data.values.convert import build, shorten
from genrecall.data.values.reading import CellReader
from genrecall.foundation.errors import ConfigError, DataError, unknown_name


@dataclass(frozen=True)
class TableSchema:
    """What a table must look like.

    Attributes:
        name: its name in the config.
        columns: our columns and their types.
        required: columns that the file must have, never null and never blank.
        unique: a column whose values occur once.
        numbered: the unique column is made from the line number where it is missing.
        nonnegative: columns of numbers that are at least 0.
    """

    name: str
    columns: Mapping[str, pl.DataType]
    required: tuple[str, ...]
    unique: str | None = None
    numbered: bool = False
    nonnegative: tuple[str, ...] = ()


ITEMS_SCHEMA: Final = TableSchema(
    "items", ITEMS, ("item_id", "title"), unique="item_id", nonnegative=("price", "score")
)
SEARCHES_SCHEMA: Final = TableSchema(
    "searches", SEARCH_LOG, ("query",), unique="search_id", numbered=True
)
TIMED_SEARCHES_SCHEMA: Final = TableSchema(
    "searches", SEARCH_LOG, ("query", "timestamp"), unique="search_id", numbered=True
)
"""A log that is split by time."""
USERS_SCHEMA: Final = TableSchema("users", USERS, ("user_id",), unique="user_id")
JUDGMENTS_SCHEMA: Final = TableSchema("judgments", JUDGMENTS, ("query", "item_id", "relevance"))
SEQUENCES_SCHEMA: Final = TableSchema(
    "sequences", SEQUENCES, ("user_id", "items"), unique="user_id"
)
UNLABELLED_SCHEMA: Final = TableSchema("unlabelled", UNLABELLED, ("query",))


class TableRead(NamedTuple):
    """A table as read.

    Attributes:
        schema: what it was checked against.
        file: where it came from.
        frame: the kept rows in file order, columns and types of the schema.
        rejects: the other rows.
        times: what each column of times is written in, in words.
        notes: what should be known about how cells were read.
    """

    schema: TableSchema
    file: Path
    frame: pl.DataFrame
    rejects: list[Reject]
    times: Mapping[str, str] = MappingProxyType({})
    notes: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return self.frame.height + len(self.rejects)


def read_table(
    source: TableSource,
    schema: TableSchema,
    *,
    max_rejects: float,
    catalog: Catalog | None = None,
    items: TableSource | None = None,
) -> TableRead:
    """Read, map and check one table.

    Args:
        source: file and mapping.
        schema: what the table must look like.
        max_rejects: share of its rows that may be unusable.
        catalog: what filters of searches must fit; None takes any.
        items: the catalog's table, whose names of columns filters may have.

    Raises:
        ConfigError: the mapping names a column that the table does not have.
        DataError: the file is missing or damaged, lacks a column that is mapped or required, holds
            no rows, or too many of them are unusable.
    """
    mapping = _resolve(source, schema)
    theirs = [name for source_names in mapping.values() for name in _names(source_names)]
    seen: set[str] = set()
    cleans = source.dialect.html == "clean"
    filters = FilterCells(catalog, cleans=cleans, items=items)
    reader = CellReader(source.dialect, filters.cell)
    frames = [pl.DataFrame(schema=dict(schema.columns))]
    rejects: list[Reject] = []
    needed = _needed(source, schema, mapping)
    firsts = None
    if source.first_row_of is not None:
        theirs, needed = [*theirs, source.first_row_of], [*needed, source.first_row_of]
        firsts = FirstRows(source.first_row_of)
    for read_chunk in read_chunks(source, wanted=list(dict.fromkeys(theirs)), needed=needed):
        chunk = read_chunk if firsts is None else firsts.of(read_chunk)
        frame, rejected = check_chunk(chunk, schema, mapping, seen, reader)
        frames.append(frame)
        rejects += chunk.rejects + rejected
    read = TableRead(
        schema,
        source.file,
        reader.settle(pl.concat(frames, rechunk=True), where=str(source.file)),
        sorted(rejects),
        {name: column.unit for name, column in reader.times.items() if column.unit},
    )
    notes = [*reader.category.notes(), *filters.notes()]
    if firsts is not None and firsts.left_out:
        notes.append(
            f"{firsts.left_out:,} rows go on with the row before them, by the column "
            f"{source.first_row_of!r}, and are not read"
        )
    helps = [
        *reader.ids.notes(),
        *remedies(read.rejects, source.dialect, reader.number.example),
        *filters.unusable.notes(),
    ]
    check_share(
        read.rejects,
        table=schema.name,
        file=source.file,
        rows=read.rows,
        allowed=max_rejects,
        remedies=helps,
    )
    read = read._replace(notes=[*notes, *helps])
    if read.frame.height == 0:
        raise DataError(
            f"{source.file} holds no usable row of `{schema.name}` ({read.rows:,} rows in all). "
            "Give a file with at least one row"
            + (f", or leave `{schema.name}` out." if schema.name != "items" else ".")
        )
    return read


_Theirs = str | Mapping[str, str]
"""Their column, or for attributes `{attribute key: their column}`."""

_Mapping = Mapping[str, _Theirs]
"""Their column behind each of ours."""


def _resolve(source: TableSource, schema: TableSchema) -> _Mapping:
    for ours in source.columns:
        if ours not in schema.columns:
            what = f"column of `{schema.name}`"
            raise ConfigError(
                f"{unknown_name(what, ours, schema.columns)} "
                "`columns` goes from our name to the name in the file."
            )
    mapping: dict[str, _Theirs] = {}
    for ours in schema.columns:
        theirs = source.columns.get(ours, ours)
        if theirs is None and ours in schema.required:
            raise ConfigError(f"column {ours!r} of `{schema.name}` is needed; map it to a name.")
        if theirs is not None:
            mapping[ours] = theirs
    return mapping


def _names(theirs: _Theirs) -> list[str]:
    return [theirs] if isinstance(theirs, str) else list(theirs.values())


def _needed(source: TableSource, schema: TableSchema, mapping: _Mapping) -> list[str]:
    ours = [name for name in mapping if name in source.columns or name in schema.required]
    return [theirs for name in ours for theirs in _names(mapping[name])]


class _Causes:
    """The first thing that is wrong with each row of a chunk."""

    def __init__(self) -> None:
        self.of_row: dict[int, tuple[str, str]] = {}

    def add(self, row: int, cause: str, given: str = "") -> None:
        self.of_row.setdefault(row, (cause, given))

    def add_where(self, wrong: pl.Series, cause: str, values: pl.Series | None = None) -> None:
        for row in wrong.fill_null(False).arg_true().to_list():
            self.add(row, cause, "" if values is None else shorten(values[row]))


def check_chunk(
    chunk: Chunk, schema: TableSchema, mapping: _Mapping, seen: set[str], reader: CellReader
) -> tuple[pl.DataFrame, list[Reject]]:
    """Convert a chunk into kept rows and rejects.

    Args:
        chunk: rows of the table.
        schema: what they must look like.
        mapping: the chunk's column behind each of ours; one that is missing is all null.
        seen: the unique values so far, added to.
        reader: how cells are read.
    """
    causes = _Causes()
    columns: dict[str, pl.Series] = {}
    for name, dtype in schema.columns.items():
        theirs = mapping.get(name)
        if theirs is None:
            columns[name] = pl.Series([None] * len(chunk.lines), dtype=dtype)
        elif isinstance(theirs, str):
            read = reader.read(name, dtype, chunk.columns[theirs])
            columns[name] = read.values
            for row, (cause, given_value) in read.failed.items():
                causes.add(row, f"{name} {cause}", given_value)
        else:
            columns[name] = _gathered(chunk, theirs, causes, reader)
    if schema.numbered and schema.unique is not None:
        numbers = pl.Series([f"line{line}" for line in chunk.lines], dtype=pl.String)
        given = columns[schema.unique]
        columns[schema.unique] = given.zip_with(given.is_not_null(), numbers)
    for name in schema.required:
        causes.add_where(columns[name].is_null(), f"{name} is missing")
        if columns[name].dtype == pl.String:
            causes.add_where(columns[name].str.strip_chars() == "", f"{name} is empty")
    for name in schema.nonnegative:
        causes.add_where(columns[name] < 0, f"{name} is negative", columns[name])
    if schema.unique is not None:
        _check_unique(schema.unique, columns[schema.unique], seen, causes)
    kept = pl.Series(
        [row not in causes.of_row for row in range(len(chunk.lines))], dtype=pl.Boolean
    )
    rejects = [
        Reject(chunk.lines[row], cause, value, chunk.raw(row))
        for row, (cause, value) in causes.of_row.items()
    ]
    return pl.DataFrame(columns).filter(kept), rejects


def _gathered(
    chunk: Chunk, theirs: Mapping[str, str], causes: _Causes, reader: CellReader
) -> pl.Series:
    """Attributes from several columns, one for each key."""
    parts: dict[str, list[list[str] | None]] = {}
    for key, column in theirs.items():
        parts[key], failed = reader.read_attribute(chunk.columns[column])
        for row, (cause, given) in failed.items():
            causes.add(row, f"attribute {key} {cause}", given)
    rows = [
        cells.named_values({key: values[row] for key, values in parts.items()})
        for row in range(len(chunk.lines))
    ]
    return build(rows, cells.ATTRIBUTES_TYPE)


def _check_unique(name: str, values: pl.Series, seen: set[str], causes: _Causes) -> None:
    for row, value in enumerate(values.to_list()):
        if row in causes.of_row:
            continue
        if value in seen:
            causes.add(row, f"{name} occurs twice", shorten(value))
        seen.add(value)
