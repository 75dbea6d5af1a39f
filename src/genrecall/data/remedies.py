"""What would make rejected rows readable, as far as their values tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from genrecall.data import detect
from genrecall.data.rejects import Reject

_MOST: Final = 5
"""Words that a remedy names."""


def remedies(rejects: Sequence[Reject]) -> list[str]:
    """Say for each cause which setting would help; nothing where none would.

    >>> remedies([Reject(2, "price is not a number", "'12,50 €'", "")])
    ['price is not a number: set `dialect: {decimal: ",", currency: ["€"]}`']
    """
    values: dict[str, list[str]] = {}
    for reject in rejects:
        values.setdefault(reject.cause, []).append(_unquoted(reject.given))
    found = []
    for cause, given in values.items():
        for ending, remedy in _REMEDIES.items():
            if cause.endswith(ending) and (told := remedy(given)):
                found.append(f"{cause}: {told}")
    return found


def _unquoted(given: str) -> str:
    """A value as it stood, where it was shown in quotes."""
    return given[1:-1] if len(given) > 1 and given[0] == given[-1] and given[0] in "'\"" else given


def _number(values: Sequence[str]) -> str:
    settings = []
    if empty := detect.empty_words(values):
        settings.append(f"empty: {_list(empty)}")
    if form := detect.number_format(values):
        settings += [f'decimal: "{form.decimal}"'] if form.decimal != "." else []
        settings += [f'thousands: "{form.thousands}"'] if form.thousands else []
        settings += [f"currency: {_list(form.currency)}"] if form.currency else []
    return _setting(settings)


def _time(values: Sequence[str]) -> str:
    form = detect.time_pattern(values)
    empty = detect.empty_words(values)
    settings = [f"empty: {_list(empty)}"] if empty else []
    return _setting([*settings, f'times: "{form.pattern}"'] if form else settings)


def _flag(values: Sequence[str]) -> str:
    known, unknown = detect.flag_words(values)
    empty = detect.empty_words(unknown)
    words = [f'"{word}": {str(flag).lower()}' for word, flag in known.items()]
    words += [f'"{word}": …' for word in unknown if word not in empty]
    settings = [f"flags: {{{', '.join(words[:_MOST])}}}"] if words else []
    return _setting([*settings, f"empty: {_list(empty)}"] if empty else settings)


def _encoding(_: Sequence[str]) -> str:
    return "set `dialect: {encoding: …}`, such as cp1252 (Windows); `genrecall init` sees which"


def _fields(_: Sequence[str]) -> str:
    return "check `separator` under `dialect`, and that fields which hold it are in quotes"


def _untimed(_: Sequence[str]) -> str:
    return "set `split: {by: query}` to read searches without a time, too"


def _setting(settings: Sequence[str]) -> str:
    return f"set `dialect: {{{', '.join(settings)}}}`" if settings else ""


def _list(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


_REMEDIES: Final[Mapping[str, Callable[[Sequence[str]], str]]] = {
    "is not a number": _number,
    "is neither a whole number nor an ISO 8601 time": _time,
    "is neither true nor false": _flag,
    "timestamp is missing": _untimed,
    "line is not UTF-8": _encoding,
    "line has the wrong number of fields": _fields,
}
