"""What callers give, checked: a wrong type is a `RequestError` that says what to give instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from genrecall.foundation.errors import RequestError


def plain(value: Any) -> Any:
    """A scalar or array of numpy as Python's own, and everything else as it is.

    >>> plain(np.float64(2.5)), plain(np.array(["a", "b"])), plain("c")
    (2.5, ['a', 'b'], 'c')
    """
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def whole_number(name: str, value: object, *, least: int) -> int:
    """A whole number, of Python or numpy; only its type is checked.

    Args:
        name: of the argument, for the error.
        value: as it was given.
        least: the smallest number that makes sense, for the error.

    Raises:
        RequestError: it is none.

    >>> whole_number("k", np.int64(3), least=1)
    3
    """
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise RequestError(
            f"{name}={value!r} is not a whole number; give {name} of at least {least}."
        )
    return number


def texts(name: str, value: object, *, such_as: str) -> tuple[str, ...]:
    """A list of texts, whatever holds them.

    Args:
        name: of the argument, for the error.
        value: as it was given.
        such_as: a list that would do, as it is written in Python.

    Raises:
        RequestError: one text alone, a mapping, something that holds nothing or other things.

    >>> texts("history", np.array(["i1", "i2"]), such_as="['i1']")
    ('i1', 'i2')
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise RequestError(f"{name}={value!r} is not a list of texts; give one, such as {such_as}.")
    parts = tuple(plain(part) for part in value)
    for part in parts:
        if not isinstance(part, str):
            raise RequestError(
                f"{name} holds {part!r}, which is not text; give texts, such as {such_as}."
            )
    return parts
