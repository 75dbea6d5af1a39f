from pathlib import Path

import polars as pl
import pytest

from genrecall.data.config import DataConfig
from genrecall.data.searches import no_searches, searches_from_judgments, searches_from_log
from genrecall.data.tables import ITEMS, JUDGMENTS, SEARCH_LOG, SEARCHES, Catalog, Searches
from genrecall.data.validate import JUDGMENTS_SCHEMA, SEARCHES_SCHEMA, TableRead
from genrecall.foundation.errors import DataError

CATALOG = Catalog(
    pl.DataFrame(
        [{"item_id": item_id, "title": item_id} for item_id in "abcde"],
        schema=ITEMS,
    )
)


def config(**settings):
    return DataConfig(items={"file": "items.csv"}, **settings)


def from_log(rows, **settings):
    frame = pl.DataFrame(rows, schema=SEARCH_LOG)
    read = TableRead(SEARCHES_SCHEMA, Path("log.jsonl"), frame, [])
    return searches_from_log(read, CATALOG, config(**settings))


def from_judgments(rows, **settings):
    frame = pl.DataFrame(rows, schema=JUDGMENTS, orient="row")
    read = TableRead(JUDGMENTS_SCHEMA, Path("judgments.csv"), frame, [])
    return searches_from_judgments(read, CATALOG, config(**settings))


LOG = [
    {"search_id": "s1", "timestamp": 30, "user_id": "u", "query": "lamp",
     "impressions": ["c", "x", "a", "c"], "clicks": ["c", "a", "c"], "purchases": ["a", "e"]},
    {"search_id": "s2", "timestamp": 10, "query": "chair", "impressions": ["b"], "clicks": []},
    {"search_id": "s3", "timestamp": 20, "query": "sofa", "clicks": ["x", "y", "b"]},
    {"search_id": "s4", "timestamp": 40, "query": "bed", "purchases": ["x"]},
]  # fmt: skip


def test_positives_of_a_log_are_clicks_and_purchases():
    built = from_log(LOG, gains={"click": 1.0, "purchase": 3.0})
    assert built.frame.schema == pl.Schema(SEARCHES)
    assert built.frame["search_id"].to_list() == ["s1", "s2", "s3", "s4"]
    assert built.frame["time"].to_list() == [30, 10, 20, 40]
    assert built.frame["user_id"].to_list() == ["u", None, None, None]
    # Rows of a, e (purchased) before c (clicked); an item counts once, with its highest gain.
    assert built.frame["positives"].to_list() == [[0, 4, 2], [], [1], []]
    assert built.frame["gains"].to_list() == [[3.0, 3.0, 1.0], [], [1.0], []]
    assert built.frame["impressions"].to_list() == [[2, 0], [1], [], []]


def test_items_that_the_catalog_lacks_are_counted_and_named():
    unknown = from_log(LOG).unknown
    assert unknown == (1, 3, ["x", "y"], None)


def test_a_log_splits_by_time_or_by_query():
    by_time = from_log(LOG, split={"by": "time", "validation": 0.25, "test": 0.25})
    assert by_time.frame["split"].to_list() == ["validation", "train", "train", "test"]
    rows = [row | {"search_id": f"{row['search_id']}-{n}"} for n in range(2) for row in LOG]
    by_query = from_log(rows, split={"by": "query", "validation": 0.4, "test": 0.4})
    splits = by_query.frame["split"].to_list()
    assert splits[:4] == splits[4:]
    assert len(set(splits)) > 1


def test_searches_of_a_split_are_those_with_a_relevant_item():
    searches = Searches(from_log(LOG, split={"validation": 0.0, "test": 0.0}).frame)
    train = searches.of("train")
    assert train.queries == ["lamp", "sofa"]
    assert [rows.tolist() for rows in train.positives] == [[0, 4, 2], [1]]
    assert len(searches.of("validation")) == 0


def test_a_log_without_a_click_is_refused():
    rows = [{"search_id": "s1", "query": "lamp", "impressions": ["a"], "clicks": []}]
    with pytest.raises(
        DataError, match=r"log.jsonl: 1 searches without a single click or purchase"
    ):
        from_log(rows)


def test_a_log_of_another_catalog_is_refused():
    rows = [{"search_id": "s1", "query": "lamp", "clicks": ["00a", "00b"]}]
    with pytest.raises(DataError, match=r"none of its 2 relevant items is in .*'00a'.*'a'"):
        from_log(rows)


JUDGED = [
    ("red lamp", "a", 2.0),
    ("chair", "b", 1.0),
    ("red lamp", "c", 3.0),
    ("red lamp", "d", 1.0),
    ("sofa", "x", 3.0),
    ("red lamp", "d", 2.5),
]


def test_judgments_become_one_search_per_query():
    built = from_judgments(JUDGED, positive_from=1.75)
    assert built.frame.schema == pl.Schema(SEARCHES)
    assert built.frame["query"].to_list() == ["red lamp", "chair", "sofa"]
    assert built.frame["positives"].to_list() == [[2, 0, 3], [], []]
    assert built.frame["gains"].to_list() == [[3.0, 2.0, 1.75], [], []]
    assert built.frame["impressions"].to_list() == [[], [], []]
    assert built.frame["time"].null_count() == 3
    assert built.unknown == (0, 1, ["x"], None)


def test_ids_and_splits_of_judged_queries_do_not_depend_on_the_others():
    settings = {"positive_from": 1.0, "split": {"validation": 0.4, "test": 0.4}}
    stable = ["search_id", "query", "split"]
    whole = from_judgments(JUDGED, **settings).frame.select(stable)
    part = from_judgments(JUDGED[1:2], **settings).frame.select(stable)
    assert whole.filter(pl.col("query") == "chair").equals(part)
    assert whole["search_id"].n_unique() == 3


def test_equal_judgments_average_to_themselves():
    built = from_judgments([("lamp", "a", 1.1)] * 3, positive_from=1.1)
    assert built.frame["positives"].to_list() == [[0]]
    built = from_judgments([("lamp", "a", 2.33)] * 7, positive_from=2.33)
    assert built.frame["positives"].to_list() == [[0]]


def test_a_threshold_that_no_judgment_reaches_is_refused():
    with pytest.raises(DataError, match=r"reaches positive_from 4; the highest relevance is 3"):
        from_judgments(JUDGED, positive_from=4.0)


def test_a_shop_without_a_log_has_no_searches():
    built = no_searches()
    assert built.frame.schema == pl.Schema(SEARCHES)
    assert built.frame.height == 0
