from pathlib import Path

import polars as pl
import pytest

from genrecall.data.sequences import searches_from_sequences
from genrecall.data.tables import ITEMS, SEARCHES, SEQUENCES, Catalog
from genrecall.data.validate import SEQUENCES_SCHEMA, TableRead
from genrecall.foundation.errors import DataError

PATHS = {
    "a": ["Home", "Lamps", "Table"],
    "b": ["Home", "Chairs"],
    "c": ["Home"],
    "d": None,
    "e": ["—"],
}
CATALOG = Catalog(
    pl.DataFrame(
        [{"item_id": key, "title": key, "category": path} for key, path in PATHS.items()],
        schema=ITEMS,
    )
)


def built(rows, *, levels=2):
    frame = pl.DataFrame(rows, schema=SEQUENCES, orient="row")
    read = TableRead(SEQUENCES_SCHEMA, Path("users.jsonl"), frame, [])
    return searches_from_sequences(read, CATALOG, levels=levels)


def test_each_choice_becomes_a_search():
    frame = built([("u", ["a", "b", "a"], ["c", "b"]), ("v-0", ["c"], None)]).frame
    assert frame.schema == pl.Schema(SEARCHES)
    assert frame["search_id"].to_list() == ["u-0", "u-1", "u-2", "u-3", "u-4", "v-0-0"]
    assert frame["user_id"].to_list() == ["u"] * 5 + ["v-0"]
    assert frame["query"].to_list() == [
        "home lamps", "home chairs", "home lamps", "home", "home chairs", "home"
    ]  # fmt: skip
    assert frame["time"].to_list() == [0, 1, 2, 3, 4, 0]
    assert frame["positives"].to_list() == [[0], [1], [0], [2], [1], [2]]
    assert frame["gains"].to_list() == [[1.0]] * 6
    assert frame["impressions"].to_list() == [[]] * 6


def test_the_last_of_several_items_is_validation_and_what_is_held_out_test():
    frame = built([("u", ["a", "b", "a"], ["c"]), ("v", ["a"], ["b"]), ("w", [], ["a"])]).frame
    assert frame["split"].to_list() == [
        "train", "train", "validation", "test", "train", "test", "test"
    ]  # fmt: skip
    assert frame["search_id"].to_list()[-1] == "w-0"


def test_the_query_takes_the_levels_that_it_is_told():
    rows = [("u", ["a"], None)]
    assert built(rows, levels=1).frame["query"].to_list() == ["home"]
    assert built(rows, levels=3).frame["query"].to_list() == ["home lamps table"]


def test_choices_without_an_item_or_a_category_give_no_search_but_keep_their_time():
    searches = built([("u", ["x", "d", "a", "e"], ["y", "b"])])
    assert searches.frame["search_id"].to_list() == ["u-2", "u-5"]
    assert searches.frame["split"].to_list() == ["train", "test"]
    assert searches.unknown == (0, 2, ["x", "y"], None)
    assert searches.without_category == 2


def test_sequences_that_teach_nothing_are_refused():
    with pytest.raises(DataError, match=r"users.jsonl: no shopper chose anything.*column `items`"):
        built([("u", [], None)])
    with pytest.raises(DataError, match=r"none of its 1 relevant items is in .*'x'.*'a'"):
        built([("u", ["x", "d"], None)])
    with pytest.raises(DataError, match=r"none of the 2 items .* has a category.*`category`"):
        built([("u", ["d", "e"], None)])
