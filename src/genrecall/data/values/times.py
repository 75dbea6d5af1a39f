"""Times, as a table's dialect writes them: in ISO 8601, by a pattern, or as whole numbers.

What a whole number counts is decided over all of a column: seconds, milli-, micro- or nanoseconds
since 1970 where every one lies between 1990 and 2100, dates like 20240131, or else an ordinal.
Decimal places are fractions of such a unit and are dropped; elsewhere they would tell moments
apart, so that numbers that have them are no times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from genrecall.data.values.convert import Column, Converted, Kind, convert
from genrecall.data.values.dialect import UNITS
from genrecall.foundation.errors import DataError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INT64: Final = range(-(2**63), 2**63)
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?")
_PLAUSIBLE: Final = (631_152_000, 4_102_444_800)
"""Seconds from 1990 to 2100."""

_FOUR_DIGITS: Final = 1000
"""The first year that has them: Polars reads fewer where Python asks for all."""

_SERIAL: Final = range(32_874, 73_051)
"""Days from 1990 to 2100, as spreadsheets count them from 1900."""

ISO: Final = "iso"
DIGITS: Final = "digits"
ORDINAL: Final = "ordinal"
FORMS: Final[Mapping[str, str]] = {
    ISO: "ISO 8601",
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
    "ns": "nanoseconds since 1970",
    DIGITS: "dates of eight digits",
    ORDINAL: "ordinals",
}
"""What a column of times may be, in words."""


class Form(NamedTuple):
    """One of the ways in which the times of a column are written.

    Attributes:
        rows: how many are written so.
        example: the first of them.
    """

    rows: int
    example: str


def seconds(moment: datetime | date) -> int:
    """Whole seconds since 1970, UTC where no zone is given."""
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(seconds=1)
    return (moment - _EPOCH.date()) // timedelta(seconds=1)


def whole(value: object) -> int | None:
    """A whole number, or a decimal one without its places; None for what is no number."""
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            value = int(value) if len(value) < 30 else None
        elif _DECIMAL.fullmatch(value):
            value = float(value)
    if isinstance(value, float) and math.isfinite(value):
        value = math.floor(value)
    known = isinstance(value, int) and not isinstance(value, bool) and value in _INT64
    return value if known and isinstance(value, int) else None


def time(value: object) -> int | None:
    """Read a time that stands alone: a whole number as it is, or ISO 8601."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        if (number := whole(value)) is None:
            return seconds(_from_iso(value))
        return number
    if isinstance(value, datetime | date):
        return seconds(value)
    if (number := whole(value)) is None:
        raise ValueError("is neither a whole number nor an ISO 8601 time")
    return number


def _from_iso(value: str) -> datetime:
    try:
        if value.isascii():
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("is neither a whole number nor an ISO 8601 time")


class TimeColumn:
    """Reads a column of times chunk by chunk, and decides at the end what its numbers are.

    Args:
        times: as in the dialect; None decides over the whole column.

    Attributes:
        forms: what was found so far, by its name in `FORMS`; empty where the dialect says it.
    """

    def __init__(self, times: str | None = None) -> None:
        self.times = times
        self.forms: dict[str, Form] = {}
        self._with_places: object = None

    def read(self, column: Column) -> Converted:
        """Read a chunk: seconds, or numbers as they stand where nothing says what they are."""
        if self.times is None:
            return self._read_any(column)
        if self.times in UNITS:
            read = convert(column, Kind(pl.Int64(), _needed_number, _fast_number))
            return read._replace(values=read.values // UNITS[self.times])
        if self.times == ORDINAL:
            return convert(column, Kind(pl.Int64(), _ordinal, _fast_number))
        if self.times == ISO:
            return convert(column, Kind(pl.Int64(), _iso))
        return convert(column, Kind(pl.Int64(), self._by_pattern, self._fast_by_pattern))

    def settle(self, values: pl.Series, *, what: str) -> pl.Series:
        """Bring all of the column into seconds, or leave it as ordinals.

        Args:
            values: int64, all that `read` gave.
            what: names the column, for the error.

        Raises:
            DataError: the column mixes several ways of writing times, or has decimal places where
                they are no fractions of a second.
        """
        if len(self.forms) > 1:
            found = sorted(self.forms.items(), key=lambda item: -item[1].rows)
            listed = "; ".join(
                f"{FORMS[name]}, such as {form.example} ({form.rows:,} rows)"
                for name, form in found
            )
            usual = found[0][0] if found[0][0] != DIGITS else "%Y%m%d"
            raise DataError(
                f"{what} mixes times of {len(found)} kinds: {listed}. Write all of them one way, "
                f"or say under `dialect` which one holds, such as `times: {usual!r}`: then any "
                "whole number is read as that, and what cannot be is rejected."
            )
        form = next(iter(self.forms), None)
        if form in (DIGITS, ORDINAL) and self._with_places is not None:
            raise DataError(f"{what} {_no_times(self._with_places)}")
        if form == DIGITS:
            dates = values.cast(pl.String).str.to_date("%Y%m%d")
            return dates.cast(pl.Datetime("ms")).dt.epoch("s")
        return values // UNITS.get(form or "", 1)

    @property
    def unit(self) -> str | None:
        """What the column is written in, in words; None where it holds nothing."""
        if self.times is not None:
            return FORMS.get(self.times, f"dates like {self.times}")
        return next((FORMS[name] for name in self.forms), None)

    def _read_any(self, column: Column) -> Converted:
        numbers = convert(column, Kind(pl.Int64(), self._number, _fast_number)).values
        for name, count, example in _forms_of(numbers):
            self._count(name, count, str(example))
        if numbers.null_count() == 0:
            return Converted(numbers, {})
        given = column.to_list() if isinstance(column, pl.Series) else column
        known = numbers.to_list()
        others = [
            value if number is None else None for value, number in zip(given, known, strict=True)
        ]
        dates = convert(others, Kind(pl.Int64(), time))
        first = dates.values.is_not_null().arg_max()
        if first is not None:
            count = len(dates.values) - dates.values.null_count()
            self._count(ISO, count, str(others[first]))
        return dates._replace(values=numbers.fill_null(dates.values))

    def _number(self, value: object) -> int | None:
        number = _number(value)
        if self._with_places is None and number is not None and _has_places(value):
            self._with_places = value.strip() if isinstance(value, str) else value
        return number

    def _count(self, name: str, count: int, example: str) -> None:
        if count:
            before = self.forms.get(name, Form(0, example))
            self.forms[name] = Form(before.rows + count, before.example)

    def _by_pattern(self, value: object) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str):
            if not value.strip():
                return None
            with suppress(ValueError):
                value = datetime.strptime(value.strip(), self._pattern)
        if isinstance(value, datetime | date):
            return seconds(value)
        raise ValueError(f"is no time like {self._pattern}")

    def _fast_by_pattern(self, series: pl.Series) -> pl.Series | None:
        """Polars reads these directives as Python does; in others they differ."""
        if series.dtype != pl.String or set(re.findall("%(.)", self._pattern)) - set("YmdHMS"):
            return None
        text = pl.when(pl.first().str.contains(r"^[\s0-9.,:/T-]+$")).then(pl.first())
        moments = series.to_frame().select(
            text.str.strip_chars().str.to_datetime(self._pattern, strict=False, time_unit="ms")
        )
        return moments.select(
            pl.when(pl.first().dt.year().is_between(_FOUR_DIGITS, MAXYEAR)).then(
                pl.first().dt.epoch("s")
            )
        ).to_series()

    @property
    def _pattern(self) -> str:
        return self.times or ""


def _number(value: object) -> int | None:
    """A whole number; None for what may be a date."""
    return whole(value.strip() if isinstance(value, str) else value)


def _has_places(value: object) -> bool:
    """Whether something is lost of a number that becomes a whole one."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return False
    return isinstance(value, str | float) and not float(value).is_integer()


def _no_times(number: object) -> str:
    """Say of a column that its numbers cannot be times, with one of them."""
    told = (
        f"holds numbers with decimal places, such as {number}, that count no seconds since 1970. "
    )
    day = whole(number)
    if day is not None and day in _SERIAL:
        moment = datetime(1899, 12, 30) + timedelta(days=day)
        told += (
            "They look like days since 1900, as Excel writes dates where a cell has no format of "
            f"dates: that one is on {moment:%Y-%m-%d}. "
        )
    return (
        f"{told}Write times in ISO 8601, such as 2024-02-16T10:15:00 (in Excel the format "
        "`yyyy-mm-dd hh:mm:ss`), or whole numbers."
    )


def _ordinal(value: object) -> int | None:
    number = _needed_number(value)
    if number is not None and _has_places(value):
        raise ValueError("is not a whole number")
    return number


def _needed_number(value: object) -> int | None:
    """A whole number; what is none is unreadable."""
    if isinstance(value, str) and not value.strip():
        return None
    if (number := _number(value)) is None:
        raise ValueError("is not a whole number")
    return number


def _fast_number(series: pl.Series) -> pl.Series | None:
    if series.dtype.is_integer() or series.dtype == pl.String:
        return series.cast(pl.Int64, strict=False)
    return None


def _iso(value: object) -> int | None:
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, datetime | date):
        return seconds(value)
    if isinstance(value, str) and _number(value) is None:
        return time(value)
    raise ValueError("is not an ISO 8601 time")


def _forms_of(numbers: pl.Series) -> list[tuple[str, int, int]]:
    """Each form among whole numbers, how many there are, and the first."""
    number = pl.col("number")
    first, last = _PLAUSIBLE
    form = pl.when(_is_date()).then(pl.lit(DIGITS)).otherwise(pl.lit(ORDINAL))
    for name, scale in UNITS.items():
        within = number.is_between(first * scale, last * scale, closed="left")
        form = pl.when(within).then(pl.lit(name)).otherwise(form)
    frame = pl.DataFrame({"number": numbers}).drop_nulls()
    forms = frame.with_columns(form.alias("form"))
    return (
        forms.group_by("form", maintain_order=True)
        .agg(pl.len(), pl.first("number").alias("first"))
        .rows()
    )


def _is_date() -> pl.Expr:
    """Whether a number is a date from 1990 to 2099, written with eight digits."""
    number = pl.col("number")
    text = pl.when(number.is_between(19_900_101, 20_991_231)).then(number.cast(pl.String))
    return text.str.to_date("%Y%m%d", strict=False).is_not_null()
