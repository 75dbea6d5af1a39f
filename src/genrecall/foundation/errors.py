"""The exception tree. Every message says what was given, what is allowed, and how to fix it.

```
GenRecallError
├── ConfigError       a config file that cannot be used as written
├── DataError         a table that cannot be read, or holds nothing to work with
├── ArtifactError     a bundle, stage output or item log that is missing or damaged
├── StorageFullError  a disk that is full: nothing was written, and what was there is whole
└── RequestError      a query, k or beam that cannot be answered
    └── FilterError   a filter on an unknown field or with an unusable condition
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GenRecallError(Exception):
    """Base of everything that GenRecall raises on purpose."""


class ConfigError(GenRecallError):
    """A config file cannot be used as written."""


class DataError(GenRecallError):
    """A table cannot be read, or holds nothing to work with."""


class ArtifactError(GenRecallError):
    """A stage output or bundle is missing, damaged or of another schema."""


class StorageFullError(GenRecallError):
    """The disk is full: nothing was written, and what was there is whole."""


class RequestError(GenRecallError):
    """A query, k or beam cannot be answered."""


class FilterError(RequestError):
    """A filter names an unknown field or an unusable condition.

    Args:
        message: for people.
        field: which field the condition is on, as far as that can be told.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


def unknown_name(what: str, given: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, list the known ones and guess which was meant.

    >>> unknown_name("column", "titel", ["title", "brand"])
    "unknown column 'titel'; known: brand, title. Did you mean 'title'?"
    """
    names = sorted(known)
    text = f"unknown {what} {given!r}; known: {', '.join(names) or 'none'}."
    close = difflib.get_close_matches(given, names, n=1)
    return f"{text} Did you mean {close[0]!r}?" if close else text
