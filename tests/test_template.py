"""The configs that GenRecall writes itself: that of `init` and that of the demo."""

import re

import pytest

from genrecall.config import load_config
from genrecall.data.stage import validate
from genrecall.demo import make_demo
from genrecall.embed.config import EmbedConfig
from genrecall.errors import ConfigError
from genrecall.generator.config import GeneratorConfig
from genrecall.quantize.config import QuantizeConfig
from genrecall.template import write_template
from tiny_shop import write_jsonl


@pytest.fixture
def tables(tmp_path):
    return {name: write_jsonl(tmp_path / f"{name}.jsonl", []) for name in ("items", "searches")}


@pytest.mark.parametrize("kind", ["searches", "judgments"])
def test_template_holds_the_defaults(tmp_path, tables, kind):
    write_template(tmp_path / "c.yaml", items=tables["items"], **{kind: tables["searches"]})
    config = load_config(tmp_path / "c.yaml")
    assert config.data.sources[kind].file == tables["searches"]
    assert config.data.items.columns == {"item_id": "item_id", "title": "title"}
    assert config.data.split.by == ("time" if kind == "searches" else "query")
    assert config.embed == EmbedConfig()
    assert config.quantize == QuantizeConfig()
    assert config.generator == GeneratorConfig()


def test_every_commented_line_is_a_setting(tmp_path, tables):
    path = tmp_path / "c.yaml"
    write_template(path, **tables)
    path.write_text(re.sub(r"(?m)^(  +)# (\w+:)", r"\1\2", path.read_text("utf-8")), "utf-8")
    config = load_config(path)
    assert config.data.items.columns["attributes"] == {"color": "colour", "material": "material"}
    optional = {"category", "brand", "price", "score", "available", "group_id", "updated_at"}
    assert optional <= set(config.data.items.columns)
    assert {"timestamp", "user_id", "clicks"} <= set(config.data.searches.columns)


def test_a_path_with_signs_of_yaml_is_quoted(tmp_path):
    items = write_jsonl(tmp_path / "a: b #1.jsonl", [])
    write_template(tmp_path / "c.yaml", items=items)
    assert load_config(tmp_path / "c.yaml").data.items.file == items


def test_what_cannot_be_used_is_refused(tmp_path, tables):
    path = tmp_path / "c.yaml"
    with pytest.raises(ConfigError, match=r"none\.csv does not exist\. Correct --items"):
        write_template(path, items=tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"Give --searches or --judgments"):
        write_template(path, searches=tables["items"], judgments=tables["items"])
    write_template(path)
    with pytest.raises(ConfigError, match="exists and is left as it is"):
        write_template(path)


def test_demo_splits_its_shop_by_time(tmp_path):
    config = make_demo(tmp_path, items=300, searches=400, seed=3)
    summary = validate(config.data)
    assert summary["tables"]["items"]["kept"] == 300
    assert summary["searches"]["train"] == 320
    assert config.data.split.by == "time"
    assert config.seed == 3
