"""Times as UBI logs hold them.

ISO 8601, in UTC where no zone is given; or seconds, milli-, micro- or nanoseconds since 1970, told
apart by their size, one by one: writers of UBI differ within a log.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

_MILLISECONDS_FROM: Final = 10**11
"""As seconds in the year 5138, as milliseconds in 1973; a thousand times as much is the least of
microseconds, and so on."""


def milliseconds(times: pl.Series) -> pl.Series:
    """Milliseconds since 1970 of texts or numbers in text, `[n]`; null where they are neither.

    >>> milliseconds(pl.Series(["1970-01-01T00:00:01.5Z", "1970-01-01 01:00", "1705596607509"])
    ... ).to_list()
    [1500, 3600000, 1705596607509]
    >>> milliseconds(pl.Series(["1705596607", "1705596607509000", "1705596607509000000"])).to_list()
    [1705596607000, 1705596607509, 1705596607509]
    """
    text = pl.col("time").str.strip_chars()
    zoned = text.str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False)
    naive = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms", strict=False)
    number = text.cast(pl.Float64, strict=False)
    size = number.abs() / _MILLISECONDS_FROM
    number = (
        pl.when(size < 1)
        .then(number * 1000)
        .when(size < 1_000)
        .then(number)
        .when(size < 1_000_000)
        .then((number / 1_000).round(3))
        .otherwise((number / 1_000_000).round(3))
    )
    found = times.to_frame("time").select(zoned.to_physical().alias("ms"), "time")
    for other in (naive.to_physical(), number.floor().cast(pl.Int64, strict=False)):
        if found["ms"].null_count() > times.null_count():
            found = found.with_columns(pl.coalesce("ms", other))
    rest = found.filter(pl.col("ms").is_null())["time"].unique().drop_nulls().to_list()
    if rest:  # rare forms, such as a date alone
        known = list(map(_milliseconds, rest))
        others = pl.col("time").replace_strict(rest, known, default=None, return_dtype=pl.Int64)
        found = found.with_columns(pl.coalesce("ms", others))
    return found["ms"]


def _milliseconds(text: str) -> int | None:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
