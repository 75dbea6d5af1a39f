"""Cells of filters that could not be used: by cause, each told once, with what helps."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from genrecall.data.values.convert import shorten

_EXAMPLES: Final = 3
_CAUSES: Final = 5


class UnusableFilterError(ValueError):
    """A cell that can be read, and not be asked.

    Args:
        cause: what is wrong, in words that many cells share.
        why: what is allowed, and what would help.
    """

    def __init__(self, cause: str, why: str) -> None:
        super().__init__(cause)
        self.why = why


@dataclass
class _Told:
    why: str
    count: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, value: object) -> None:
        """Keep one example of each form, so that they differ in more than their words."""
        self.count += 1
        form = re.sub(r"\w+", "w", str(value))
        if len(self.examples) < _EXAMPLES:
            self.examples.setdefault(form, shorten(value))


class UnusableFilters:
    """Collects them, and tells them."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}

    def add(self, error: ValueError, value: object) -> None:
        """Keep what was wrong with a cell."""
        why = error.why if isinstance(error, UnusableFilterError) else ""
        self._told.setdefault(str(error), _Told(why.rstrip("."))).add(value)

    def notes(self) -> list[str]:
        """A line for each of the most frequent causes, and what helps against all."""
        if not self._told:
            return []
        ordered = sorted(self._told.items(), key=lambda cause: -cause[1].count)
        notes = [
            f"filters {cause}, such as {', '.join(told.examples.values())}"
            + (f"; {told.why}" if told.why else "")
            for cause, told in ordered[:_CAUSES]
        ]
        left = len(ordered) - _CAUSES
        more = f" (and those of {left} more causes)" if left > 0 else ""
        return [
            *notes,
            f"correct such filters{more}, or set `filters: null` under `columns` to read these "
            "searches without",
        ]
