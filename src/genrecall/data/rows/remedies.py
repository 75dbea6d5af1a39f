"""What would make rejected rows readable, as far as their values tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from genrecall.data.rows.rejects import Reject
from genrecall.data.values import detect
from genrecall.data.values.dialect import TableDialect

_NO_DIALECT: Final = TableDialect()
_MOST: Final = 5
"""Words that a remedy names."""


def remedies(rejects: Sequence[Reject], dialect: TableDialect = _NO_DIALECT) -> list[str]:
    """Say for each cause which setting would help; nothing where none would.

    Args:
        rejects: of one table.
        dialect: what is set for it; lists are told with what stands in them.

    >>> remedies([Reject(2, "price is not a number", "'12,50 €'", "")])
    ['price is not a number: set `dialect: {decimal: ",", currency: ["€"]}`']
    """
    values: dict[str, list[str]] = {}
    for reject in rejects:
        values.setdefault(reject.cause, []).append(_unquoted(reject.given))
    found = []
    for cause, given in values.items():
        for ending, remedy in _REMEDIES.items():
            if (cause.endswith(ending) or cause.startswith(ending)) and (
                told := remedy(given, dialect)
            ):
                found.append(f"{cause}: {told}")
    return found


def _unquoted(given: str) -> str:
    """A value as it stood, where it was shown in quotes."""
    return given[1:-1] if len(given) > 1 and given[0] == given[-1] and given[0] in "'\"" else given


def _number(values: Sequence[str], dialect: TableDialect) -> str:
    settings = _empty(values, dialect)
    if form := detect.number_format(values):
        decimal, thousands = form.decimal, form.thousands
        if form.doubt is not None and dialect.decimal not in form.doubt:  # `1.299` beside `12,50`
            decimal, thousands = dialect.decimal, {",": ".", ".": ","}[dialect.decimal]
        settings += [f'decimal: "{decimal}"'] if decimal != dialect.decimal else []
        settings += [f'thousands: "{thousands}"'] if thousands else []
        settings += _currency(form.currency, dialect)
    return _setting(settings)


def _currency(names: Sequence[str], dialect: TableDialect) -> list[str]:
    """Names beside a number, unless they are of another currency than those that are set."""
    allowed = set(map(detect.currency_of, dialect.currency))
    if not names or (allowed and detect.currency_of(names[0]) not in allowed):
        return []
    return [f"currency: {_list([*dialect.currency, *names])}"]


def _empty(values: Sequence[str], dialect: TableDialect) -> list[str]:
    words = detect.empty_words(values)
    return [f"empty: {_list([*dialect.empty, *words])}"] if words else []


def _time(values: Sequence[str], dialect: TableDialect) -> str:
    form = detect.time_pattern(values)
    settings = _empty(values, dialect)
    return _setting([*settings, f'times: "{form.pattern}"'] if form else settings)


def _flag(values: Sequence[str], dialect: TableDialect) -> str:
    known, unknown = detect.flag_words(values)
    empty = detect.empty_words(unknown)
    words = [f'"{word}": {str(flag).lower()}' for word, flag in known.items()]
    words += [f'"{word}": …' for word in unknown if word not in empty]
    set_already = [f'"{word}": {str(flag).lower()}' for word, flag in dialect.flags.items()]
    settings = [f"flags: {{{', '.join([*set_already, *words[:_MOST]])}}}"] if words else []
    return _setting([*settings, *_empty(unknown, dialect)])


def _encoding(_: Sequence[str], __: TableDialect) -> str:
    return "set `dialect: {encoding: …}`, such as cp1252 (Windows); `genrecall init` sees which"


def _fields(_: Sequence[str], __: TableDialect) -> str:
    return "check `separator` under `dialect`, and that fields which hold it are in quotes"


def _untimed(_: Sequence[str], __: TableDialect) -> str:
    return "set `split: {by: query}` to read searches without a time, too"


def _setting(settings: Sequence[str]) -> str:
    return f"set `dialect: {{{', '.join(settings)}}}`" if settings else ""


def _list(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in dict.fromkeys(words)) + "]"


_REMEDIES: Final[Mapping[str, Callable[[Sequence[str], TableDialect], str]]] = {
    "is not a number": _number,
    "is neither a whole number nor an ISO 8601 time": _time,
    "is neither true nor false": _flag,
    "timestamp is missing": _untimed,
    "line is not UTF-8": _encoding,
    "line has the wrong number of fields": _fields,
}
