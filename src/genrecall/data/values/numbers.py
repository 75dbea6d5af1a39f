"""Numbers in text, as a table's dialect writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import polars as pl

_SPACE: Final = "[ \u00a0\u2009\u202f]"
_THOUSANDS: Final = {".": r"\.", ",": ",", " ": _SPACE, "'": "['’]"}
_NO_CENTS: Final = "[-–—]{1,2}"
_NOT_FINITE: Final = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class NumberFormat:
    """Reads numbers with one decimal sign, and between thousands one sign or none.

    Digits are 0 to 9: other scripts' digits, and the `_` of programming languages, are no numbers.

    Args:
        decimal: before decimal places.
        thousands: between groups of digits; None where there is none.
        currency: what may stand before or behind a number.

    Attributes:
        example: the first text that was read of which nobody doubts that it has decimal places.
    """

    def __init__(
        self, decimal: str = ".", thousands: str | None = None, currency: Sequence[str] = ()
    ) -> None:
        self._decimal, self._thousands = decimal, thousands
        self.example: str | None = None
        point = re.escape(decimal)
        # Three places may be thousands, but not behind a zero.
        self._with_places = (
            rf"{point}(?:[0-9]{{1,2}}|[0-9]{{4,}})(?:[^0-9]|$)|(?:^|[^0-9])0{point}[0-9]"
        )
        whole = "[0-9]+"
        if thousands is not None:
            sign = _THOUSANDS[thousands]
            indian = f"[0-9]{{1,2}}(?:{sign}[0-9]{{2}})+{sign}[0-9]{{3}}"  # 12,34,567
            whole = f"(?:[0-9]{{1,3}}(?:{sign}[0-9]{{3}})+|{indian}|[0-9]+)"
        # A dash in the place of decimals stands for no cents: `12,–`. Elsewhere it is a sign.
        plain = rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
        number = rf"[+-]?(?:{whole}{point}{_NO_CENTS}|{plain})"
        names = "|".join(re.escape(name) for name in sorted(currency, key=len, reverse=True))
        money = rf"(?:(?i:{names}){_SPACE}?)?" if names else ""
        self._form = rf"^\s*{money}(?P<number>{number})\s*{money}\s*$"
        self._pattern = re.compile(self._form)

    def cell(self, value: object) -> float | None:
        """Read a finite number; None for blank text."""
        if isinstance(value, str):
            if not value.strip():
                return None
            value = self._from_text(value)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise ValueError("is not a number")
        try:
            result = float(value)
        except OverflowError:
            result = math.inf
        if not math.isfinite(result):
            raise ValueError("is not a finite number")
        return result

    def _from_text(self, value: str) -> float:
        match = self._pattern.match(value)
        if match is None:
            wrong = "a finite number" if _NOT_FINITE.fullmatch(value.strip()) else "a number"
            raise ValueError(f"is not {wrong}")
        number = match["number"]
        if self.example is None and re.search(self._with_places, value):
            self.example = value.strip()
        if self._thousands is not None:
            number = re.sub(_THOUSANDS[self._thousands], "", number)
        return float(re.sub(f"{_NO_CENTS}$", "", number).replace(self._decimal, "."))

    def fast(self, series: pl.Series) -> pl.Series | None:
        """Read a typed column at once; null where `cell` has to look."""
        if series.dtype == pl.String:
            number = pl.first().str.extract(self._form, 1)
            if self._thousands is not None:
                number = number.str.replace_all(_THOUSANDS[self._thousands], "")
            number = number.str.replace(f"{_NO_CENTS}$", "")
            text = number.str.replace(self._decimal, ".", literal=True)
            if self.example is None:
                read = text.is_not_null() & pl.first().str.contains(self._with_places)
                found = series.to_frame().filter(read).to_series()
                self.example = found[0].strip() if len(found) else None
            series = series.to_frame().select(text).to_series()
        elif not series.dtype.is_numeric():
            return None
        numbers = series.cast(pl.Float64, strict=False)
        return (
            numbers.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first())).to_series()
        )
