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


def test_relevant_items_come_from_one_table():
    source = {"file": "a.csv"}
    for given in ("searches", "judgments"), ("judgments", "sequences"), ("searches", "sequences"):
        message = f"`{given[0]}` and `{given[1]}` are given; .* one of these tables. Leave the othe"
        with pytest.raises(ValidationError, match=message):
            DataConfig(items=source, **dict.fromkeys(given, source))
    with pytest.raises(ValidationError, match=r"judgments have no time.*`split: {by: query}`"):
        DataConfig(items=source, judgments=source, split={"by": "time"})
    assert list(DataConfig(items=source).sources) == ["items"]


def test_sequences_have_a_split_of_their_own():
    source = {"file": "a.jsonl"}
    config = DataConfig(items=source, sequences=source | {"query_levels": 3})
    assert config.sources["sequences"].kind == "jsonl"
    assert DataConfig.model_validate(config.model_dump()) == config
    message = r"`split` does not apply to `sequences`: the last .* Leave `split` out"
    with pytest.raises(ValidationError, match=message):
        DataConfig(items=source, sequences=source, split={"test": 0.2})
    with pytest.raises(ValidationError, match="query_levels"):
        DataConfig(items=source, searches=source | {"query_levels": 3})
