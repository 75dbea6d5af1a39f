"""How times of a sample are written: the pattern of Python's strptime that reads most of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from genrecall.data.values.times import whole

_ZONE: Final = r"( ?(?:UTC|GMT)?[+-]\d{2}:?\d{2}| ?UTC| ?GMT)?"
"""Python reads offsets. Names are taken as they stand, and mean what a time without a zone does;
others, such as CET, would be read hours apart from what they say."""

_CLOCK: Final = (
    r"(?:(,? |T|:)(\d{1,2}):(\d{2})(:\d{2}(?:\.\d{1,6})?)?( ?[AaPp][Mm])?" + _ZONE + ")?"
)
_DATE: Final = re.compile(r"(?=\d+.\d+.\d\d|\d{4})(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})" + _CLOCK)
_DAY_AND_NAME: Final = re.compile(r"\d{1,2}([ /-])([A-Za-z]{3,9})\1(\d{4}|\d{2})" + _CLOCK)
_NAME_AND_DAY: Final = re.compile(r"([A-Za-z]{3,9}) \d{1,2}(,?) \d{4}" + _CLOCK)
_YEAR_LAST: Final = re.compile(r"([A-Za-z]{3,9}) +\d{1,2}" + _CLOCK + r" \d{4}")
"""As Unix, Java and Twitter write times, behind the day of the week."""

_WEEKDAY: Final = re.compile(r"([A-Za-z]{3,9})(,? )(?=\w)")
_DIGITS: Final = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


class Times(NamedTuple):
    """How times are written.

    Attributes:
        pattern: of Python's strptime.
        example: the first of them.
        doubt: another pattern that would do, if no value tells day and month apart.
    """

    pattern: str
    example: str
    doubt: str | None = None


def what_helps(column: str) -> str:
    """What to do about times of a column for which there is no pattern here."""
    return (
        "if a pattern of Python's strptime reads them, set `dialect: {times: …}`, such as "
        '`"%d.%m.%Y %H:%M"`; months and days are named in English only, and zones are UTC, GMT or '
        "like +01:00. Otherwise write ISO 8601, such as 2024-02-16T10:15:00, or set "
        f"`{column}: null` under `columns` to read the table without it"
    )


def time_pattern(texts: Iterable[str]) -> Times | None:
    """How times are written that are neither ISO 8601 nor whole numbers of a unit.

    Months and days of the week may be named in English.

    >>> time_pattern(["03.04.2024 10:00", "16.02.2024 9:30"])
    Times(pattern='%d.%m.%Y %H:%M', example='03.04.2024 10:00', doubt=None)
    """
    given = [text.strip() for text in texts if text.strip()]
    found: Counter[str] = Counter()
    for text in given:
        found.update(_patterns(text))
    best = [
        (pattern, count) for pattern, count in found.most_common() if count == max(found.values())
    ]
    if not best or 2 * best[0][1] < len(given):
        return None
    pattern = best[0][0]
    example = next(text for text in given if pattern in _patterns(text))
    others = [other for other, _ in best[1:] if _no_names(other) != _no_names(pattern)]
    return Times(pattern, example, next(iter(others), None))


def _no_names(pattern: str) -> str:
    """A pattern without the length of its names of months: `May` has but one."""
    return pattern.replace("%B", "%b")


def _patterns(text: str) -> list[str]:
    """Patterns that read a text as a time, the likelier of day and month first."""
    weekday = _WEEKDAY.match(text)
    if weekday is not None and not _NAME_AND_DAY.fullmatch(text):
        name = "%a" if len(weekday[1]) == 3 else "%A"
        found = [f"{name}{weekday[2]}{rest}" for rest in _dates(text[weekday.end() :])]
    else:
        found = _dates(text)
    return [pattern for pattern in found if _reads(pattern, text)]


def _dates(text: str) -> list[str]:
    """Patterns that may read a date, with or without a clock."""
    if match := _DATE.fullmatch(text):
        if len(match[1]) == 4 and _is_iso(text):
            return []
        return [date + _clock(match) for date in _of_numbers(match)]
    if match := _DAY_AND_NAME.fullmatch(text):
        sign, year = match[1], _year(match[3])
        return [f"%d{sign}{month}{sign}{year}{_clock(match)}" for month in _months(match[2])]
    if match := _NAME_AND_DAY.fullmatch(text):
        return [f"{month} %d{match[2]} %Y{_clock(match)}" for month in _months(match[1])]
    if match := _YEAR_LAST.fullmatch(text):
        return [f"{month} %d{_clock(match)} %Y" for month in _months(match[1])]
    pattern = _DIGITS.get(len(text))
    return [pattern] if pattern and whole(text) is not None else []


def _of_numbers(match: re.Match[str]) -> list[str]:
    first, sign, _, last = match.groups()[:4]
    if len(first) == 4:
        return [f"%Y{sign}%m{sign}%d"]
    dates = [f"%d{sign}%m{sign}{_year(last)}", f"%m{sign}%d{sign}{_year(last)}"]
    in_america = sign == "/" and "%p" in _clock(match)
    return dates[::-1] if in_america else dates


def _year(digits: str) -> str:
    return "%Y" if len(digits) == 4 else "%y"


def _months(name: str) -> tuple[str, ...]:
    """How a month is written; May is as long as its short name."""
    if name.lower() == "may":
        return "%b", "%B"
    return ("%b",) if len(name) == 3 else ("%B",)


def _clock(match: re.Match[str]) -> str:
    """The pattern of what stands behind a date; "" for nothing."""
    between, hour, _, second, half, zone = match.groups()[-6:]
    if hour is None:
        return ""
    seconds = (":%S.%f" if "." in second else ":%S") if second else ""
    noon = half[:-2] + "%p" if half else ""
    offset = re.sub(r"[+-].*", "%z", zone or "")
    return f"{between}{'%I' if half else '%H'}:%M{seconds}{noon}{offset}"


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _reads(pattern: str, text: str) -> bool:
    try:
        return 1970 <= datetime.strptime(text, pattern).year < 2100
    except ValueError:
        return False
