from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genrecall.data.values.times import TimeColumn
from genrecall.foundation.errors import DataError

NOON = int(datetime(2024, 2, 16, 12, tzinfo=UTC).timestamp())


def read(*chunks, times=None):
    """All chunks of a column, in one unit; what it is written in; what could not be read."""
    column = TimeColumn(times)
    read = [column.read(chunk) for chunk in chunks]
    values = column.settle(pl.concat(part.values for part in read), what="t.csv: the column of at")
    return values.to_list(), column.unit, [part.failed for part in read if part.failed]


@pytest.mark.parametrize(
    ("given_value", "unit"),
    [
        (NOON, "seconds since 1970"),
        (str(NOON), "seconds since 1970"),
        (f"{NOON}.75", "seconds since 1970"),
        (NOON * 10**3 + 9, "milliseconds since 1970"),
        (f"{NOON}000", "milliseconds since 1970"),
        (float(NOON * 10**3), "milliseconds since 1970"),
        (f"{NOON}.5e3", "milliseconds since 1970"),
        (NOON * 10**6, "microseconds since 1970"),
        (str(NOON * 10**9), "nanoseconds since 1970"),
        ("2024-02-16T12:00:00Z", "ISO 8601"),
        ("2024-02-16 13:00:00+01:00", "ISO 8601"),
        (datetime(2024, 2, 16, 12), "ISO 8601"),
    ],
)
def test_one_moment_in_every_unit(given_value, unit):
    assert read([given_value, None]) == ([NOON, None], unit, [])


def test_typed_columns_of_times():
    moment = datetime(2024, 2, 16, 12)
    for kind in (pl.Datetime("ms"), pl.Datetime("ns"), pl.Datetime("us", "UTC")):
        assert read(pl.Series([moment, None]).cast(kind)) == ([NOON, None], "ISO 8601", [])
    assert read(pl.Series([moment]).cast(pl.Date)) == ([NOON - 43_200], "ISO 8601", [])


def test_dates_of_eight_digits_and_ordinals():
    assert read(["20240216"], [20240217]) == (
        [NOON - 43_200, NOON + 43_200],
        "dates of eight digits",
        [],
    )
    assert read([1, 2], [20240230]) == ([1, 2, 20240230], "ordinals", [])


def test_places_of_seconds_are_dropped_and_those_of_whole_numbers_are_none():
    assert read([f"{NOON}.25", NOON + 0.5])[0] == [NOON, NOON]
    assert read(pl.Series([1.0, None, 3.0])) == ([1, None, 3], "ordinals", [])
    assert read(["1.0", "2e3"])[0] == [1, 2000]
    assert read(["20240216.0"])[:2] == ([NOON - 43_200], "dates of eight digits")


@pytest.mark.parametrize(
    ("values", "example", "excel"),
    [
        (["45338", " 45338.00167 ", "45338.5"], "45338.00167", True),
        (pl.Series([45338.0, 45338.5]), "45338.5", True),
        ([0.25, "0.5"], "0.25", False),
        (["20240216.1530"], "20240216.1530", False),
    ],
)
def test_numbers_with_places_that_are_no_seconds_are_refused(values, example, excel):
    """Cut to whole numbers, they would lose their order."""
    for chunks in ([values], [values[:1], values[1:]]):
        with pytest.raises(DataError) as refused:
            read(*chunks)
    message = str(refused.value)
    assert message.startswith(
        "t.csv: the column of at holds numbers with decimal places, such as "
        f"{example}, that count no seconds since 1970. "
    )
    assert ("days since 1900, as Excel" in message) == excel
    assert ("that one is on 2024-02-16. " in message) == excel
    assert "Write times in ISO 8601, such as 2024-02-16T10:15:00" in message


def test_an_ordinal_has_no_places():
    cause = "is not a whole number"
    assert read(["1", "2.5", 3.0, 4.5], times="ordinal") == (
        [1, None, 3, None],
        "ordinals",
        [{1: (cause, "'2.5'"), 3: (cause, "4.5")}],
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["2024-02-16", "2024-02-17", "20240101"],
         r"ISO 8601, such as 2024-02-1\d \(2 rows\); dates of eight digits, such as 20240101 \(1"),
        ([NOON, NOON * 1000, NOON * 1000],
         rf"milliseconds since 1970, such as {NOON}000 \(2 rows\); seconds since 1970, such as"),
        ([NOON * 10**6, NOON], "microseconds since 1970, such as"),
        ([NOON * 10**9, "2024-02-16"], "nanoseconds since 1970, such as"),
        ([0, NOON, NOON], r"ordinals, such as 0 \(1 rows\)"),
    ],
)  # fmt: skip
def test_a_mixture_is_refused_with_an_example_of_each(values, told):
    for order in (values, values[::-1]):
        for chunks in ([order], [[value] for value in order]):
            with pytest.raises(DataError, match=told) as refused:
                read(*chunks)
    message = str(refused.value)
    assert message.startswith("t.csv: the column of at mixes times of 2 kinds: ")
    assert "say under `dialect` which one holds, such as `times: " in message


def test_what_the_dialect_says_holds():
    mixed = ["2024-02-16T12:00", NOON, "0"]
    assert read(mixed, times="s") == (
        [None, NOON, 0],
        "seconds since 1970",
        [{0: ("is not a whole number", "'2024-02-16T12:00'")}],
    )
    values, _, failed = read(mixed, times="iso")
    assert values == [NOON, None, None]
    assert failed == [
        {1: ("is not an ISO 8601 time", str(NOON)), 2: ("is not an ISO 8601 time", "'0'")}
    ]
    assert read(["20240216"], times="ordinal") == ([20240216], "ordinals", [])
    assert read([NOON * 1000], times="ms")[0] == [NOON]


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ("%d.%m.%Y %H:%M", "16.02.2024 12:00"),
        ("%d.%m.%Y %H:%M", " 16.2.2024 12:00 "),
        ("%m/%d/%Y %I:%M %p", "02/16/2024 12:00 PM"),
        ("%Y%m%d%H%M", 202402161200),
        ("%d/%m/%y %H:%M:%S", "16/02/24 12:00:00"),
        ("%Y-%m-%dT%H:%M%z", "2024-02-16T13:00+0100"),
    ],
)
def test_times_by_a_pattern(times, text):
    assert read([text], ["31.02.2024 12:00"], times=times) == (
        [NOON, None],
        f"dates like {times}",
        [{0: (f"is no time like {times}", "'31.02.2024 12:00'")}],
    )


@pytest.mark.parametrize("text", ["yesterday", "١٢", "12_50", "2024-13-01", "٢٠٢٤-٠١-٠١"])
def test_what_is_no_time(text):
    _, _, failed = read([text])
    assert failed == [{0: ("is neither a whole number nor an ISO 8601 time", repr(text))}]


dates = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(
    lambda moment: moment.strftime("%d.%m.%Y")
)


@given(st.lists(dates | st.text("0123456789. ", max_size=11), max_size=5))
@example(["1.1.0"])
def test_the_fast_road_leads_where_the_cell_rule_leads(values):
    fast, _, failed = read(values or ["1.1.2000"], times="%d.%m.%Y")
    slow, _, slowly_failed = read([*(values or ["1.1.2000"]), 5], times="%d.%m.%Y")
    assert fast == slow[:-1]
    assert (failed or [{}])[0] == {row: told for row, told in slowly_failed[0].items()
                                   if row < len(fast)}  # fmt: skip
