import operator
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.data.filters.expressions import parse_filters
from genrecall.data.filters.items import COLUMNS, ItemFilters
from genrecall.data.tables import ITEMS, Catalog
from genrecall.foundation.errors import FilterError

PATHS = (["Tools"], ["Tools", "Drills"], ["Garden", "Tools"], ["Bits > 5 mm", "Drills"])
TEXTS = ("Acme", "acme", "", "Bolt")
NUMBERS = (0.0, 1.5, 2.0, 50.0)
COLORS = ("red", "blue", "light red")


def catalog(items):
    rows = [
        dict.fromkeys(ITEMS) | {"item_id": str(i), "title": "x"} | item
        for i, item in enumerate(items)
    ]
    return Catalog(pl.DataFrame(rows, schema=ITEMS))


ITEM_LIST = [
    {"category": ["Tools", "Drills"], "brand": "Acme", "price": 10.0, "available": True},
    {"category": ["Garden", "Tools"], "brand": "Bolt", "price": 50.0, "available": False},
    {"category": None, "brand": None, "price": None, "group_id": "g1"},
    {
        "category": ["Bits > 5 mm"],
        "attributes": [
            {"key": "color", "value": ["red", "blue"]},
            {"key": "brand", "value": ["Own"]},
        ],
        "score": 0.5,
        "updated_at": 1_700_000_000,
    },
]


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        (None, [0, 1, 2, 3]),
        ({}, [0, 1, 2, 3]),
        ({"brand": "Acme"}, [0]),
        ({"brand": "acme"}, [0]),
        ({"brand": {"not": "ACME"}}, [1, 2, 3]),
        ({"category": "tools > DRILLS"}, [0]),
        ({"color": "Blue"}, [3]),
        ({"group_id": "G1"}, []),
        ({"item_id": "2"}, [2]),
        ({"item_id": {"not": ["0", "3", "gone"]}}, [1, 2]),
        ({"brand": {"Acme"}}, [0]),
        ({"brand": np.array(["Acme", "Bolt"])}, [0, 1]),
        ({"brand": pl.Series(["Bolt"])}, [1]),
        ({"brand": np.str_("Acme")}, [0]),
        ({"price": np.float32(10)}, [0]),
        ({"price": np.array(10)}, [0]),
        ({"price": {"lte": np.int64(10)}}, [0]),
        ({"price": {"lte": Decimal("9.99")}}, []),
        ({"available": np.bool_(False)}, [1]),
        ({"updated_at": {"lt": datetime(2030, 1, 1, tzinfo=UTC)}}, [3]),
        ({"updated_at": {"gte": "2023-11-14"}}, [3]),
        ({"updated_at": {"gte": date(2023, 11, 15)}}, []),
        ({"brand": ["Acme", "Bolt"]}, [0, 1]),
        ({"brand": {"not": "Acme"}}, [1, 2, 3]),
        ({"brand": {"not": ["Acme", "Bolt"]}}, [2, 3]),
        ({"brand": {"not": {"not": "Acme"}}}, [0]),
        ({"category": "Tools"}, [0, 1]),
        ({"category": "Tools > Drills"}, [0]),
        ({"category": "Drills > Tools"}, []),
        ({"category": "Garden > Tools > Rakes"}, []),
        ({"category": r"Bits \> 5 mm"}, [3]),
        ({"category": ["Drills", "Garden > Tools"]}, [0, 1]),
        ({"price": 10}, [0]),
        ({"price": [10, 50.0]}, [0, 1]),
        ({"price": {"gte": 10, "lt": 50}}, [0]),
        ({"price": {"gt": 10}}, [1]),
        ({"price": {"lte": 10**400}}, [0, 1]),
        ({"price": {"not": {"lte": 10}}}, [1, 2, 3]),
        ({"score": {"gte": 0}}, [3]),
        ({"updated_at": {"gte": 1_700_000_000}}, [3]),
        ({"available": True}, [0, 2, 3]),
        ({"available": False}, [1]),
        ({"available": [True, False]}, [0, 1, 2, 3]),
        ({"available": {"not": False}}, [0, 2, 3]),
        ({"group_id": "g1"}, [2]),
        ({"color": "blue"}, [3]),
        ({"attributes.color": ["green", "red"]}, [3]),
        ({"color": {"not": "red"}}, [0, 1, 2]),
        ({"attributes.brand": "Own"}, [3]),
        ({"brand": "Own"}, []),
        ({"price": {"gte": 5}, "available": True}, [0]),
    ],
)
def test_items_that_pass(filters, passing):
    mask = ItemFilters(catalog(ITEM_LIST)).mask(filters)
    assert mask.dtype == np.bool_
    assert np.flatnonzero(mask).tolist() == passing


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"colour": "red"}, "unknown filter field 'colour'; known: .*color.*Did you mean 'color'"),
        ({"attributes.size": "L"}, "unknown filter field 'attributes.size'"),
        ({"brand": 3}, "filter on 'brand': 3 is not text"),
        ({"brand": None}, "filter on 'brand': None is not text"),
        ({"brand": []}, "an empty list holds nothing to match"),
        ({"brand": {"gte": "A"}}, r"bounds \(gte\) are for numbers, which are price, score,"),
        ({"price": "cheap"}, "filter on 'price': 'cheap' is not a number"),
        ({"price": True}, "True is not a number"),
        ({"price": {"lte": float("nan")}}, "nan is not a number"),
        ({"price": {"max": 5}}, "a condition in braces holds 'max'; it must hold .*'gte'"),
        ({"price": {}}, "holds nothing; it must hold"),
        ({"price": {"not": 5, "gte": 2}}, "or only 'not'"),
        ({"price": {"not": {"lte": "x"}}}, "'x' is not a number"),
        ({"available": 1}, "1 is not true or false"),
        ({"category": ""}, "'' is not a category; give a name or a path"),
        ({"category": {"lt": "Tools"}}, r"bounds \(lt\) are for numbers"),
        ({"item_id": {"lt": "5"}}, r"bounds \(lt\) are for numbers"),
        ({"item_id": 5}, "filter on 'item_id': 5 is not text; give it in quotes"),
        ({"available": {"lt": True}}, r"bounds \(lt\) are for numbers"),
        ({"color": {"lt": 5}}, "bounds are for numbers, and its values are texts such as 'blue'"),
        ({"updated_at": {"lt": "soon"}}, "'soon' is neither a whole number nor an ISO 8601 time"),
        ({5: "red"}, "the filter field 5 is not text; give the name of a field"),
        ({"color": 5}, "5 is not text"),
        (["price<5"], "must map fields to conditions"),
    ],
)
def test_unusable_filters_are_refused(filters, message):
    with pytest.raises(FilterError, match=message):
        ItemFilters(catalog(ITEM_LIST)).mask(filters)


def test_long_lists_of_attributes_are_shortened_in_the_message():
    attributes = [{"key": f"key{i:03}", "value": ["x"]} for i in range(100)]
    filters = ItemFilters(catalog([{"attributes": attributes}]))
    assert filters.fields == [*COLUMNS, *(f"key{i:03}" for i in range(100))]
    with pytest.raises(FilterError, match=r"key029, price.*And 70 more attributes"):
        filters.mask({"width": "1"})


SIZES = [
    {"attributes": [{"key": "width", "value": ["60", "80.5"]}, {"key": "lit", "value": ["true"]}]},
    {"attributes": [{"key": "width", "value": ["100"]}, {"key": "lit", "value": ["false"]}]},
    {"attributes": [{"key": "width", "value": ["wide"]}]},
]


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        ({"width": {"gte": 80}}, [0, 1]),
        ({"width": {"gt": 60, "lt": 80}}, []),
        ({"width": {"not": {"lte": 99}}}, [1, 2]),
        ({"width": 60}, [0]),
        ({"width": [60.0, "Wide"]}, [0, 2]),
        ({"width": "100"}, [1]),
        ({"lit": True}, [0]),
        ({"lit": {"not": True}}, [1, 2]),
        (parse_filters(["width>=80", "width<100"]), [0]),
    ],
)
def test_attributes_of_numbers_and_flags(filters, passing):
    assert np.flatnonzero(ItemFilters(catalog(SIZES)).mask(filters)).tolist() == passing


def test_a_condition_may_be_nested_deeply():
    condition = "Acme"
    for _ in range(100_000):
        condition = {"not": condition}
    assert np.flatnonzero(ItemFilters(catalog(ITEM_LIST)).mask({"brand": condition})).tolist() == [
        0
    ]


@pytest.mark.parametrize(
    ("filters", "cause", "message"),
    [
        (
            {"brand": "Acne"},
            "no_such_value",
            "no item has brand 'Acne'; did you mean 'Acme'?",
        ),
        (
            {"category": "tools > dril", "price": {"lte": 50}},
            "no_such_value",
            "no item has category 'tools > dril'; did you mean 'Tools > Drills'?",
        ),
        ({"color": ["rad", "rod"]}, "no_such_value", "color 'rad' or 'rod'; did you mean 'red'?"),
        ({"brand": "xyz"}, "no_such_value", "no item has brand 'xyz'"),
        ({"item_id": list("4567")}, "no_such_value", "no item has item_id '4' or '5' or '6' …"),
        (
            {"price": {"gt": 50, "lte": 60}},
            "no_such_value",
            "no item has price > 50 and <= 60; it goes from 10 to 50",
        ),
        ({"price": 11}, "no_such_value", "no item has price 11; it goes from 10 to 50"),
        ({"brand": "A", "color": "B"}, "no_such_value", "brand 'A'. no item has color 'B'"),
        (
            {"brand": "Acme", "price": {"gte": 20}},
            "no_intersection",
            "no item passes all filters together; the items that pass each alone: brand 1, price 1",
        ),
    ],
)
def test_it_says_why_no_item_passes(filters, cause, message):
    why = ItemFilters(catalog(ITEM_LIST)).why_none(filters)
    assert why.cause == cause
    assert message in why.message
    assert why.to_dict() == {"cause": cause, "message": why.message}


@pytest.mark.parametrize("filters", [{"item_id": " b "}, {"item_id": ["b\n"]}, {"group_id": "g "}])
def test_ids_have_no_blanks_at_their_ends(filters):
    items = catalog([{"item_id": "a"}, {"item_id": "b", "group_id": "g"}])
    assert ItemFilters(items).mask(filters).tolist() == [False, True]


def test_a_column_that_no_item_has_is_told_so():
    why = ItemFilters(catalog([{"price": 5.0}])).why_none({"brand": "Acme", "score": 1})
    assert why.message == "no item has any brand. no item has any score"


def test_an_empty_column_beside_an_attribute_of_its_name_is_told():
    items = [{"attributes": [{"key": "brand", "value": ["Acme"]}]}]
    why = ItemFilters(catalog(items)).why_none({"brand": "Acme"})
    assert why.message == "no item has any brand; the attribute is attributes.brand"
    assert ItemFilters(catalog(items)).why_none({"attributes.brand": "Acme"}) is None


def test_a_not_that_leaves_nothing_is_told():
    why = ItemFilters(catalog(ITEM_LIST[:1])).why_none({"brand": {"not": "Acme"}})
    assert why.message == "no item has brand not 'Acme'"
    assert ItemFilters(catalog(ITEM_LIST)).why_none({"brand": {"not": "Acme"}}) is None


optional = st.none()
item = st.fixed_dictionaries(
    {
        "category": optional | st.sampled_from(PATHS),
        "brand": optional | st.sampled_from(TEXTS),
        "price": optional | st.sampled_from(NUMBERS),
        "available": optional | st.booleans(),
        "attributes": optional
        | st.lists(st.sampled_from(COLORS), min_size=1).map(
            lambda colors: [{"key": "color", "value": colors}]
        ),
    }
)


def conditions(values):
    plain = values | st.lists(values, min_size=1, max_size=3)
    return st.recursive(plain, lambda inner: inner.map(lambda c: {"not": c}), max_leaves=2)


bounds = st.dictionaries(
    st.sampled_from(["gte", "gt", "lte", "lt"]), st.sampled_from(NUMBERS), min_size=1
)
NAMES = st.sampled_from(["Tools", "Drills", "Tools > Drills", "Garden > Tools", r"Bits \> 5 mm"])
filter_maps = st.fixed_dictionaries(
    {},
    optional={
        "category": conditions(NAMES),
        "brand": conditions(st.sampled_from(TEXTS)),
        "price": conditions(st.sampled_from(NUMBERS)) | bounds | bounds.map(lambda b: {"not": b}),
        "available": conditions(st.booleans()),
        "color": conditions(st.sampled_from(COLORS)),
    },
)

BOUNDS = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}


def meets(field, value, condition):
    """The rules of the contract, for one item."""
    if isinstance(condition, dict) and "not" in condition:
        return not meets(field, value, condition["not"])
    if value is None:
        return field == "available" and True in (
            condition if isinstance(condition, list) else [condition]
        )
    if isinstance(condition, dict):
        return all(BOUNDS[name](value, bound) for name, bound in condition.items())
    if isinstance(condition, list):
        return any(meets(field, value, one) for one in condition)
    if field == "category":
        parts = [part.replace("\\>", ">") for part in condition.split(" > ")]
        if condition == r"Bits \> 5 mm":
            parts = ["Bits > 5 mm"]
        return parts[0] in value if len(parts) == 1 else value[: len(parts)] == parts
    if field == "color":
        return condition in value
    if field == "brand":
        return value.lower() == condition.lower()
    return value == condition


@given(st.lists(item, min_size=1, max_size=8), filter_maps)
def test_mask_equals_the_rules_item_by_item(items, filters):
    known_color = {"attributes": [{"key": "color", "value": ["red"]}]}  # makes the field known
    items = [*items, known_color]
    mask = ItemFilters(catalog(items)).mask(filters)

    def value(item, field):
        if field != "color":
            return item.get(field)
        return item["attributes"][0]["value"] if item.get("attributes") else None

    expected = [
        all(meets(field, value(item, field), condition) for field, condition in filters.items())
        for item in items
    ]
    assert mask.tolist() == expected


@pytest.mark.parametrize(
    ("expressions", "filters"),
    [
        ([], {}),
        (["price<=50"], {"price": {"lte": 50.0}}),
        ([" price >= 10 ", "price<50"], {"price": {"gte": 10.0, "lt": 50.0}}),
        (["price=5"], {"price": 5.0}),
        (["price>5"], {"price": {"gt": 5.0}}),
        (["brand=Acme"], {"brand": "Acme"}),
        (["brand = Acme & Sons"], {"brand": "Acme & Sons"}),
        (["brand=Acme", "brand=Bolt"], {"brand": ["Acme", "Bolt"]}),
        (["color!=red"], {"color": {"not": "red"}}),
        (["color!=red", "color!=blue"], {"color": {"not": ["red", "blue"]}}),
        (["category=Tools > Drills"], {"category": "Tools > Drills"}),
        (["attributes.light color=red"], {"attributes.light color": "red"}),
        (["available=true"], {"available": True}),
        (["available!=no"], {"available": {"not": False}}),
        (["updated_at>=1970-01-02"], {"updated_at": {"gte": 86400}}),
        (["score>0.5", "brand=A=B"], {"score": {"gt": 0.5}, "brand": "A=B"}),
    ],
)
def test_expressions_of_the_command_line(expressions, filters):
    assert parse_filters(expressions) == filters


@pytest.mark.parametrize(
    ("expressions", "message"),
    [
        (["price"], "'price' is not a filter; write a field, one of ="),
        (["<5"], "is not a filter"),
        (["price<="], "is not a filter"),
        (["price<=cheap"], "filter 'price<=cheap': 'cheap' is not a number"),
        (["available=maybe"], "'maybe' is neither true nor false"),
        (["price<5", "price<6"], "filter on 'price' gives the bound 'lt' twice"),
        (["brand=A", "brand!=B"], "the filters on 'brand' do not add up"),
        (["price=5", "price<6"], "the filters on 'price' do not add up"),
        (["width<wide"], "filter 'width<wide': 'wide' is not a number"),
        (["wi!dth=5"], "'wi!dth=5' is not a filter"),
        (["!=5"], "'!=5' is not a filter"),
    ],
)
def test_expressions_that_cannot_be_read(expressions, message):
    with pytest.raises(FilterError, match=message):
        parse_filters(expressions)


@pytest.mark.parametrize("text", [" ", "price ", "a", "!", "! "])
def test_the_time_of_reading_an_expression_grows_with_its_length(text):
    """16,000 blanks took nine seconds, and this many would take hours."""
    with pytest.raises(FilterError, match=r"^'.{76}… is not a filter"):
        parse_filters([text * 1_000_000])


def test_what_the_command_line_gives_can_be_used():
    filters = ItemFilters(catalog(ITEM_LIST))
    given_filters = parse_filters(["price>=10", "brand!=Bolt", "category=Tools"])
    assert np.flatnonzero(filters.mask(given_filters)).tolist() == [0]
