"""A bundle is measured on the searches of its own run, and the test split is told each time."""

import json
import shutil

import pytest
from kept_log import KeptLog
from tiny_shop import items, write_jsonl, write_shop

from genrecall.config import load_config
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ArtifactError, ConfigError
from genrecall.pipeline.evaluate import evaluate_bundle
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run


@pytest.fixture
def folder(shop_run, tmp_path):
    """Of a finished run, a copy that a test may change."""
    return shutil.copytree(shop_run.folder, tmp_path / "run")


def test_evaluating_a_bundle_repeats_the_run(folder, capsys):
    metrics = evaluate_bundle(folder / "bundle", split="validation")
    assert json.loads(json.dumps(metrics)) == json.loads(
        (folder / "metrics.json").read_text("utf-8")
    )
    assert "test split" not in capsys.readouterr().err


def test_evaluating_the_test_split_is_told_and_logged(folder, capsys):
    metrics = evaluate_bundle(folder / "bundle", split="test")
    assert metrics["split"] == "test"
    assert "this is the test split: tune nothing on what it says" in capsys.readouterr().err
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    (told,) = [event for event in events if event["event"] == "evaluate"]
    assert told["split"] == "test"
    assert told["digest"] == open_artifact(folder / "bundle", kind="bundle").digest


def test_rankings_are_written_as_trec_files(folder, tmp_path):
    evaluate_bundle(folder / "bundle", split="validation", trec=tmp_path / "new/trec")
    theirs = {path.name: path.read_bytes() for path in (tmp_path / "new/trec").iterdir()}
    ours = {path.name: path.read_bytes() for path in (folder / "stages/evaluate/trec").iterdir()}
    assert theirs == ours
    with pytest.raises(ConfigError, match="trec is not empty and is left as it is"):
        evaluate_bundle(folder / "bundle", split="test", trec=tmp_path / "new/trec")
    evaluate_bundle(folder / "bundle", split="test", trec=tmp_path / "test")
    assert (tmp_path / "test/qrels.txt").read_bytes() != ours["qrels.txt"]


def test_evaluating_needs_the_searches_of_the_same_run(folder, tmp_path):
    bundle = folder / "bundle"
    with pytest.raises(ConfigError, match="unknown split 'train'; known: test, validation"):
        evaluate_bundle(bundle, split="train")
    shutil.copytree(bundle, tmp_path / "moved")
    with pytest.raises(ArtifactError, match=r"stages/data is not a GenRecall data"):
        evaluate_bundle(tmp_path / "moved", split="test")
    other = write_shop(tmp_path / "other")
    write_jsonl(tmp_path / "other/items.jsonl", items()[:100])
    run(load_config(other), Outputs(tmp_path / "other/run"), last="data", log=KeptLog())
    with pytest.raises(ArtifactError, match="other items, searches or splits than"):
        evaluate_bundle(bundle, split="test", data=tmp_path / "other/run/stages/data")


def test_a_folder_that_cannot_be_is_told_before_anything_is_measured(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        evaluate_bundle(folder / "bundle", split="validation", trec=tmp_path / "file/trec")
    assert "searches" not in capsys.readouterr().err
