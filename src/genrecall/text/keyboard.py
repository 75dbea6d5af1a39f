"""Which letters are typed for each other: neighbours on a keyboard, vowels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

VOWELS: Final = "aeiouy"


def _neighbours() -> dict[str, str]:
    places = {key: (r, c) for r, row in enumerate(ROWS) for c, key in enumerate(row)}
    return {
        key: "".join(
            other
            for other, (r, c) in places.items()
            if other != key and abs(row - r) <= 1 and abs(column - c) <= 1
        )
        for key, (row, column) in places.items()
    }


NEIGHBOURS: Final[Mapping[str, str]] = _neighbours()
"""The keys around each."""
