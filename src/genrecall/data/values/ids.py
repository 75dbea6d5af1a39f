"""Ids: how they are compared, and what spreadsheets and data frames make of them.

Nothing is converted but blanks at the ends: which id was meant is for the shop to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from genrecall.data.values.convert import shorten

IDS: Final = frozenset({"item_id", "group_id", "search_id", "user_id", "variant"})
"""Columns of ids."""

ID_LISTS: Final = frozenset({"impressions", "clicks", "purchases", "items", "held_out"})
"""Columns of lists of ids."""

_SCIENTIFIC: Final = r"^\d(?:[.,]\d+)?[eE]\+\d+$"
_NUMBER: Final = r"^\d+(?:\.0+)?$"


class IdColumns:
    """Reads the ids of one table, and remembers what was destroyed before."""

    def __init__(self) -> None:
        self._scientific: dict[str, tuple[int, str]] = {}

    def read(self, name: str, ids: pl.Series) -> pl.Series:
        """Ids, or lists of them, without blanks at their ends.

        Args:
            name: of the column.
            ids: a chunk of it.
        """
        if name in IDS:
            stripped = ids.str.strip_chars()
            self._count(name, stripped)
            return stripped
        self._count(name, ids.explode())
        return ids.list.eval(pl.element().str.strip_chars())

    def notes(self) -> list[str]:
        """What should be known about the ids read so far."""
        return [
            f"{count:,} ids in `{name}`, such as {shorten(example)}, are in scientific notation, "
            "as a spreadsheet leaves long numbers: their last digits are lost. Export the column "
            "anew, as text, and do not save it from a spreadsheet"
            for name, (count, example) in sorted(self._scientific.items())
        ]

    def _count(self, name: str, ids: pl.Series) -> None:
        found = ids.filter(ids.str.contains(_SCIENTIFIC).fill_null(False))
        if len(found):
            count, example = self._scientific.get(name, (0, found[0]))
            self._scientific[name] = count + len(found), example


@dataclass(frozen=True)
class WrittenOtherwise:
    """Ids that two tables write in different ways.

    Attributes:
        count: how many in one table would be in the other.
        given: one of them.
        known: what the other table has for it.
    """

    count: int
    given: str
    known: str

    def __str__(self) -> str:
        return (
            f"{self.count:,} of these would be but for leading zeros or a trailing .0, such as "
            f"{self.given!r} for {self.known!r}: write ids alike in both tables, as text"
        )


def written_otherwise(lost: pl.Series, known: pl.Series) -> WrittenOtherwise | None:
    """Look for ids that are known with other leading zeros, or another trailing `.0`.

    Args:
        lost: ids that are not among the known ones; may repeat.
        known: ids.

    >>> print(written_otherwise(pl.Series(["1", "7.0", "x"]), pl.Series(["00001", "7", "y"])))
    2 of these would be but for leading zeros or a trailing .0, such as '1' for '00001': write ids \
alike in both tables, as text
    """
    there = _numbers(known).unique("number", keep="first", maintain_order=True)
    found = _numbers(lost).join(there, on="number", suffix="_known", maintain_order="left")
    return None if found.is_empty() else WrittenOtherwise(found.height, *found.row(0)[::2])


def _numbers(ids: pl.Series) -> pl.DataFrame:
    """`id` and `number` of those that are whole numbers in some writing."""
    id_ = pl.col("id")
    number = id_.str.replace(r"\.0+$", "").str.strip_chars_start("0")
    return (
        ids.alias("id")
        .to_frame()
        .filter(id_.str.contains(_NUMBER))
        .select("id", number.alias("number"))
    )
