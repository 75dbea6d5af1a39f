"""What would make rejected rows readable, as far as their values tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from genrecall.data.rows.rejects import Reject
from genrecall.data.values import detect, detect_times
from genrecall.data.values.detect_stock import look_at_stock
from genrecall.data.values.dialect import TableDialect

_NO_DIALECT: Final = TableDialect()
_MOST: Final = 5
"""Words that a remedy names."""


def remedies(
    rejects: Sequence[Reject],
    dialect: TableDialect = _NO_DIALECT,
    decimal: str | None = None,
) -> list[str]:
    """Say for each cause which setting would help; nothing where none would.

    Args:
        rejects: of one table.
        dialect: what is set for it; lists are told with what stands in them.
        decimal: a number with decimal places that was read, if there is one.

    >>> remedies([Reject(2, "price is not a number", "'12,50 €'", "")])
    ['price is not a number: set `dialect: {decimal: ",", currency: ["€"]}`']
    """
    values: dict[str, list[str]] = {}
    for reject in rejects:
        values.setdefault(reject.cause, []).append(_unquoted(reject.given))
    found = []
    for cause, given in values.items():
        rejected = _Rejected(cause.partition(" ")[0], given, dialect, decimal)
        for words, remedy in _REMEDIES.items():
            if words in cause and (told := remedy(rejected)):
                found.append(f"{cause}: {told}")
    return found


def _unquoted(given: str) -> str:
    """A value as it stood, where it was shown in quotes."""
    return given[1:-1] if len(given) > 1 and given[0] == given[-1] and given[0] in "'\"" else given


class _Rejected(NamedTuple):
    """What was rejected for one cause.

    Attributes:
        column: the first word of the cause, which is our column where its cells are at fault.
        values: those cells, as they stood.
        dialect: what is set for the table.
        decimal: a number of the table that was read, with decimal places; None for none.
    """

    column: str
    values: Sequence[str]
    dialect: TableDialect
    decimal: str | None


def _number(rejected: _Rejected) -> str:
    dialect = rejected.dialect
    settings = _empty(rejected.values, dialect)
    form = detect.number_format(rejected.values)
    if form is None:
        return _setting(settings)
    examples = dict(form.decimals)
    if rejected.decimal is not None:
        examples[dialect.decimal] = rejected.decimal
    if len(examples) > 1:
        settings += _currency(form.currency, dialect)
        return "; ".join(filter(None, [_setting(settings), detect.both_signs(examples)]))
    decimal, thousands = form.decimal, form.thousands
    if form.doubt is not None and dialect.decimal not in form.doubt:  # `1.299` beside `12,50`
        decimal, thousands = dialect.decimal, {",": ".", ".": ","}[dialect.decimal]
    signs = _signs(decimal, thousands, dialect)
    return _setting([*settings, *signs, *_currency(form.currency, dialect)])


def _signs(decimal: str, thousands: str | None, dialect: TableDialect) -> list[str]:
    settings = [f'decimal: "{decimal}"'] if decimal != dialect.decimal else []
    return [*settings, f'thousands: "{thousands}"'] if thousands else settings


def _currency(names: Sequence[str], dialect: TableDialect) -> list[str]:
    """Names beside a number, unless they are of another currency than those that are set."""
    allowed = set(map(detect.currency_of, dialect.currency))
    if not names or (allowed and detect.currency_of(names[0]) not in allowed):
        return []
    return [f"currency: {_list([*dialect.currency, *names])}"]


def _empty(values: Sequence[str], dialect: TableDialect) -> list[str]:
    words = detect.empty_words(values)
    return [f"empty: {_list([*dialect.empty, *words])}"] if words else []


def _time(rejected: _Rejected) -> str:
    settings = _empty(rejected.values, rejected.dialect)
    words = detect.empty_words(rejected.values)
    values = [value for value in rejected.values if value.strip() not in words]
    if not values:
        return _setting(settings)
    form = detect_times.time_pattern(values)
    if form is not None and rejected.dialect.times is None:
        return _setting([*settings, f'times: "{form.pattern}"'])
    if form is not None:
        told = (
            f"{form.example!r} is a time like {form.pattern}: set `times` to that if all are; "
            "otherwise write all of them one way"
        )
    else:
        told = f"such as {values[0]!r}: {detect_times.what_helps(rejected.column)}"
    return "; ".join(filter(None, [_setting(settings), told]))


def _flag(rejected: _Rejected) -> str:
    known, unknown = detect.flag_words(rejected.values)
    dialect = rejected.dialect
    empty = detect.empty_words(unknown)
    stock = look_at_stock(unknown, empty, named=dialect.counts)
    form = detect.number_format(stock.numbers)
    if form is not None and stock.counts and not stock.others:
        counts = [] if dialect.counts else ["counts: true"]
        signs = _signs(form.decimal, form.thousands, dialect)
        return _setting([*counts, *signs, *_empty(unknown, dialect)])
    words = [f'"{word}": {str(flag).lower()}' for word, flag in known.items()]
    words += [f'"{word}": …' for word in unknown if word not in empty]
    set_already = [f'"{word}": {str(flag).lower()}' for word, flag in dialect.flags.items()]
    settings = [f"flags: {{{', '.join([*set_already, *words[:_MOST]])}}}"] if words else []
    told = _setting([*settings, *_empty(unknown, dialect)])
    if stock.numbers and not dialect.counts:
        told += ", or `counts: true` if numbers say how many there are"
    return told


def _encoding(_: _Rejected) -> str:
    return "set `dialect: {encoding: …}`, such as cp1252 (Windows); `genrecall init` sees which"


def _fields(_: _Rejected) -> str:
    return "check `separator` under `dialect`, and that fields which hold it are in quotes"


def _untimed(_: _Rejected) -> str:
    return "set `split: {by: query}` to read searches without a time, too"


def _setting(settings: Sequence[str]) -> str:
    return f"set `dialect: {{{', '.join(settings)}}}`" if settings else ""


def _list(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in dict.fromkeys(words)) + "]"


_REMEDIES: Final[Mapping[str, Callable[[_Rejected], str]]] = {
    "is not a number": _number,
    "is neither a whole number nor an ISO 8601 time": _time,
    "is not an ISO 8601 time": _time,
    "is not a whole number": _time,
    "is no time like": _time,
    "is neither true nor false": _flag,
    "timestamp is missing": _untimed,
    "line is not UTF-8": _encoding,
    "line has the wrong number of fields": _fields,
}
