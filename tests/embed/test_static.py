"""The static view: word vectors of a package or a directory, and what is made of them."""

import shutil

import numpy as np
import polars as pl
import pytest
import torch
from embed_shop import QUERIES, TITLES
from kept_log import KeptLog
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch
from tiny_shop import SETTINGS, write_shop
from tokenizers import Tokenizer

from genrecall.bundle import open_bundle
from genrecall.config import load_config
from genrecall.data.tables import ITEMS
from genrecall.embed import word_vectors
from genrecall.embed.config import EmbedConfig, StaticConfig
from genrecall.embed.load import load_views
from genrecall.embed.static import StaticVectors
from genrecall.embed.word_vectors import find_static, named
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.errors import ConfigError
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run

VIEWS = {"views": ["in_domain", "static"], "static": {"dim": 12}}
TEXTS = [*TITLES, *QUERIES, "Crème brûlée 3/4 in.", "日本語", "☂"]


@pytest.fixture(scope="module")
def files():
    return find_static("wordllama")


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    return StaticVectors.make(files, tmp_path_factory.mktemp("whole"))


def test_vectors_are_those_of_the_library(files, whole):
    """Which knows letter case; that does not count here, neither in titles nor in queries."""
    from wordllama.inference import WordLlamaInference

    (table,) = load_file(files.table).values()
    theirs = WordLlamaInference(table, Tokenizer.from_file(str(files.tokenizer)))
    expected = theirs.embed([text.lower() for text in TEXTS], norm=True)
    np.testing.assert_allclose(whole.encode(TEXTS), expected, atol=2e-3)
    np.testing.assert_array_equal(whole.encode(["Red SAW"]), whole.encode(["red saw"]))


def test_what_has_no_token_is_zero_and_a_batch_equals_each_text_alone(whole):
    vectors = whole.encode(["", "saw", " "])
    assert not vectors[0].any()
    assert np.linalg.norm(vectors[1]) == pytest.approx(1.0, abs=1e-5)
    assert whole.encode([]).shape == (0, 256)
    alone = np.concatenate([whole.encode([text]) for text in TEXTS])
    np.testing.assert_array_equal(whole.encode(TEXTS), alone)


def test_what_is_written_is_read(files, tmp_path):
    with writing(tmp_path / "embed", kind="embed") as folder:
        (folder / "static").mkdir()
        made = StaticVectors.make(files, folder / "static")
    read = StaticVectors.load(open_artifact(tmp_path / "embed", kind="embed").part("static"))
    np.testing.assert_array_equal(read.encode(TEXTS), made.encode(TEXTS))


def test_a_directory_as_others_save_it(files, tmp_path):
    folder = tmp_path / "mine"
    for made in (folder, tmp_path / "static", tmp_path / "other"):
        made.mkdir()
    shutil.copyfile(files.tokenizer, folder / "tokenizer.json")
    table = np.random.default_rng(0).normal(size=(32_000, 12)).astype(np.float32)
    save_file({"embeddings": table}, folder / "model.safetensors")
    found = find_static(str(folder))
    assert named(found) == str(folder)
    assert StaticVectors.make(found, tmp_path / "static").dim == 12
    save_file({"a": table, "b": table}, folder / "model.safetensors")
    with pytest.raises(ConfigError, match="holds 2 matrices; word vectors are one"):
        StaticVectors.make(found, tmp_path / "other")
    (folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"model\.safetensors cannot be read"):
        StaticVectors.make(found, tmp_path / "other")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json is no tokenizer"):
        StaticVectors.make(found, tmp_path / "other")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"is no directory with a tokenizer\.json and one"):
        find_static(str(folder))


def test_vectors_that_would_be_read_wrongly_are_refused(files, tmp_path):
    shutil.copyfile(files.tokenizer, tmp_path / "tokenizer.json")
    file, made = tmp_path / "model.safetensors", tmp_path / "static"
    made.mkdir()

    def refused(tensors, told):
        save_torch(tensors, file)
        with pytest.raises(ConfigError, match=told):
            StaticVectors.make(find_static(str(tmp_path)), made)

    table = torch.ones(32_000, 4)
    refused({"a": torch.ones(100, 4)}, r"knows 32,000 tokens, and .* holds vectors of 100\.")
    refused(
        {"a": table, "weights": torch.ones(32_000)}, "beside its matrix .* holds weights, which"
    )
    refused({"a": table.to(torch.int8)}, "word vectors are one, of floats")
    save_torch({"a": table.to(torch.bfloat16)}, file)
    assert StaticVectors.make(find_static(str(tmp_path)), made).dim == 4


def test_a_directory_called_like_the_package_is_named_as_it_is(files, tmp_path):
    folder = tmp_path / "wordllama"
    folder.mkdir()
    shutil.copyfile(files.tokenizer, folder / "tokenizer.json")
    shutil.copyfile(files.table, folder / "any.safetensors")
    assert named(find_static(str(folder))) == str(folder)
    assert named(files).startswith("wordllama 0.")


def test_without_the_package_there_is_nothing(monkeypatch):
    monkeypatch.setattr(word_vectors.util, "find_spec", lambda _: None)
    assert find_static("wordllama") is None
    assert EmbedConfig().content()["static"]["source"] is None


def test_what_is_hashed_is_the_vectors(files, tmp_path):
    there = EmbedConfig().content()["static"]["source"]
    assert set(there) == {"tokenizer", "table"}
    shutil.copyfile(files.tokenizer, tmp_path / "tokenizer.json")
    shutil.copyfile(files.table, tmp_path / "any.safetensors")
    mine = StaticConfig(source=str(tmp_path))
    assert EmbedConfig(static=mine).content()["static"]["source"] == there
    assert "static" not in EmbedConfig(views=("in_domain",)).content()


def test_a_shop_with_a_second_view(tmp_path):
    """From the config to an answer, and to items that come later."""
    settings = {"embed": SETTINGS["embed"] | VIEWS}
    outputs = Outputs(tmp_path / "run")
    log = KeptLog()
    run(load_config(write_shop(tmp_path, settings=settings)), outputs, log=log)
    assert any("word vectors of wordllama 0." in line for line in log.said)
    assert any(line.startswith("  views: in_domain 0.") for line in log.said)
    bundle = open_bundle(outputs.bundle)
    assert bundle.encoder.sizes == {"in_domain": 8, "static": 12}
    assert bundle.items.vectors.shape[1] == 8 + 12
    generator = bundle.generative().generator
    assert generator.weights.own_share == pytest.approx(1 / (1 + bundle.encoder.weight))
    assert len(bundle.generative().recall("red cordless drill", k=5)) == 5
    added = {"item_id": "new", "title": "Acme cordless screwdriver red", "category": ["Tools"]}
    frame = pl.DataFrame([dict.fromkeys(ITEMS) | added], schema=ITEMS)
    found = bundle.with_items(frame).dense().recall("red cordless screwdriver", k=20)
    assert "new" in [hit.item_id for hit in found]


def test_a_shop_goes_without_what_is_not_installed(tmp_path, monkeypatch):
    """And says so; installing it makes the views anew."""
    outputs, log = Outputs(tmp_path / "run"), KeptLog()
    config = load_config(write_shop(tmp_path, settings={"embed": SETTINGS["embed"] | VIEWS}))
    found = word_vectors.util.find_spec
    with monkeypatch.context() as patch:
        patch.setattr(
            word_vectors.util,
            "find_spec",
            lambda name: None if name == word_vectors.PACKAGE else found(name),
        )
        run(config, outputs, last="embed", log=log)
        assert run(config, outputs, last="embed", log=log).ran == ()
        alone = SETTINGS["embed"] | {"views": ["static"]}
        config_alone = load_config(write_shop(tmp_path, settings={"embed": alone}))
        with pytest.raises(ConfigError, match=r"views is static alone, and wordllama is not"):
            run(config_alone, Outputs(tmp_path / "alone"), last="embed", log=log)
    assert any("no view by word vectors: wordllama is not installed" in line for line in log.said)
    assert run(config, outputs, last="embed", log=log).ran == ("embed",)


def test_without_maps_both_sides_are_as_they_come(tmp_path):
    """Turned and cut, so that a query that is a title is that title."""
    made = {}
    for learn in (True, False):
        folder = tmp_path / str(learn)
        settings = {"embed": {"views": ["static"], "static": {"dim": 12}, "learn_maps": learn}}
        outputs = Outputs(folder / "run")
        folder.mkdir()
        run(
            load_config(write_shop(folder, settings=settings)), outputs, last="embed", log=KeptLog()
        )
        encoder = load_views(outputs.open_stage("embed"))
        titles = ["Acme red drill", "Bolt lamp"]
        made[learn] = encoder.encode(titles), encoder.encode_items(titles)
    np.testing.assert_allclose(*made[False], atol=1e-6)
    assert np.abs(np.subtract(*made[True])).max() > 1e-4
