import io
import json
import shutil

import numpy as np
import pytest
from tiny_shop import items, write_shop

from genrecall.config import load_config
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.progress import FileLog
from genrecall.generator.load import STAGES
from genrecall.pipeline import publish
from genrecall.pipeline.evaluate import evaluate_bundle
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.quantize.load import load_table
from genrecall.report.costs import read_costs
from genrecall.report.page import render_report


@pytest.fixture(scope="module")
def stored(shop_run):
    """Metrics and report data of a run."""
    metrics = shop_run.open_stage("evaluate").read_json("metrics.json")
    return metrics, json.loads(shop_run.report_data.read_text("utf-8"))


def test_a_run_writes_the_page_of_what_it_stored(shop_run, stored):
    assert shop_run.report == shop_run.folder / "report.html"
    costs = read_costs(shop_run.log, shop_run.bundle)
    assert shop_run.report.read_text("utf-8") == render_report(*stored, costs)


def test_the_shop_is_counted(stored):
    _, data = stored
    assert data["shop"]["items"] == 120
    assert data["shop"]["available"] == 108
    assert data["shop"]["categories"] == 6
    searches = data["shop"]["searches"]
    assert sum(searches[split]["all"] for split in searches) == 300
    assert data["inputs"]


def test_curves_go_on_from_the_metrics(shop_run, stored):
    """One search of many beams gives the curves, its first ones the metrics."""
    metrics, data = stored
    curves = {curve["stage"]: curve for curve in data["beams"]}
    assert list(curves) == list(STAGES)
    for stage in STAGES:
        widths = metrics["hit@beam"][stage]
        for name in ("hit@beam", "candidates@beam"):
            points = dict(zip(curves[stage]["beams"], curves[stage][name], strict=True))
            for width in widths:
                assert points[int(width)] == metrics[name][stage][width]
    assert curves["query_to_sid"]["beams"][-1] == 10
    table = load_table(shop_run.open_stage("quantize"))
    available = np.array([item["available"] for item in items()])
    live = np.unique(table.sid_of_item[available])  # the others are never generated
    assert curves["user_query_to_sid"]["beams"][-1] == len(live)
    # 120 items are fewer than the cut leaves.
    uncut = curves["user_query_to_sid"]["hit@beam"]
    assert [figure["value"] for figure in data["cut"]["recall"]] == pytest.approx(
        [figure["value"] for figure in uncut]
    )


def test_examples_hold_what_was_generated_answered_and_missed(stored):
    _, data = stored
    titles = {item["title"] for item in items()}
    examples = data["examples"]["good"] + data["examples"]["bad"]
    asked = {(example["query"], str(example["shopper"])) for example in examples}
    assert len(asked) == len(examples) > 1
    assert any(example["shopper"]["history"] for example in examples if example["shopper"])
    assert min(e["recall"] for e in data["examples"]["good"]) >= max(
        e["recall"] for e in data["examples"]["bad"]
    )
    for example in examples:
        assert 0 < sum(beam["probability"] for beam in example["beams"]) <= 1 + 1e-6
        assert example["beams"] == sorted(example["beams"], key=lambda b: -b["probability"])
        assert {title for beam in example["beams"] for title in beam["titles"]} <= titles
        found = sum(item["relevant"] for item in example["items"])
        assert found + len(example["missed"]) + example["missed_more"] == example["relevant"]
        assert not {i["title"] for i in example["missed"]} & {i["title"] for i in example["items"]}
        for item in example["missed"]:
            assert item["rank"] is None or item["rank"] > 10


def test_the_map_shows_every_cluster(stored):
    metrics, data = stored
    clusters = data["map"]["clusters"]
    assert (
        len(clusters) == len(data["map"]["x"]) == data["map"]["of"] == metrics["quantize"]["sids"]
    )
    assert sum(cluster["items"] for cluster in clusters) == data["shop"]["available"]


def test_evaluating_a_bundle_writes_a_page_where_asked(shop_run, stored, tmp_path):
    shutil.copytree(shop_run.folder, tmp_path / "run")
    page, again = io.StringIO(), io.StringIO()
    evaluate_bundle(tmp_path / "run/bundle", split="test", page=page)
    assert "This is the test split" in page.getvalue()
    evaluate_bundle(tmp_path / "run/bundle", split="validation", page=again)
    digest = open_artifact(shop_run.bundle, kind="bundle").digest
    _, data = stored
    text = again.getvalue()
    # The log names the evaluation now; everything but the hash in the header is the same.
    assert text.replace(digest[:12], data["inputs"][:12]) == shop_run.report.read_text("utf-8")


def test_a_shop_without_a_log_has_a_page_with_its_training(tmp_path):
    config = load_config(write_shop(tmp_path, data={"searches": None}))
    outputs = Outputs(tmp_path / "run")
    run(config, outputs, log=FileLog(outputs.log, stream=io.StringIO()))
    page = outputs.report.read_text("utf-8")
    assert "nothing was measured" in page
    assert 'id="map-title"' in page
    assert 'id="queries"' not in page
    data = json.loads(outputs.report_data.read_text("utf-8"))
    trainings = {curve["stage"]: curve for curve in data["training"]}
    assert list(trainings) == ["two-tower encoder", "rq-vae", "item_to_sid", "query_to_sid"]
    steps, batch = config.generator.query_to_sid.steps, config.generator.query_to_sid.batch
    assert trainings["query_to_sid"]["done"] == [(n + 1) * batch for n in range(steps)]
    losses = {loss["name"]: loss["values"] for loss in trainings["query_to_sid"]["losses"]}
    assert set(losses) == {"loss", "match"}
    assert all(loss > 0 for loss in losses["loss"])


def test_the_bundle_stands_whatever_drawing_meets(tmp_path, monkeypatch):
    """And the next run draws what this one could not, without measuring anything again."""
    config = load_config(write_shop(tmp_path))
    outputs = Outputs(tmp_path / "run")
    with monkeypatch.context() as broken:

        def fail(*_, **__):
            raise MemoryError

        broken.setattr(publish, "describe", fail)
        with pytest.raises(MemoryError):
            run(config, outputs, log=FileLog(outputs.log, stream=io.StringIO()))
    open_artifact(outputs.bundle, kind="bundle")
    assert json.loads(outputs.metrics.read_text("utf-8"))["searches"]
    assert not outputs.report.exists()
    assert run(config, outputs, log=FileLog(outputs.log, stream=io.StringIO())).ran == ()
    assert 'id="map-title"' in outputs.report.read_text("utf-8")


def test_what_takes_long_is_announced(tmp_path):
    said = io.StringIO()
    outputs = Outputs(tmp_path / "run")
    run(load_config(write_shop(tmp_path)), outputs, log=FileLog(outputs.log, stream=said))
    for line in (
        "  read: 100%",
        "  fused: 100%",
        "  query_to_sid, SIDs: 100%",
        "  figures and their intervals",
        "  for the page: a map of",
    ):
        assert line in said.getvalue(), line
