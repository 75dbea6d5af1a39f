"""Fields as a shop calls them: a log filters by the names of its items' own columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Final

from genrecall.data.config import TableSource
from genrecall.data.rows.readers import column_names

_SHOWN: Final = 5  # names, in a note


class ShopNames:
    """What the columns of the items' table are as fields of filters.

    Args:
        items: the table; None where it is not known.
        fields: what can be filtered by; a name of these means no other.
    """

    def __init__(self, items: TableSource | None, fields: Collection[str]) -> None:
        self._items = items
        self._ours: dict[str, list[str]] = {}
        for theirs, ours in () if items is None else _mapped(items):
            self._ours.setdefault(theirs, []).append(ours)
        # The field behind each name that means exactly one.
        self._fields: Mapping[str, str] = {
            theirs: ours[0]
            for theirs, ours in self._ours.items()
            if len(ours) == 1 and ours[0] in fields and theirs not in fields
        }
        self._used: dict[str, str] = {}

    def field(self, name: str) -> str:
        """The field that a name means: another one, where it is a name of theirs."""
        if name in self._fields:
            self._used[name] = self._fields[name]
        return self._fields.get(name, name)

    def translated(self, filters: Mapping[str, object]) -> dict[str, object]:
        """The filters with our names of the fields.

        Raises:
            ValueError: one field goes by two names.
        """
        found: dict[str, object] = {}
        for name, condition in filters.items():
            ours = self.field(name)
            if ours in found:
                raise ValueError(f"cannot be used: the field {ours!r} goes by two names")
            found[ours] = condition
        return found

    def explain(self, name: str) -> str:
        """What a column of the items is that cannot be filtered by; "" if it is none."""
        if ours := self._ours.get(name):
            if len(ours) > 1:
                return f"the column is read as {' and '.join(map(repr, ours))}; name one of these"
            return f"the column is read as `{ours[0]}`, which cannot be filtered by"
        if name in self._columns:
            return (
                "it is a column of the items that is not read: add it to `attributes` under "
                "`columns` of `items`"
            )
        return ""

    def notes(self) -> list[str]:
        """Which names were read as ours."""
        if not self._used:
            return []
        shown = [f"{theirs!r} as `{ours}`" for theirs, ours in sorted(self._used.items())[:_SHOWN]]
        more = f" and {len(self._used) - _SHOWN} more" if len(self._used) > _SHOWN else ""
        return [
            f"filters name columns as the items' table does, and are read by its mapping: "
            f"{', '.join(shown)}{more}"
        ]

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset() if self._items is None else frozenset(column_names(self._items))


def _mapped(items: TableSource) -> Iterator[tuple[str, str]]:
    """Their column and our field, where the config maps it."""
    for ours, theirs in items.columns.items():
        if isinstance(theirs, str):
            yield theirs, ours
        elif theirs is not None:
            yield from ((column, key) for key, column in theirs.items())
