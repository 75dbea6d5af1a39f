"""How the cells of one table are read: our column, its type, and the table's dialect together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import polars as pl

from genrecall.data.values import cells
from genrecall.data.values.category_cells import CategoryColumn, CategoryFormat
from genrecall.data.values.convert import Column, Converted, Kind, convert, read_cells
from genrecall.data.values.dialect import TableDialect
from genrecall.data.values.ids import ID_LISTS, IDS, IdColumns
from genrecall.data.values.numbers import NumberFormat
from genrecall.data.values.times import TimeColumn
from genrecall.data.values.words import FlagFormat, without
from genrecall.text.clean import SUSPECT, clean

_NO_DIALECT: Final = TableDialect()


class CellReader:
    """Reads the columns of one table, and remembers over all chunks what it saw.

    Args:
        dialect: how the table is written.
        filters: reads cells of filters, see `data/filters/cells.py`; None reads them as text.

    Attributes:
        times: readers of the columns with times, by our name.
        category: reader of category cells.
        number: reader of numbers.
        ids: reader of ids, which are compared with those of other tables, and so stay as they are
            but for blanks at their ends.
    """

    def __init__(
        self,
        dialect: TableDialect = _NO_DIALECT,
        filters: Callable[[object], object] | None = None,
    ) -> None:
        self.times: dict[str, TimeColumn] = {}
        self.category = CategoryColumn(
            CategoryFormat(dialect.level_separator, dialect.path_separator)
        )
        self.ids = IdColumns()
        self._dialect = dialect
        self._filters = filters
        self.number = NumberFormat(dialect.decimal, dialect.thousands, dialect.currency)
        flag = FlagFormat(dialect.flags, self.number.cell if dialect.counts else None)
        texts = partial(cells.texts, separator=dialect.list_separator)
        lists = partial(cells.text_lists, separator=dialect.list_separator)
        self._kinds: Mapping[pl.DataType, Kind] = {
            pl.String(): cells.TEXT,
            pl.Float64(): Kind(pl.Float64(), self.number.cell, self.number.fast),
            pl.Boolean(): Kind(pl.Boolean(), flag.cell, _fast_flag),
            cells.TEXTS_TYPE: Kind(cells.TEXTS_TYPE, texts, cells.fast_texts),
            cells.TEXT_LISTS_TYPE: Kind(cells.TEXT_LISTS_TYPE, lists),
            cells.ATTRIBUTES_TYPE: Kind(cells.ATTRIBUTES_TYPE, self._attributes),
        }

    def read(self, name: str, dtype: pl.DataType, column: Column) -> Converted:
        """Read a chunk of the column that is our `name`."""
        column = without(column, self._dialect.empty)
        if dtype == pl.Int64():
            reader = self.times.setdefault(name, TimeColumn(self._dialect.times))
            return reader.read(column)
        if name == "category":
            return convert(column, Kind(dtype, self.category.cell))
        if name == "filters" and self._filters is not None:
            return convert(column, Kind(dtype, self._filters))
        read = convert(column, self._kinds[dtype])
        if name in IDS | ID_LISTS:
            return read._replace(values=self.ids.read(name, read.values))
        if dtype == pl.String() and self._cleans:
            return read._replace(values=_cleaned(read.values))
        return read

    def read_attribute(
        self, column: Column
    ) -> tuple[list[list[str] | None], dict[int, tuple[str, str]]]:
        """Read a chunk of a column that holds one attribute."""
        return read_cells(without(column, self._dialect.empty), self._attribute_values)

    def settle(self, frame: pl.DataFrame, *, where: str) -> pl.DataFrame:
        """Bring the times of all chunks together into one unit.

        Raises:
            DataError: a column mixes several ways of writing times.
        """
        return frame.with_columns(
            reader.settle(frame[name], what=f"{where}: the column of {name}")
            for name, reader in self.times.items()
        )

    @property
    def _cleans(self) -> bool:
        return self._dialect.html == "clean"

    def _attributes(self, value: object) -> cells.Attributes | None:
        read = cells.attributes(value)
        if read is None or not self._cleans:
            return read
        return cells.named_values(
            {clean(entry["key"]): _clean_values(entry["value"]) for entry in read}
        )

    def _attribute_values(self, value: object) -> list[str]:
        values = cells.attribute_values(value)
        return _clean_values(values) if self._cleans else values


def _clean_values(values: list[str]) -> list[str]:
    return [value for value in map(clean, values) if value]


def _cleaned(texts: pl.Series) -> pl.Series:
    """The texts, cleaned where they hold something to clean."""
    rows = texts.str.contains(SUSPECT).fill_null(False).arg_true()
    if not len(rows):
        return texts
    return texts.scatter(rows, [clean(text) for text in texts.gather(rows)])


def _fast_flag(series: pl.Series) -> pl.Series | None:
    return series if series.dtype == pl.Boolean else None
