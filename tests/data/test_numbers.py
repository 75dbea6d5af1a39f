import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.data.values.convert import Kind, convert, read_cells
from genrecall.data.values.numbers import NumberFormat

GERMAN = NumberFormat(",", ".", ("€", "EUR"))
SWISS = NumberFormat(".", "'", ("CHF", "Fr."))
FRENCH = NumberFormat(",", " ", ("€",))
ENGLISH = NumberFormat(".", ",", ("$", "USD"))


def read(form, values):
    return convert(values, Kind(pl.Float64(), form.cell, form.fast))


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (GERMAN, "1.299,00", 1299.0),
        (GERMAN, "1.299", 1299.0),
        (GERMAN, "1.234.567,5", 1_234_567.5),
        (GERMAN, "12,50 €", 12.5),
        (GERMAN, "eur 12,50", 12.5),
        (GERMAN, "€12", 12.0),
        (GERMAN, "12,- €", 12.0),
        (GERMAN, "0,99", 0.99),
        (GERMAN, "-3,5", -3.5),
        (SWISS, "CHF 1'299.–", 1299.0),
        (SWISS, "1’299.90", 1299.9),
        (FRENCH, "1\u202f299,00\u00a0€", 1299.0),
        (FRENCH, "1 299", 1299.0),
        (ENGLISH, "$1,299.00", 1299.0),
        (ENGLISH, "12,34,567.5", 1_234_567.5),
        (NumberFormat(), " 3.5e2 ", 350.0),
        (NumberFormat(), "+.5", 0.5),
        (NumberFormat(), "5.", 5.0),
        (NumberFormat(), "  ", None),
    ],
)
def test_numbers_as_shops_write_them(form, text, expected):
    converted = read(form, [text])
    assert converted.failed == {}
    assert converted.values.to_list() == [expected]
    # Beside a number, the column has no type, so that the cell's own rule decides.
    assert read(form, [7, text]).values.to_list() == [7.0, expected]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (GERMAN, "12.50"),
        (GERMAN, "1.29"),
        (GERMAN, "1,299.00"),
        (GERMAN, "12.5 $"),
        (GERMAN, "12 USD"),
        (GERMAN, "1.299.00"),
        (ENGLISH, "1,2"),
        (NumberFormat(), "1,000"),
        (NumberFormat(), "12_50"),
        (NumberFormat(), "١٢"),
        (NumberFormat(), "１２"),
        (NumberFormat(), "0x10"),
        (NumberFormat(), "12 50"),
        (GERMAN, "5,00-"),
        (GERMAN, "12-"),
        (GERMAN, "12,-5"),
        (GERMAN, "12,–e5"),
        (NumberFormat(), "1e5-"),
        (NumberFormat(), "€"),
        (GERMAN, "EUR"),
    ],
)
def test_what_is_written_otherwise_is_no_number(form, text):
    for values in ([text], [text, 7]):
        assert read(form, values).failed == {0: ("is not a number", repr(text))}


numerals = st.one_of(
    st.floats().map(repr),
    st.integers(-(2**65), 2**65).map(str),
    st.text("0123456789.-–+e_, €", max_size=8),
)


@given(
    st.lists(st.none() | numerals, max_size=6), st.sampled_from([NumberFormat(), GERMAN, ENGLISH])
)
def test_the_fast_road_leads_where_the_cell_rule_leads(values, form):
    converted = read(form, values)
    slow, failed = read_cells(values, form.cell)
    assert converted.values.to_list() == slow
    assert converted.failed == failed
