"""Pretrained models: which models are taken, what is copied of them, and a pipeline over one."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from embed_shop import QUERIES, TITLES
from tiny_model import save_model
from tiny_shop import SETTINGS, items, write_shop

import genrecall
from genrecall.config import load_config
from genrecall.embed.config import EmbedConfig, PretrainedConfig
from genrecall.embed.pretrained import PretrainedModel, find_model
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copied(model, tmp_path):
    """A copy of the model that a test may change."""
    return shutil.copytree(model, tmp_path / "copied")


def alone(model, **settings):
    """The settings of a shop whose only view it is."""
    return EmbedConfig(
        views=("pretrained",), pretrained=PretrainedConfig(model=str(model), **settings)
    )


def make(model, tmp_path, **settings):
    config = PretrainedConfig(model=str(model), **settings)
    folder = tmp_path / "written"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return PretrainedModel.make(config, folder, log=SilentLog())


def test_vectors_are_the_models_own(model, tmp_path):
    from sentence_transformers import SentenceTransformer

    own = SentenceTransformer(str(model), device="cpu").encode(
        [f"query: {query}" for query in QUERIES], normalize_embeddings=True
    )
    found = make(model, tmp_path, query_prefix="query: ").encode(QUERIES)
    np.testing.assert_allclose(found, own, atol=1e-6)


def test_prefixes_matter_each_on_its_side(model, tmp_path):
    plain = make(model, tmp_path)
    asking = make(model, tmp_path, query_prefix="query: ")
    offering = make(model, tmp_path, item_prefix="passage: ")
    assert not np.allclose(plain.encode(QUERIES), asking.encode(QUERIES), atol=1e-3)
    assert (plain.encode_items(TITLES) == asking.encode_items(TITLES)).all()
    assert not np.allclose(plain.encode_items(TITLES), offering.encode_items(TITLES), atol=1e-3)
    assert (plain.encode(QUERIES) == offering.encode(QUERIES)).all()


def test_prefixes_that_the_model_prescribes_are_the_default(model, tmp_path):
    prompts = {"query": "query: ", "document": "passage: "}
    prescribing = make(save_model(tmp_path / "prescribing", prompts=prompts), tmp_path)
    told = make(model, tmp_path, query_prefix="query: ", item_prefix="passage: ")
    np.testing.assert_allclose(prescribing.encode(QUERIES), told.encode(QUERIES), atol=1e-6)
    np.testing.assert_allclose(
        prescribing.encode_items(TITLES), told.encode_items(TITLES), atol=1e-6
    )
    silenced = make(tmp_path / "prescribing", tmp_path, query_prefix="")
    np.testing.assert_allclose(
        silenced.encode(QUERIES), make(model, tmp_path).encode(QUERIES), atol=1e-6
    )


def test_only_settings_vocabularies_and_safetensors_are_copied(copied, tmp_path):
    for extra in ("README.md", "train.py", "pytorch_model.bin", ".cache/a.json", "onnx/b.json"):
        (copied / extra).parent.mkdir(exist_ok=True)
        (copied / extra).write_text("{}")
    make(copied, tmp_path)
    suffixes = {path.suffix for path in (tmp_path / "written").rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".safetensors", ".txt"}
    assert not (tmp_path / "written/model/onnx").exists()
    assert not (tmp_path / "written/model/.cache").exists()


def test_weights_that_are_no_safetensors_are_refused(copied, tmp_path):
    (copied / "model.safetensors").unlink()
    torch.save({}, copied / "pytorch_model.bin")
    with pytest.raises(
        ConfigError, match=r"copied' cannot be opened .*whose weights are safetensors"
    ):
        make(copied, tmp_path)


@pytest.mark.parametrize(
    "file", ["model.safetensors", "config.json", "modules.json", "1_Pooling/config.json"]
)
def test_damaged_files_are_refused(copied, tmp_path, file):
    (copied / file).write_bytes((copied / file).read_bytes()[:50])
    with pytest.raises(ConfigError, match=r"copied' cannot be opened as a sentence-transformers"):
        make(copied, tmp_path)


def test_weights_of_a_later_layer_that_are_no_safetensors_are_refused(tmp_path):
    saved = save_model(tmp_path / "dense", dense=True)
    assert make(saved, tmp_path).dim == 8
    torch.save({}, saved / "2_Dense/pytorch_model.bin")
    (saved / "2_Dense/model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"cannot be opened .*whose weights are safetensors"):
        make(saved, tmp_path)


def test_code_that_comes_with_a_model_is_not_run(copied, tmp_path):
    (copied / "own.py").write_text("raise SystemExit('the model ran its code')")
    layout = json.loads((copied / "modules.json").read_text())
    layout[1]["type"] = "own.Pooling"
    (copied / "modules.json").write_text(json.dumps(layout))
    with pytest.raises(ConfigError, match=r"'own\.Pooling'.*needs no code of its own"):
        make(copied, tmp_path)


@pytest.mark.parametrize("name", ["./no-such-model", "/no/such/model", "a/b/c"])
def test_a_directory_that_does_not_exist(name):
    with pytest.raises(ConfigError, match=f"'{name}' is no directory.*a name on the hub"):
        find_model(name, SilentLog())


def test_a_directory_of_something_else(tmp_path):
    with pytest.raises(
        ConfigError, match=r"no sentence-transformers model: it has no modules\.json"
    ):
        find_model(str(tmp_path), SilentLog())


@pytest.mark.parametrize("name", ["some-owner/some-model", "some-model"])
def test_a_name_that_the_hub_does_not_answer(monkeypatch, name):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConfigError, match=r"/some-model' is no directory here.*Check the name and the"
    ):
        find_model(name, SilentLog())


def test_a_missing_library_is_answered_with_the_command(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    command = r"'sentence_transformers'.*pip install 'genrecall\[pretrained\]'"
    with pytest.raises(ConfigError, match=command):
        make(model, tmp_path)


def test_opening_and_encoding_print_nothing(model, tmp_path, capfd):
    make(model, tmp_path).encode_items(TITLES)
    assert capfd.readouterr() == ("", "")


def test_inputs_change_with_the_models_bytes_and_not_with_its_place(model, copied):
    def hashed(folder, **settings):
        return alone(folder, **settings).content()

    assert hashed(model) == hashed(copied) != EmbedConfig(views=("in_domain",)).content()
    assert hashed(model, query_prefix="query: ") != hashed(model)
    (copied / "README.md").write_text("no vector depends on this")
    assert hashed(model) == hashed(copied)
    (copied / "tokenizer_config.json").write_text("{}")
    assert hashed(model) != hashed(copied)


@pytest.mark.parametrize("name", ["some-owner/some-model", "./no-such-model"])
def test_a_name_that_is_no_directory_stays_as_it_is(tmp_path, name):
    embed = {"views": ["pretrained"], "pretrained": {"model": name}}
    config = load_config(write_shop(tmp_path, settings={"embed": embed}))
    assert config.embed.pretrained.model == name


def test_an_empty_name_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"embed\.pretrained\.model: .*at least 1 char"):
        load_config(write_shop(tmp_path, settings={"embed": {"pretrained": {"model": ""}}}))


def test_a_bundle_needs_no_model_but_its_own(tmp_path):
    save_model(tmp_path / "model", texts=[item["title"] for item in items()])
    pretrained = {"model": "model", "query_prefix": "q: "}
    embed = SETTINGS["embed"] | {"views": ["pretrained"], "pretrained": pretrained}
    config = load_config(write_shop(tmp_path, settings={"embed": embed}))
    outputs = Outputs(tmp_path / "run")
    result = run(config, outputs, log=SilentLog())
    assert result.metrics is not None
    assert run(config, outputs, log=SilentLog()).ran == ()

    shutil.rmtree(tmp_path / "model")
    channel = genrecall.load(outputs.bundle)
    hits = channel.recall("red cordless drill", k=5)
    assert len(hits) == 5
    assert channel.recall("日本", k=5) == []
    assert str(tmp_path) not in (outputs.bundle / "manifest.json").read_text()
    bundle = open_artifact(outputs.bundle, kind="bundle")
    assert "embed/pretrained/model/model.safetensors" in bundle.files
    with pytest.raises(ConfigError, match="model' is no directory"):
        run(config, outputs, log=SilentLog())


@pytest.mark.parametrize(
    ("embed", "told"),
    [
        ({"views": ["in_domain", "pretrained"]}, r"no pretrained\.model says which"),
        ({"pretrained": {"model": "a"}}, r"views names only in_domain, static\. Add pretrained"),
        ({"views": ["static", "static"]}, "views names one twice: static, static"),
        ({"views": []}, "at least 1 item"),
        ({"views": ["dense"]}, "'in_domain', 'static' or 'pretrained'"),
        ({"query_prefix": "q"}, r"this setting is now embed\.pretrained\.query_prefix"),
        ({"steps": 3}, r"this setting is now embed\.in_domain\.steps"),
        ({"stemmer": "none"}, r"this setting is now embed\.subwords\.stemmer"),
    ],
)
def test_views_that_cannot_be(tmp_path, embed, told):
    with pytest.raises(ConfigError, match=told):
        load_config(write_shop(tmp_path, settings={"embed": embed}))
