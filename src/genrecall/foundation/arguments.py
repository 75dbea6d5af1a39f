"""What callers give, checked: a wrong type is a `RequestError` that says what to give instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from genrecall.foundation.errors import RequestError, unknown_name


def plain(value: Any) -> Any:
    """A scalar or array of numpy as Python's own, and everything else as it is.

    >>> plain(np.float64(2.5)), plain(np.array(["a", "b"])), plain("c")
    (2.5, ['a', 'b'], 'c')
    """
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def values_of(given: Any) -> list[Any]:
    """What a list, a set, an array or a column holds; a single value is a list of itself.

    >>> values_of(np.array([1, 2])), values_of({"a"}), values_of("ab")
    ([1, 2], ['a'], ['ab'])
    """
    given = plain(given)
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        return [plain(value) for value in given]
    return [given]


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


def known_names(what: str, given: Mapping[Any, Any], known: Sequence[str]) -> dict[str, Any]:
    """A mapping whose names are all known, as a dict.

    Args:
        what: a name is, for the error.
        given: as it was given.
        known: the names.

    Raises:
        RequestError: a name is not known.
    """
    for name in given:
        if name not in known:
            raise RequestError(unknown_name(what, str(name), known))
    return dict(given)
