"""The configs that GenRecall writes itself: that of `init` and that of the demo."""

import gzip
import re

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_shop import write_jsonl

from genrecall.cli.template import write_template
from genrecall.config import load_config
from genrecall.data.config import SplitConfig
from genrecall.data.guess.columns import match_columns
from genrecall.data.guess.synonyms import SYNONYMS
from genrecall.data.stage import validate
from genrecall.data.validate import ITEMS_SCHEMA, JUDGMENTS_SCHEMA, SEARCHES_SCHEMA, USERS_SCHEMA
from genrecall.embed.config import EmbedConfig
from genrecall.foundation.errors import ArtifactError, ConfigError
from genrecall.generator.config import GeneratorConfig
from genrecall.pipeline.demo import make_demo
from genrecall.quantize.config import QuantizeConfig

ITEMS = [
    {"SKU": "a1", "Product Name": "Drill", "category_path": "Tools > Drills", "weight: kg": 2},
    {"SKU": "b2", "Product Name": "Lamp", "category_path": "Home > Lamps", "weight: kg": 1},
]
SEARCHES = [
    {"search_term": f"query {number}", "Clicked-Ids": '["a1"]', "bought": "[]", "ts": number}
    for number in range(20)
]
JUDGMENTS = [
    {"id": number, "q": f"query {number}", "product_uid": "a1", "rating": number % 3}
    for number in range(20)
]


@pytest.fixture
def tables(tmp_path):
    return {
        "items": write_jsonl(tmp_path / "items.jsonl", [{"item_id": "a", "title": "Drill"}]),
        "searches": write_jsonl(tmp_path / "s.jsonl", [{"query": "q", "time": 1, "clicks": ["a"]}]),
        "judgments": write_jsonl(
            tmp_path / "j.jsonl", [{"query": "q", "item_id": "a", "relevance": 1}]
        ),
    }


def write_table(path, rows):
    """Write rows in the format that the name says."""
    frame = pl.DataFrame(rows)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif ".csv" in path.name:
        path.write_text(frame.write_csv(), "utf-8")
    else:
        write_jsonl(path, rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


@pytest.mark.parametrize("kind", ["searches", "judgments"])
def test_template_holds_the_defaults(tmp_path, tables, kind):
    write_template(tmp_path / "c.yaml", items=tables["items"], **{kind: tables[kind]})
    config = load_config(tmp_path / "c.yaml")
    assert config.data.sources[kind].file == tables[kind]
    assert config.data.items.columns == {"item_id": "item_id", "title": "title"}
    assert config.data.split.by == ("time" if kind == "searches" else "query")
    assert config.embed == EmbedConfig()
    assert config.quantize == QuantizeConfig()
    assert config.generator == GeneratorConfig()


def uncommented(path):
    """The config with every commented setting in force."""
    path.write_text(re.sub(r"(?m)^(  +)# (\w+:)", r"\1\2", path.read_text("utf-8")), "utf-8")
    return load_config(path)


def test_every_commented_line_is_a_setting(tmp_path, tables):
    path = tmp_path / "c.yaml"
    write_template(path, items=tables["items"], searches=tables["searches"])
    config = uncommented(path)
    assert config.data.users.file == tmp_path / "users.jsonl"
    assert config.data.items.columns["attributes"] == {"color": "colour", "material": "material"}
    optional = {"category", "brand", "price", "score", "available", "group_id", "updated_at"}
    assert optional <= set(config.data.items.columns)
    assert {"timestamp", "user_id", "clicks"} <= set(config.data.searches.columns)


def test_sequences_are_named_where_there_is_no_log(tmp_path, tables):
    path = tmp_path / "c.yaml"
    write_template(path, items=tables["items"])
    assert load_config(path).data.sequences is None
    assert uncommented(path).data.sequences.file == tmp_path / "sequences.jsonl"


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "csv.gz", "jsonl.gz"])
@pytest.mark.parametrize("kind", ["searches", "judgments"])
def test_foreign_columns_are_guessed(tmp_path, ending, kind):
    rows = {"searches": SEARCHES, "judgments": JUDGMENTS}[kind]
    files = {
        "items": write_table(tmp_path / f"items.{ending}", ITEMS),
        kind: write_table(tmp_path / f"{kind}.{ending}", rows),
    }
    path = tmp_path / "c.yaml"
    template = write_template(path, **files)
    assert not any(template.missing.values())
    config = load_config(path)
    found = {"item_id": "SKU", "title": "Product Name", "category": "category_path"}
    assert config.data.items.columns == template.columns["items"] == found
    assert (
        config.data.sources[kind].columns
        == {
            "searches": {
                "query": "search_term",
                "timestamp": "ts",
                "clicks": "Clicked-Ids",
                "purchases": "bought",
            },
            "judgments": {"query": "q", "item_id": "product_uid", "relevance": "rating"},
        }[kind]
    )
    summary = validate(config.data)
    assert summary["tables"]["items"]["kept"] == 2
    assert summary["tables"][kind]["kept"] == 20
    text = path.read_text("utf-8")
    assert re.search(r"item_id: SKU +# guessed", text)
    assert '# unused columns of the file: "weight: kg"' in text
    assert ("# unused columns of the file: id" in text) == (kind == "judgments")


def test_what_cannot_be_guessed_is_asked_for(tmp_path):
    items = write_jsonl(tmp_path / "items.jsonl", [{"code": "a", "name": "Drill"}])
    searches = write_jsonl(tmp_path / "searches.jsonl", [{"keywords": "drill"}])
    template = write_template(tmp_path / "c.yaml", items=items, searches=searches)
    assert template.missing == {"items": ["item_id"], "searches": ["clicks"]}
    text = (tmp_path / "c.yaml").read_text("utf-8")
    assert "      # item_id: ???  which column?\n" in text
    assert "      # clicks: ???  which column?\n" in text
    config = load_config(tmp_path / "c.yaml")
    assert config.data.items.columns == {"title": "name"}
    assert config.data.split.by == "query"  # nothing tells the time


@pytest.mark.parametrize("times", ["all", "none", "empty", "NULL"])
def test_what_is_written_splits_as_the_default_does(tmp_path, times):
    timed = times == "all"
    items = write_jsonl(tmp_path / "items.jsonl", [{"item_id": "a1", "title": "Drill"}])
    rows = [
        {name: row[name] for name in row if times != "none" or name != "ts"} for row in SEARCHES
    ]
    if times in ("empty", "NULL"):
        rows = [row | {"ts": "" if times == "empty" else times} for row in rows]
    searches = write_jsonl(tmp_path / "searches.jsonl", rows)
    write_template(tmp_path / "c.yaml", items=items, searches=searches)
    data = load_config(tmp_path / "c.yaml").data
    assert data.split.by == ("time" if timed else "query")
    by_default = data.model_copy(update={"split": SplitConfig()})
    assert validate(by_default) == validate(data)


def test_shoppers_and_the_relevance_of_a_good_answer_are_written(tmp_path, tables):
    users = write_jsonl(tmp_path / "users.jsonl", [{"User-ID": "u1", "Sex": "f"}])
    for name, more in (
        ("searches", {"users": users}),
        ("judgments", {"positive_from": 2.5}),
    ):
        path = tmp_path / f"{name}-more.yaml"
        write_template(path, items=tables["items"], **{name: tables[name]}, **more)
        data = load_config(path).data
        assert (data.positive_from == 2.5) == (name == "judgments")
        assert (data.users is not None) == (name == "searches")
    path = tmp_path / "searches-more.yaml"
    assert load_config(path).data.users.columns == {"user_id": "User-ID", "gender": "Sex"}
    assert uncommented(path).data.users.columns["age_band"] == "age_group"


@pytest.mark.parametrize("schema", [ITEMS_SCHEMA, SEARCHES_SCHEMA, USERS_SCHEMA, JUDGMENTS_SCHEMA])
def test_no_column_is_guessed_twice(schema):
    names = [name for names in SYNONYMS[schema.name].values() for name in names]
    assert len(names) == len(set(names))
    assert not set(names) & {name.replace("_", "") for name in schema.columns}
    found = match_columns([*names, *(name.upper() for name in schema.columns)], schema)
    assert found == {name: name.upper() for name in schema.columns}
    found = match_columns(names, schema)
    assert set(found) == set(SYNONYMS[schema.name])
    assert len(set(found.values())) == len(found)


def test_our_own_name_goes_first():
    assert match_columns(["Title", "title", "TITLE", "id"], ITEMS_SCHEMA) == {
        "item_id": "id",
        "title": "title",
    }


BETWEEN_WORDS = st.text(
    st.characters(codec="utf-8", categories=["P", "S", "Z", "Cc", "Cf"]), min_size=1, max_size=9
)


@settings(max_examples=60)
@given(BETWEEN_WORDS)
@example("_")
@example(": ")
@example("\x85\u2028")
@example("${_}")
@example("$${_}")
def test_every_name_of_a_column_is_written_as_it_is_read_back(tmp_path_factory, between):
    """As one that is ours, beside a comment, and in the comment about the others."""
    folder = tmp_path_factory.mktemp("names")
    category = f"category{between}hierarchy".replace("x", "_")
    row = {"id": "a", "name": "Drill", category: "Tools", f"shelf{between}": 1}
    items = write_jsonl(folder / "items.jsonl", [row])
    template = write_template(folder / "c.yaml", items=items)
    assert template.unused == {"items": [f"shelf{between}"]}
    columns = load_config(folder / "c.yaml").data.items.columns
    assert columns == {"item_id": "id", "title": "name", "category": category}


def test_a_path_with_signs_of_yaml_is_quoted(tmp_path):
    items = write_jsonl(tmp_path / "a: ${b} #1.jsonl", [{"id": "a", "name": "Drill"}])
    write_template(tmp_path / "c.yaml", items=items)
    assert load_config(tmp_path / "c.yaml").data.items.file == items


def test_what_cannot_be_used_is_refused(tmp_path, tables):
    path = tmp_path / "c.yaml"
    with pytest.raises(ConfigError, match=r"none\.csv does not exist\. Correct --items"):
        write_template(path, items=tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"Give --searches or --judgments"):
        write_template(path, searches=tables["searches"], judgments=tables["judgments"])
    with pytest.raises(ConfigError, match=r"--positive-from is .*: give --judgments too"):
        write_template(path, searches=tables["searches"], positive_from=2.0)
    log = write_jsonl(tmp_path / "items.txt", [])
    with pytest.raises(ConfigError, match=r"--items: the ending of 'items\.txt'"):
        write_template(path, items=log)
    assert not path.exists()
    write_template(path)
    assert load_config(path).data.items.columns == {"item_id": "item_id", "title": "title"}
    with pytest.raises(ConfigError, match="exists and is left as it is"):
        write_template(path)


def test_demo_splits_its_shop_by_time(tmp_path):
    config = make_demo(tmp_path / "shop", items=300, searches=400, seed=3)
    summary = validate(config.data)
    assert summary["tables"]["items"]["kept"] == 300
    assert summary["searches"]["train"] == 320
    assert config.data.split.by == "time"
    assert config.seed == 3


def test_demo_keeps_a_shop_that_is_whole_and_the_same(tmp_path):
    shop, items = tmp_path / "shop", tmp_path / "shop/items.jsonl"

    def make(seed):
        make_demo(shop, items=300, searches=400, seed=seed)
        return items.stat().st_ino, items.read_bytes()

    first = make(3)
    assert make(3) == first
    items.write_bytes(b"")
    damaged = make(3)
    assert damaged[1] == first[1]
    assert make(4)[1] != first[1]
    (tmp_path / "other").mkdir()
    with pytest.raises(ArtifactError, match="was not written by `genrecall demo`"):
        make_demo(tmp_path / "other", items=300, searches=400, seed=3)


def test_filters_of_a_log_are_found_and_read(tmp_path):
    branded = [{"item_id": "a", "title": "Drill", "brand": "Acme"}]
    items = write_jsonl(tmp_path / "items.jsonl", branded)
    rows = [{"query": "q", "clicks": ["a"], "Facets": {"brand": ["Acme"]}}, {"query": "r"}]
    log = write_jsonl(tmp_path / "log.jsonl", rows)
    found = write_template(tmp_path / "c.yaml", items=items, searches=log)
    assert found.columns["searches"]["filters"] == "Facets"
    assert found.notes == []
    assert validate(load_config(tmp_path / "c.yaml").data)["filters"]["fields"] == {"brand": 1}


def test_a_column_that_only_looks_like_filters_is_not_read(tmp_path, tables):
    rows = [{"query": "q", "clicks": ["a"], "filters": "brand:Acme"} for _ in range(9)]
    log = write_jsonl(tmp_path / "log.jsonl", rows)
    found = write_template(tmp_path / "c.yaml", items=tables["items"], searches=log)
    assert "filters" not in found.columns["searches"]
    (note,) = found.notes
    assert note.startswith(
        "searches: the column 'filters' is not read as filters: its cells, such as 'brand:Acme', "
        "cannot be used: not a field, one of = != >= > <= <, and a value"
    )
    text = (tmp_path / "c.yaml").read_text("utf-8")
    assert re.search(r"^      filters: null +# its cells cannot be read$", text, re.M)
    summary = validate(load_config(tmp_path / "c.yaml").data)
    assert summary["tables"]["searches"]["rejected"] == 0
    assert "filters" not in summary
