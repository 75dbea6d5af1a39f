import inspect

import pytest
import yaml
from field_docs import field_docs
from pydantic import BaseModel

from genrecall.config import Config, load_config, parse_config
from genrecall.foundation.errors import ConfigError

MINIMAL = {"data": {"items": {"file": "items.jsonl"}}}


def written(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text, "utf-8")
    return path


def message_of(tmp_path, text):
    with pytest.raises(ConfigError) as error:
        load_config(written(tmp_path, text))
    return str(error.value)


def sections(model=Config):
    yield model
    for field in model.model_fields.values():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            yield from sections(field.annotation)


def test_only_the_items_must_be_named(tmp_path):
    config = load_config(written(tmp_path, yaml.safe_dump(MINIMAL)))
    assert config == parse_config(MINIMAL, folder=tmp_path, name="c")
    assert config.embed == Config.model_fields["embed"].default


@pytest.mark.parametrize("section", list(sections()), ids=lambda section: section.__name__)
def test_every_setting_is_documented(section):
    docs = field_docs(section)
    for name in section.model_fields:
        assert docs.get(name), f"{section.__name__}.{name} needs a docstring"


def test_paths_resolve_against_the_config_and_absolute_ones_stay(tmp_path):
    (tmp_path / "sub").mkdir()
    text = "data:\n  items: {file: ../items.csv}\n  searches: {file: /log.csv}\n"
    config = load_config(written(tmp_path / "sub", text))
    assert config.data.items.file == (tmp_path / "items.csv").resolve()
    assert str(config.data.searches.file) == "/log.csv"


def test_variables_are_replaced(tmp_path, monkeypatch):
    text = "data: {items: {file: '${SHOP:-fallback}/${NAME:-items}.csv'}}"
    monkeypatch.setenv("SHOP", str(tmp_path / "mine"))
    assert load_config(written(tmp_path, text)).data.items.file == tmp_path / "mine/items.csv"
    monkeypatch.delenv("SHOP")
    assert load_config(written(tmp_path, text)).data.items.file == tmp_path / "fallback/items.csv"
    # An empty variable counts as not set, as in a shell.
    monkeypatch.setenv("SHOP", "")
    assert load_config(written(tmp_path, text)).data.items.file == tmp_path / "fallback/items.csv"


def test_a_missing_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("SHOP", raising=False)
    message = message_of(tmp_path, "data: {items: {file: '${SHOP}/items.csv'}}")
    assert "the environment variable SHOP is not set" in message
    assert "${SHOP:-default}; $${SHOP} where this is meant literally" in message


def test_a_variable_may_be_meant_literally(tmp_path):
    config = load_config(written(tmp_path, "data: {items: {file: 'a$${SHOP}.csv'}}"))
    assert config.data.items.file == tmp_path / "a${SHOP}.csv"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: [", "is not valid YAML: line 1, column 8"),
        ("a: b: c", "is not valid YAML: line 1, column 5: mapping values are not allowed here"),
        ("- 1", "holds no settings; `genrecall init` writes a commented config"),
        ("", "holds no settings"),
        ("seed: 1", "data: Field required"),
        ("data: 3", "data: Input should be a valid dictionary"),
    ],
)
def test_what_is_no_config_is_explained(tmp_path, text, expected):
    assert expected in message_of(tmp_path, text)


def test_a_missing_config_is_explained(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read \(No such file"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"data: \xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml is not UTF-8 text"):
        load_config(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"embedd": {}}, "embedd: unknown setting 'embedd'; known: channels,"),
        ({"embed": {"stps": 1}}, "embed.stps: unknown setting 'stps'"),
        ({"quantize": {"training": {"epoch": 1}}}, "Did you mean 'epochs'?"),
        # A section that may be left out knows its settings, too.
        (
            {"data": {**MINIMAL["data"], "searches": {"file": "s.csv", "colums": {}}}},
            "unknown setting 'colums'; known: columns, dialect, file, first_row_of, format. Did",
        ),
        (
            {"embed": {"in_domain": {"steps": 0}}},
            "embed.in_domain.steps: Input should be greater than or equal to 1",
        ),
        ({"embed": {"in_domain": {"steps": 0}}}, "(given: 0)"),
        ({"seed": -1}, "seed: "),
        (
            {"data": {**MINIMAL["data"], "split": {"by": "tim"}}},
            "data.split.by: Input should be 'query' or 'time' (given: 'tim')",
        ),
        ({"data": {"items": {"file": "i.xls"}}}, "data.items: the ending of 'i.xls'"),
    ],
)
def test_an_unusable_setting_is_named_with_what_is_allowed(tmp_path, changes, expected):
    with pytest.raises(ConfigError) as error:
        parse_config(MINIMAL | changes, folder=tmp_path, name="c.yaml")
    assert str(error.value).startswith("c.yaml cannot be used:\n  ")
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("changes", "given", "now"),
    [
        ({"channels": {"fusion": {}}}, "channels.fusion", "funnel.fusion"),
        (
            {"channels": {"generative": {"look_ahead_temperature": 0.1}}},
            "channels.generative.look_ahead_temperature",
            "generator.temperature",
        ),
        ({"embed": {"pretrained": "models/e5"}}, "embed.pretrained", "embed.pretrained.model"),
        ({"embed": {"pretrained": None}}, "embed.pretrained", "embed.pretrained.model"),
        ({"embed": {"static": "wordllama"}}, "embed.static", "embed.static.source"),
        (
            {"generator": {"match_temperature": 0.1}},
            "generator.match_temperature",
            "generator.temperature",
        ),
    ],
)
def test_a_setting_that_moved_is_named_with_its_place(tmp_path, changes, given, now):
    with pytest.raises(ConfigError, match=rf"{given}: this setting is now {now}; move it there"):
        parse_config(MINIMAL | changes, folder=tmp_path, name="c.yaml")


def test_all_problems_are_told_at_once(tmp_path):
    with pytest.raises(ConfigError) as error:
        parse_config(
            MINIMAL | {"embed": {"in_domain": {"steps": 0, "dim": 1}}}, folder=tmp_path, name="c"
        )
    assert len(str(error.value).splitlines()) == 3
