"""The int8 copy of a pretrained model that reads queries."""

import logging
import shutil
import sys

import numpy as np
import pytest
from embed_shop import QUERIES, TITLES
from kept_log import KeptLog
from tiny_model import save_model

from genrecall.data.pairs import LoggedPairs
from genrecall.embed import config
from genrecall.embed.config import PretrainedConfig
from genrecall.embed.int8 import Int8Queries
from genrecall.embed.pretrained import INT8, PretrainedModel
from genrecall.embed.training import int8
from genrecall.embed.training.int8 import Asked, Recalls, asked, compare, with_int8
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.progress import SilentLog

COMPARED = Asked(list(TITLES), None)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An artifact with a model and its copy, and what it made of queries before there was one."""
    folder = tmp_path_factory.mktemp("int8")
    model = save_model(folder / "tiny", dense=True)
    config = PretrainedConfig(model=str(model), query_prefix="query: ")
    with writing(folder / "view", kind="view", inputs="") as out:
        reader = PretrainedModel.make(config, out, log=SilentLog())
        own = reader.encode(QUERIES)
        with_int8(reader, reader.encode_items(TITLES), COMPARED, SilentLog())
    return open_artifact(folder / "view", kind="view"), own


@pytest.fixture
def reader(tmp_path, made):
    """The model without a copy, in a folder of its own."""
    config = PretrainedConfig(model=str(made[0].path / "model"))
    return PretrainedModel.make(config, tmp_path, log=SilentLog())


def added(reader):
    """The reader with a copy, and what was said."""
    log = KeptLog()
    return with_int8(reader, reader.encode_items(TITLES), COMPARED, log), "\n".join(log.said)


def test_the_copy_reads_queries_as_the_model_does(made):
    artifact, own = made
    copied = PretrainedModel.load(artifact).encode(QUERIES)
    assert copied.shape == own.shape
    np.testing.assert_allclose(np.linalg.norm(copied, axis=1), 1.0, atol=1e-5)
    cosines = (copied * own).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.max() < 1 - 1e-7  # it is int8 that read


def test_a_query_is_read_alone_as_in_company(made):
    reader = PretrainedModel.load(made[0])
    together = reader.encode(QUERIES)
    alone = np.concatenate([reader.encode([query]) for query in QUERIES])
    assert (together == alone).all()
    assert reader.encode([]).shape == (0, reader.dim)


def test_many_queries_are_read_as_a_few_are(made):
    reader = PretrainedModel.load(made[0])
    many = [f"{query} {number}" for number in range(8) for query in QUERIES]
    few = np.concatenate([reader.encode(many[at : at + 8]) for at in range(0, len(many), 8)])
    assert (reader.encode(many) == few).all()


def test_a_copy_that_cannot_be_opened_is_told(made, tmp_path):
    folder = shutil.copytree(made[0].path / INT8, tmp_path / INT8)
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match=r"model\.onnx cannot be opened by onnxruntime \S+: .*"):
        Int8Queries(folder)


@pytest.mark.parametrize(("told", "kept"), [(None, None), (10**30, None), (256, 256)])
def test_a_huge_number_of_tokens_is_no_limit(told, kept):
    assert int8._most_tokens(told) == kept


def test_a_model_that_leaves_its_prompt_out_of_vectors_gets_no_copy(reader, tmp_path):
    reader.model[1].include_prompt = False
    asking = reader.model
    with pytest.raises(ValueError, match="leaves it out of the vectors"):
        int8.write_int8(asking, tmp_path / "copy", prefix="query: ")


def test_queries_are_read_without_the_models_library(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    assert PretrainedModel.load(made[0]).encode(QUERIES).shape == (len(QUERIES), 8)


def test_without_its_runtime_the_model_itself_reads(made, monkeypatch):
    artifact, own = made
    monkeypatch.setattr("genrecall.embed.pretrained.has_runtime", lambda: False)
    log = KeptLog()
    np.testing.assert_allclose(PretrainedModel.load(artifact, log=log).encode(QUERIES), own)
    assert log.said == ["  queries are read by the model itself: onnxruntime is not installed"]


def test_a_copy_that_finds_less_is_not_kept(reader, monkeypatch):
    monkeypatch.setattr(int8, "_LOSS", -1.0)
    same, said = added(reader)
    assert same is reader
    assert not (reader.folder / INT8).exists()
    assert "finds less, and is not kept: recall@100 1.000, 1.000 by the model" in said


def test_a_model_that_cannot_be_exported_reads_itself(reader, monkeypatch):
    def fail(*_):
        raise RuntimeError("no such\n operator")

    monkeypatch.setattr(int8, "_export", fail)
    same, said = added(reader)
    assert same is reader
    assert not (reader.folder / INT8).exists()
    assert said.endswith("which cannot be copied: no such operator")


def test_what_is_not_installed_is_named(reader, monkeypatch):
    monkeypatch.setattr(
        int8, "missing_of", lambda names: [name for name in names if name == "onnx"]
    )
    same, said = added(reader)
    assert same is reader
    assert "an int8 copy needs onnx (pip install 'genrecall[onnx]')" in said


def test_making_one_prints_nothing(reader, capfd):
    before = logging.root.manager.disable
    _, said = added(reader)
    assert "queries are read by an int8 copy: recall@100 1.000, 1.000 by" in said
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == before


def test_recall_of_both_is_over_the_relevant_items():
    items = np.eye(200, dtype=np.float32)
    own = items[:2] + 0.5 * items[2:4]
    copied = own.copy()
    copied[1] = -1.0 - items[1]  # the last one that it finds
    relevant = [np.array([0]), np.array([1, 3])]
    assert compare(own, copied, items, relevant) == Recalls(model=1.0, copy=0.75)
    assert not Recalls(model=1.0, copy=0.75).equal
    assert Recalls(model=0.5, copy=0.496).equal


def test_what_both_are_compared_on_is_spread_over_the_log():
    queries = [f"q{number}" for number in range(2500)]
    known = np.arange(2500).repeat(2)
    pairs = LoggedPairs(known, np.arange(5000), np.ones(5000))
    some = asked(queries, pairs, TITLES)
    assert some.texts == queries[::3]
    assert [rows.tolist() for rows in some.relevant[:2]] == [[0, 1], [6, 7]]
    nothing = LoggedPairs(known[:0], known[:0], np.ones(0))
    assert asked([], nothing, list(TITLES)) == Asked(list(TITLES), None)


def test_a_library_that_is_installed_later_makes_the_stage_run_again(monkeypatch):
    there = PretrainedConfig().content()
    monkeypatch.setattr(config, "missing_of", lambda names: [names[1]])
    assert PretrainedConfig().content() != there
    # Without a copy it does not matter what is installed.
    assert PretrainedConfig(int8=False).content() == PretrainedConfig().content()
