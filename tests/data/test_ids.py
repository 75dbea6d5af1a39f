"""Ids of several tables: blanks at their ends, and what spreadsheets make of them."""

import json

import polars as pl
import pytest

from genrecall.cli.template import write_template
from genrecall.data.config import DataConfig
from genrecall.data.stage import validate
from genrecall.data.summary import describe
from genrecall.data.values.ids import written_otherwise
from genrecall.foundation.errors import DataError


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def check(folder, items, searches):
    """The summary of items with these ids, and of searches with these."""
    tables = {
        "items": [{"title": "Saw", **item} for item in items],
        "searches": [{"query": "saw", **search} for search in searches],
    }
    files = {name: {"file": write(folder / f"{name}.jsonl", rows)} for name, rows in tables.items()}
    return validate(DataConfig.model_validate(files))


def test_ids_meet_without_the_blanks_at_their_ends(tmp_path):
    summary = check(
        tmp_path,
        [{"item_id": " 01\t", "group_id": "g "}, {"item_id": "02", "group_id": " g"}],
        [{"clicks": ["01 "], "impressions": "02|01"}, {"clicks": [" 02"]}],
    )
    assert summary["unknown_items"] == {"impressions": 0, "positives": 0, "examples": []}
    assert summary["catalog"]["first"]["item_id"] == "01"
    assert summary["catalog"]["first"]["group_id"] == "g"


def test_ids_that_only_blanks_tell_apart_are_one(tmp_path):
    summary = check(tmp_path, [{"item_id": "1"}, *[{"item_id": str(n)} for n in range(2, 9)],
                               {"item_id": "1 "}], [{"clicks": ["1"]}])  # fmt: skip
    assert summary["tables"]["items"]["causes"] == {"item_id occurs twice": 1}


DESTROYED = (
    "are in scientific notation, as a spreadsheet leaves long numbers: their last digits are lost. "
    "Export the column anew, as text, and do not save it from a spreadsheet"
)


def test_ids_that_a_spreadsheet_has_destroyed_are_told(tmp_path):
    summary = check(
        tmp_path,
        [{"item_id": "4.00612E+12"}, {"item_id": "4,1e+12"}, {"item_id": "7E5"}],
        [{"clicks": ["4.00612E+12", "7E5"]}],
    )
    assert summary["notes"] == [
        f"items: 2 ids in `item_id`, such as '4.00612E+12', {DESTROYED}",
        f"searches: 1 ids in `clicks`, such as '4.00612E+12', {DESTROYED}",
    ]
    with pytest.raises(DataError, match=r"item_id occurs twice(?s:.*)2 ids in `item_id`, such as"):
        check(tmp_path, [{"item_id": "4.00612E+12"}] * 2, [{"clicks": ["1"]}])


def test_init_tells_them_too(tmp_path):
    items = write(tmp_path / "items.jsonl", [{"item_id": "4.00612E+12", "title": "Saw"}])
    found = write_template(tmp_path / "c.yaml", items=items)
    assert found.notes == [f"items: 1 ids in `item_id`, such as '4.00612E+12', {DESTROYED}"]


def test_ids_that_are_known_in_another_writing_are_told_and_not_converted(tmp_path):
    summary = check(
        tmp_path,
        [{"item_id": "00001"}, {"item_id": "7"}, {"item_id": "x"}],
        [{"clicks": ["1", "x"]}, {"clicks": ["7.0", "0x"], "impressions": ["1", "7"]}],
    )
    assert summary["unknown_items"] == {
        "impressions": 1,
        "positives": 3,
        "examples": ["1", "7.0", "0x"],
        "otherwise": {"count": 3, "given": "1", "known": "00001"},
    }
    assert (
        "  not in the catalog: 3 relevant items and 1 impressions, such as 1, 7.0, 0x; 3 of these "
        "would be but for leading zeros or a trailing .0, such as '1' for '00001': write ids alike "
        "in both tables, as text"
    ) in describe(summary)


def test_a_log_of_which_no_id_is_known_as_it_is_written_is_told_why(tmp_path):
    with pytest.raises(DataError, match=r"2 of these would be .*, such as '1' for '01'"):
        check(tmp_path, [{"item_id": "01"}, {"item_id": "02"}], [{"clicks": ["1", "2", "3"]}])


@pytest.mark.parametrize(
    ("given", "known", "count"),
    [("1", "001", 1), ("001", "1", 1), ("1.0", "1", 1), ("1", "1.00", 1), ("0", "000", 1),
     ("10", "1", 0), ("1.5", "1", 0), ("a1", "a01", 0), ("1.0.0", "1", 0)],
)  # fmt: skip
def test_only_leading_zeros_and_a_trailing_zero_make_another_writing(given, known, count):
    found = written_otherwise(pl.Series([given] * count or [given]), pl.Series([known]))
    assert (found.count if found else 0) == count
