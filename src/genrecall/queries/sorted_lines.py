"""Words of a file, one a line in order, that are looked up where they lie."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Final

_END: Final = b"\n"


class SortedLines(Container[str]):
    r"""Distinct lines in ascending order of their characters, found by halving.

    A set of a hundred thousand words takes longer to make than all that a process asks of it.

    Args:
        text: the lines in UTF-8, whose bytes have the order of their characters.

    >>> words = SortedLines(b"drill\nlamp\nsaw")
    >>> "lamp" in words, "lam" in words, "" in words
    (True, False, False)
    """

    def __init__(self, text: bytes) -> None:
        self._text = text

    @classmethod
    def load(cls, path: Path) -> SortedLines:
        """Read a file."""
        return cls(path.read_bytes())

    def __contains__(self, line: object) -> bool:
        if not isinstance(line, str) or not line:
            return False
        wanted = line.encode()
        low, high = 0, len(self._text)  # `low` begins a line, `high` ends one
        while low < high:
            start = self._text.rfind(_END, low, (low + high) // 2) + 1 or low
            end = self._text.find(_END, start, high)
            end = high if end < 0 else end
            found = self._text[start:end]
            if found == wanted:
                return True
            if found < wanted:
                low = end + 1
            else:
                high = start - 1
        return False
