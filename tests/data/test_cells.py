import math
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.data.values import cells
from genrecall.data.values.category_cells import CategoryFormat
from genrecall.data.values.convert import build, shorten
from genrecall.data.values.dialect import TableDialect
from genrecall.data.values.reading import CellReader
from genrecall.text.clean import clean

COLUMNS = {
    "text": ("brand", pl.String()),
    "number": ("price", pl.Float64()),
    "time": ("timestamp", pl.Int64()),
    "flag": ("available", pl.Boolean()),
    "texts": ("clicks", cells.TEXTS_TYPE),
    "text_lists": ("impression_channels", cells.TEXT_LISTS_TYPE),
    "category": ("category", cells.TEXTS_TYPE),
    "attributes": ("attributes", cells.ATTRIBUTES_TYPE),
}


def convert(column, kind, **dialect):
    """What a column of that kind becomes; of times, in seconds."""
    reader = CellReader(TableDialect(**dialect))
    name, dtype = COLUMNS[kind]
    read = reader.read(name, dtype, column)
    frame = reader.settle(pl.DataFrame({name: read.values}), where="table")
    return read._replace(values=frame[name])


@pytest.mark.parametrize(
    ("kind", "given_value", "expected"),
    [
        ("text", "", ""),
        ("text", 12, "12"),
        ("number", "3.50", 3.5),
        ("number", " 3 ", 3.0),
        ("number", 7, 7.0),
        ("number", Decimal("1.5"), 1.5),
        ("number", "", None),
        ("time", "1700000000", 1_700_000_000),
        ("time", 5, 5),
        ("time", 1_700_000_000.9, 1_700_000_000),
        ("time", "1970-01-01", 0),
        ("time", "1970-01-01T00:01:00Z", 60),
        ("time", "1970-01-01T01:00:00+01:00", 0),
        ("time", "1969-12-31T23:59:59.5", -1),
        ("time", datetime(1970, 1, 1, 0, 0, 9), 9),
        ("time", datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC), 9),
        ("time", date(1970, 1, 2), 86_400),
        ("time", " ", None),
        ("flag", True, True),
        ("flag", "No", False),
        ("flag", 1, True),
        ("flag", "0", False),
        ("flag", "", None),
        ("flag", math.nan, None),
        ("time", math.nan, None),
        ("number", math.nan, None),
        ("texts", "a|b c| d ", ["a", "b c", "d"]),
        ("texts", "7", ["7"]),
        ("texts", '["a|b", 3]', ["a|b", "3"]),
        ("texts", "{a1-02}", ["{a1-02}"]),
        ("texts", "{a}|{b}", ["{a}", "{b}"]),
        ("texts", "{'a'}", ["{'a'}"]),
        ("texts", [1, "2"], ["1", "2"]),
        ("texts", "", []),
        ("text_lists", '[["bm25"], [], ["dense", "bm25"]]', [["bm25"], [], ["dense", "bm25"]]),
        ("text_lists", "", None),
        ("category", "Tools > Power Tools", ["Tools", "Power Tools"]),
        ("category", r"Screens > \> 50 inch > A\>B", ["Screens", "> 50 inch", "A>B"]),
        ("category", ["Tools", None, "Drills"], ["Tools"]),
        ("category", ["Tools", " "], ["Tools"]),
        ("attributes", '{"color": "{red,\\"dark blue\\"}"}',
         [{"key": "color", "value": ["red", "dark blue"]}]),
        ("category", '{Tools,"Power Tools",NULL,x}', ["Tools", "Power Tools"]),
        ("category", "{Tools > Saws,Garden > Rakes > Small}", ["Garden", "Rakes", "Small"]),
        ("category", [None, None], None),
        ("category", " > ", None),
        ("category", [], None),
        ("attributes", {"color": "red|blue"}, [{"key": "color", "value": ["red", "blue"]}]),
        ("attributes", {"b": [1, 2.5], "a": True, "c": None, "d": []},
         [{"key": "a", "value": ["true"]}, {"key": "b", "value": ["1", "2.5"]}]),
        ("attributes", [{"key": "size", "value": ["M"]}], [{"key": "size", "value": ["M"]}]),
        ("attributes", '{"size": "M"}', [{"key": "size", "value": ["M"]}]),
        ("attributes", {}, None),
        ("attributes", "", None),
    ],
)  # fmt: skip
def test_what_a_cell_means(kind, given_value, expected):
    # Beside a value of another type, the column has none, so that the cell's own rule decides.
    column = pl.Series([given_value]) if isinstance(given_value, date) else [given_value]
    converted = convert(column, kind)
    assert converted.failed == {}
    assert converted.values.to_list() == [expected]
    assert converted.values.dtype == COLUMNS[kind][1]


@pytest.mark.parametrize(
    ("kind", "given_value", "complaint"),
    [
        ("text", 1.5, "is neither text nor a whole number"),
        ("text", True, "is neither text nor a whole number"),
        ("number", "1,000", "is not a number"),
        ("number", True, "is not a number"),
        ("number", [1], "is not a number"),
        ("number", "nan", "is not a finite number"),
        ("number", math.inf, "is not a finite number"),
        ("number", 10**400, "is not a finite number"),
        ("time", "yesterday", "is neither a whole number nor an ISO 8601 time"),
        ("time", 2**63, "is neither a whole number nor an ISO 8601 time"),
        ("flag", "maybe", "is neither true nor false"),
        ("flag", 2, "is neither true nor false"),
        ("flag", "-1", "is neither true nor false"),
        ("texts", 7, "is not a list"),
        ("texts", "[1, 2", "is not a JSON array"),
        ("texts", ["a", None], "is neither text nor a whole number"),
        ("text_lists", "a|b|c]", None),
        ("text_lists", [1], "is not a list"),
        ("category", 3, "is not a category path"),
        ("category", [1.5], "is neither text nor a whole number"),
        ("attributes", "color: red", "is not a JSON object"),
        ("attributes", ["red"], "is not a mapping of names to values"),
        ("attributes", {"size": {"eu": 40}}, "is neither text nor a whole number"),
        ("attributes", {"size": math.nan}, "is not a finite number"),
        ("attributes", '{"size": "\\ud800"}', "is not a JSON object"),
    ],
)
def test_what_a_cell_cannot_mean(kind, given_value, complaint):
    converted = convert([None, given_value], kind)
    if complaint is None:  # text between bars is a list, also inside a list of lists
        assert converted.values.to_list() == [None, [["a"], ["b"], ["c]"]]]
    else:
        assert converted.failed == {1: (complaint, shorten(given_value))}
        assert converted.values.to_list() == [None, None]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("{12}", ["12"]),
        (r'{12, a b ,"c, \"d\"", "é"}', ["12", "a b", 'c, "d"', "é"]),
        ("{}", []),
        ("{NULL}", []),
        ('["12"]', ["12"]),
        ("12", ["12"]),
    ],
)
def test_ids_in_arrays_of_postgresql(given, expected):
    read = convert([given], "texts", list_separator="{,}")
    assert read.values.to_list() == [expected]


def test_typed_columns_keep_their_meaning():
    numbers = convert(pl.Series([1.5, None, math.nan], dtype=pl.Float32), "number")
    assert numbers.values.to_list() == [1.5, None, None]
    assert numbers.failed == {}  # data frames leave out a number so
    assert convert(pl.Series([3, None]), "text").values.to_list() == ["3", None]
    brands = pl.Series(["a", "b", "a"], dtype=pl.Categorical)
    assert convert(brands, "text").values.to_list() == ["a", "b", "a"]
    clicks = convert(pl.Series([[1, 2], [], None, [3, None]]), "texts")
    assert clicks.values.to_list() == [["1", "2"], [], None, None]
    assert list(clicks.failed) == [3]
    structs = pl.Series([{"color": ["red"], "size": None}, {"color": None, "size": "M"}])
    assert convert(structs, "attributes").values.to_list() == [
        [{"key": "color", "value": ["red"]}],
        [{"key": "size", "value": ["M"]}],
    ]


names = st.text(min_size=1).map(str.strip).filter(lambda name: name and clean(name) == name)


@settings(deadline=None)
@given(
    # With the ">" of the path a "<P" is a tag.
    st.lists(
        names.filter(lambda name: "<" not in name and not name.endswith("\\")),
        min_size=1,
        max_size=4,
    )
)
def test_every_category_path_can_be_written_as_text(path):
    written = " > ".join(name.replace(">", r"\>") for name in path)
    assert CategoryFormat().cell(written) == path


@settings(deadline=None)
@given(st.lists(st.none() | st.dictionaries(st.text(), st.lists(st.text(), max_size=3))))
def test_nested_columns_hold_every_text(rows):
    values = [None if row is None else cells.named_values(row) for row in rows]
    assert build(values, cells.ATTRIBUTES_TYPE).to_list() == values
