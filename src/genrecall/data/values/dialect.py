"""How a file of the shop is written: its encoding and separator, its numbers, times and words."""

from __future__ import annotations

import codecs
import re
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from genrecall.foundation.settings import Section

UNITS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units of whole numbers since 1970, and how many of them make a second."""

_ORDINARY: Final = ("iso", *UNITS, "ordinal")


class TableDialect(Section):
    """How a table is written. `genrecall init` sees this in a sample and writes it down."""

    encoding: str | None = None
    """Encoding of CSV and JSONL, by a name that Python knows, such as `cp1252`. None: UTF-8, or the
    UTF-16 or UTF-32 that a byte order mark says."""

    separator: str | None = Field(None, min_length=1, max_length=1)
    """Between the fields of CSV. None: a comma, and a tab where the file ends in `.tsv`."""

    decimal: Literal[".", ","] = "."
    """The sign before decimal places in text."""

    thousands: Literal[".", ",", " ", "'"] | None = None
    """The sign between thousands in text: with `.` here, `1.299` is 1299. None: there is none."""

    currency: tuple[str, ...] = ()
    """Signs or names that may stand before or behind a number, such as `€` or `EUR`. A number with
    another one is unreadable: prices in two currencies do not compare."""

    times: str | None = None
    """How times are written: `iso` (ISO 8601); `s`, `ms`, `us` or `ns`, whole numbers of seconds to
    nanoseconds since 1970; `ordinal`, any whole numbers that grow with time; or a pattern of
    Python's strptime, such as `%d.%m.%Y %H:%M`. UTC where no zone is given. None: decided over all
    of a column; one that mixes them is refused."""

    flags: dict[str, bool] = Field(default_factory=dict)
    """What words mean, beside true and false, yes and no, 1 and 0: `{ja: true, nein: false}`.
    Letter case, blanks, hyphens and underscores do not count."""

    counts: bool = False
    """Whether a number where a flag is expected says how many there are, such as pieces in stock:
    true from the first piece on."""

    empty: tuple[str, ...] = ()
    """Words that stand for a missing value, such as `NULL`, `n/a` or `-`. Letter case does not
    count."""

    list_separator: str = Field("|", min_length=1)
    """Between the entries of a list in text. JSON arrays are read in any case. `{,}`: ids stand in
    arrays as PostgreSQL writes them, such as `{12,13}`; elsewhere these are read in any case."""

    level_separator: str = Field(">", min_length=1)
    r"""Between the levels of a category path in text, root first. Blanks around it do not count,
    unless they stand here: ` / ` leaves `Audio/Video` whole. Behind a backslash it belongs to a
    name."""

    path_separator: str | None = Field(None, min_length=1)
    """Between several category paths in one text, such as the comma in `A > B, A > C`. Of several,
    the deepest counts, the first of equals. None: a text is one path."""

    html: Literal["clean", "keep"] = "clean"
    """`clean`: texts lose HTML entities, tags and unseen characters where they are read. `keep`:
    titles, brands and attributes are shown as the file has them; models read them cleaned, and
    categories are cleaned, either way."""

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        if encoding is not None:
            try:
                "a,b".encode(encoding)
            except (LookupError, UnicodeError):
                raise ValueError(
                    f"{encoding!r} is no encoding that Python knows; usual ones are utf-8, cp1252 "
                    "(Windows, Western Europe), cp1250 (Central Europe) and utf-16."
                ) from None
        return encoding

    @field_validator("times")
    @classmethod
    def _readable(cls, times: str | None) -> str | None:
        if times is None or times in _ORDINARY:
            return times
        try:
            moment = datetime(2024, 12, 31, 23, 59, 58, tzinfo=UTC)
            read = datetime.strptime(moment.strftime(times), times)
        except (ValueError, re.error):
            read = None
        if read is None or read.date() != moment.date():
            raise ValueError(
                f"{times!r} does not say how times are written. Give one of "
                f"{', '.join(_ORDINARY)}, or a pattern with year, month and day such as "
                "`%d.%m.%Y %H:%M`."
            )
        return times

    @model_validator(mode="after")
    def _check(self) -> TableDialect:
        if self.thousands == self.decimal:
            raise ValueError(
                f"{self.decimal!r} cannot stand both between thousands and before decimal places. "
                f"Set `decimal: {'.' if self.decimal == ',' else ','!r}`, or another `thousands`."
            )
        return self

    @property
    def codec(self) -> str:
        """Name of the encoding, or of what is read where none is given."""
        return codecs.lookup(self.encoding or "utf-8").name
