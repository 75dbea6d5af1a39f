import pytest
from pydantic import ValidationError

from genrecall.data.config import DataConfig, SplitConfig, TableSource


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("a.parquet", "parquet"),
        ("a.CSV", "csv"),
        ("a.csv.gz", "csv"),
        ("a.b.jsonl.gz", "jsonl"),
        ("a.ndjson", "jsonl"),
    ],
)
def test_the_format_is_guessed_from_the_ending(file, kind):
    assert TableSource(file=file).kind == kind


def test_a_given_format_comes_first():
    assert TableSource(file="a.txt", format="csv").kind == "csv"


def test_an_ending_that_says_nothing():
    with pytest.raises(
        ValidationError, match=r"'a.txt' does not say its format; known endings: .p"
    ):
        TableSource(file="a.txt")


def test_only_attributes_come_from_several_columns():
    TableSource(file="a.csv", columns={"attributes": {"color": "colour"}})
    with pytest.raises(ValidationError, match=r"'title' is mapped to several.*`title: name`"):
        TableSource(file="a.csv", columns={"title": {"first": "name", "second": "brand"}})


def test_splits_must_leave_something_to_train_on():
    with pytest.raises(ValidationError, match=r"leave nothing to train on; together .* below 1"):
        SplitConfig(validation=0.5, test=0.5)


def test_good_items_come_from_one_table():
    source = {"file": "a.csv"}
    with pytest.raises(ValidationError, match=r"both `searches` and `judgments` are given"):
        DataConfig(items=source, searches=source, judgments=source)
    with pytest.raises(ValidationError, match=r"judgments have no time.*`split: {by: query}`"):
        DataConfig(items=source, judgments=source, split={"by": "time"})
    assert list(DataConfig(items=source).sources) == ["items"]
