import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import yaml
from kept_log import KeptLog
from tiny_shop import in_domain, items, searches, write_jsonl, write_shop

import genrecall
from genrecall.config import load_config
from genrecall.data.tables import ITEMS
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ArtifactError, ConfigError, DataError
from genrecall.foundation.interrupt import Interrupted
from genrecall.generator.load import STAGES as TRAINED
from genrecall.pipeline.evaluate import evaluate_bundle
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import STAGES

NAMES = tuple(stage.name for stage in STAGES)
READING = tuple(name for name in NAMES if name != "align")
"""The stages that read others: where nothing is aligned, `align` reads none."""
CONTROLS = {"two_views", "bm25+dense+two_views", "look_ahead", "heads", "anonymous", "co_choice"}
CHANNELS = {"generative", "bm25", "dense", "bm25+dense", "bm25+dense+generative"} | CONTROLS


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A shop with a finished run; only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    config = write_shop(folder)
    write_jsonl(folder / "items.jsonl", [*items(), {"item_id": "item-0", "title": "twice"}])
    return folder, run(load_config(config), Outputs(folder / "run"), log=KeptLog())


@pytest.fixture
def shop(finished, tmp_path):
    """A copy of the finished shop that a test may change."""
    shutil.copytree(finished[0], tmp_path / "shop")
    return tmp_path / "shop"


def again(shop, *, settings=None, log=None, **stages):
    """Run once more, with some settings changed."""
    path = shop / "shop.yaml"
    if settings:
        values = yaml.safe_load(path.read_text("utf-8"))
        for name, value in settings.items():
            values[name] = values.get(name, {}) | value if isinstance(value, dict) else value
        path.write_text(yaml.safe_dump(values), "utf-8")
    return run(load_config(path), Outputs(shop / "run"), log=log or KeptLog(), **stages)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def digest(folder):
    return open_artifact(folder / "bundle", kind="bundle").digest


def test_a_run_leaves_what_the_readme_names(finished):
    folder, result = finished
    out = folder / "run"
    assert result.ran == NAMES
    for name in ("bundle/manifest.json", "metrics.json", "rejects/items.jsonl"):
        assert (out / name).is_file()
    assert json.loads((out / "metrics.json").read_text("utf-8")) == json.loads(
        json.dumps(result.metrics)
    )
    trec = {path.name for path in (out / "stages/evaluate/trec").iterdir()}
    assert trec == {"qrels.txt", *(f"{name}.run" for name in CHANNELS)}


def test_metrics_have_the_keys_of_the_contract(finished):
    metrics = finished[1].metrics
    assert metrics["split"] == "validation"
    assert metrics["searches"] == 20
    assert set(metrics["channels"]) == CHANNELS
    for figures in metrics["channels"].values():
        assert {"recall@10", "recall@100", "recall@1000", "hit@10"} <= set(figures)
        assert set(figures["recall@10"]) == {"value", "ci", "n"}
    for table in ("hit@beam", "hit_micro@beam", "candidates@beam"):
        assert set(metrics[table]) == {*TRAINED, "look_ahead", "heads", "anonymous"}
        assert set(metrics[table]["query_to_sid"]) == {"1", "10"}
    assert {"sids", "items_per_sid", "category_purity", "entropy"} <= set(metrics["quantize"])
    assert set(metrics["paired"]) == {
        "bm25+dense+generative - bm25+dense",
        "bm25+dense+generative - bm25+dense+two_views",
    }
    assert set(metrics["generative"]) == {"beams", "filled", "items"}
    assert metrics["generative"]["beams"]["value"] <= metrics["quantize"]["sids"]
    assert "only_generative@1000" in metrics


def test_a_second_run_changes_nothing(shop):
    before = contents(shop / "run")
    log = KeptLog()
    result = again(shop, log=log)
    assert result.ran == ()
    assert log.said == [f"{name}: up to date" for name in NAMES]
    assert contents(shop / "run") == before


def test_a_new_price_trains_nothing_and_a_new_title_trains_all(shop):
    rows = items()
    rows[0]["price"] = 1234.5
    write_jsonl(shop / "items.jsonl", rows)
    assert again(shop).ran == ("data", "evaluate")
    found = genrecall.load(shop / "run/bundle").recall("cordless drill", filters={"price": 1234.5})
    assert [hit.item_id for hit in found] == [rows[0]["item_id"]]
    rows[0]["title"] += " with bag"
    write_jsonl(shop / "items.jsonl", rows)
    assert again(shop).ran == READING


def test_log_holds_events_as_json_lines(shop):
    run(load_config(shop / "shop.yaml"), Outputs(shop / "run"))
    lines = (shop / "run/log.jsonl").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert events[0]["event"] == "run"
    assert events[0]["config"]["embed"]["views"] == ["in_domain"]
    assert events[-1]["text"] == "evaluate: up to date"


@pytest.mark.parametrize(
    ("settings", "ran"),
    [
        ({"queries": {"spelling": False}}, ("queries", "calibrate", "evaluate")),
        ({"embed": in_domain(steps=21)}, READING[2:]),
        ({"quantize": {"items_per_sid": 4}}, READING[3:]),
        ({"generator": {"width": 24}}, READING[4:]),
        ({"generator": {"align": {"steps": 1}}}, NAMES[5:]),
        ({"channels": {"generative": {"fit_weights": False}}}, NAMES[6:]),
        ({"channels": {"generative": {"order": "beam"}}}, NAMES[7:]),
        ({"evaluate": {"beam": 9}}, NAMES[7:]),
    ],
)
def test_a_changed_setting_runs_its_stage_and_those_after_it(shop, settings, ran):
    assert again(shop, settings=settings).ran == ran
    assert again(shop).ran == ()


def test_a_changed_table_runs_all_stages(shop):
    write_jsonl(shop / "items.jsonl", items()[:110])
    assert again(shop).ran == READING
    assert not (shop / "run/rejects").exists()


def test_a_moved_shop_is_up_to_date(shop, tmp_path):
    assert again(shop.rename(tmp_path / "elsewhere")).ran == ()


def test_a_setting_that_changes_no_figure_reaches_the_bundle(shop):
    again(shop, settings={"channels": {"generative": {"max_beam": 999}}})
    meta = open_artifact(shop / "run/bundle", kind="bundle").meta
    assert meta["config"]["channels"]["generative"]["max_beam"] == 999


def test_equal_runs_are_equal_byte_by_byte_but_for_what_the_machine_took(shop, tmp_path):
    shop_file = write_shop(shop, settings={"evaluate": {"searches": 20, "latency_searches": 5}})
    runs = [tmp_path / "first", tmp_path / "second"]
    results = [run(load_config(shop_file), Outputs(out), log=KeptLog()) for out in runs]
    first, second = (contents(out) for out in runs)
    differ = {name for name in first | second if first.get(name) != second.get(name)}
    # The page shows two or three digits of a latency, which may be the same.
    assert {"machine.json"} <= differ <= {"machine.json", "report.html"}
    for out, result in zip(runs, results, strict=True):
        latency = json.loads((out / "machine.json").read_text("utf-8"))["latency_ms"]
        assert result.metrics["latency_ms"] == latency
        assert set(latency) == {"k", "generative", "bm25", "dense"}
        page = (out / "report.html").read_text("utf-8")
        assert f"<td>{latency['generative']['p50']['value']:.1f}</td>" in page


def test_what_the_machine_took_is_told_only_with_the_figures_of_that_run(shop):
    settings = {"evaluate": {"searches": 20, "latency_searches": 5}}
    assert "latency_ms" in again(shop, settings=settings).metrics
    machine = Outputs(shop / "run").machine
    machine.write_text('{"inputs": "of another run", "latency_ms": {}}', "utf-8")
    assert "latency_ms" not in again(shop, settings=settings).metrics
    machine.unlink()
    assert "latency_ms" not in again(shop, settings=settings).metrics


def test_from_runs_stages_that_are_up_to_date(shop):
    before = contents(shop / "run/bundle")
    assert again(shop, first="generator").ran == NAMES[4:]
    assert again(shop, first="data", last="embed").ran == NAMES[:3]
    assert again(shop).ran == ()
    assert contents(shop / "run/bundle") == before


def test_another_seed_gives_another_bundle(shop, tmp_path):
    config = load_config(shop / "shop.yaml").model_copy(update={"seed": 1})
    run(config, Outputs(tmp_path / "second"), log=KeptLog())
    assert digest(tmp_path / "second") != digest(shop / "run")


def test_from_needs_the_stages_before_it(shop):
    shutil.rmtree(shop / "run/stages/embed")
    with pytest.raises(ArtifactError, match=r"cannot start at 'generator': .*embed is missing"):
        again(shop, first="generator")
    again(shop, last="embed")
    with pytest.raises(ArtifactError, match=r"'embed' was made from other inputs\. Leave out"):
        again(shop, settings={"embed": in_domain(steps=22)}, first="generator")


def test_to_stops_after_its_stage(shop):
    shutil.rmtree(shop / "run/bundle")
    result = again(shop, settings={"embed": in_domain(steps=19)}, last="embed")
    assert result.ran == ("embed",)
    assert result.metrics is None
    assert not (shop / "run/bundle").exists()


def test_unknown_and_reversed_stages_are_refused(shop):
    with pytest.raises(ConfigError, match=r"unknown stage 'embd'; known: .*Did you mean 'embed'"):
        again(shop, first="embd")
    with pytest.raises(ConfigError, match="unknown stage 'all'"):
        again(shop, last="all")
    with pytest.raises(ConfigError, match="--from generator comes after --to embed"):
        again(shop, first="generator", last="embed")


def damage(path):
    """Another last byte, whatever it was."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_a_damaged_stage_is_made_again(shop):
    before = digest(shop / "run")
    path = shop / "run/stages/embed/item_vectors.npy"
    damage(path)
    log = KeptLog()
    # The same vectors come out, so that nothing after them runs.
    assert again(shop, log=log).ran == ("embed",)
    assert any("item_vectors.npy differs from its manifest" in line for line in log.said)
    assert digest(shop / "run") == before


def test_a_damaged_bundle_is_made_again(shop):
    before = contents(shop / "run/bundle")
    damage(shop / "run/bundle/embed/item_vectors.npy")
    assert again(shop).ran == ()
    assert contents(shop / "run/bundle") == before


def test_what_is_not_ours_is_not_replaced(shop):
    bundle = shop / "run/bundle"
    shutil.rmtree(bundle)
    bundle.mkdir()
    (bundle / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(ArtifactError, match=r"run/bundle was not written by GenRecall and is left"):
        again(shop)
    assert (bundle / "thesis.txt").exists()


def test_two_runs_keep_out_of_one_folder(shop):
    with Outputs(shop / "run").alone(), pytest.raises(ArtifactError, match="another run is"):
        again(shop)
    assert again(shop).ran == ()


def test_a_killed_run_goes_on_where_it_was(shop, tmp_path):
    """SIGKILL in the middle of training; the resumed run ends in the same bytes."""
    longer = {"generator": {"query_to_sid": {"steps": 400, "batch": 32}}, "checkpoint_every": 0}
    whole = tmp_path / "whole"
    shutil.copytree(shop, whole)
    again(whole, settings=longer)
    again(shop, settings=longer, last="quantize")

    command = "import sys; from genrecall.cli.app import main; main(sys.argv[1:])"
    arguments = ["run", str(shop / "shop.yaml"), "--out", str(shop / "run")]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = shop / "run/work/checkpoints"
    deadline = time.monotonic() + 60
    while not list(checkpoints.glob("*/query_to_sid.safetensors")):
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert list((shop / "run/stages").glob(".generator-*"))

    log = KeptLog()
    assert again(shop, log=log).ran == ("generator", "calibrate", "evaluate")
    assert any("query_to_sid: resumes at step" in line for line in log.said)
    assert contents(shop / "run/bundle") == contents(whole / "run/bundle")
    assert not list((shop / "run/stages").glob(".*")), "what the killed run left is swept up"
    assert not checkpoints.exists()


def test_what_is_kept_is_told_of_checkpoints_of_the_same_inputs(shop, monkeypatch):
    def end(*_, **__):
        raise Interrupted(signal.SIGTERM)

    def kept(**settings):
        with pytest.raises(Interrupted) as ended:
            again(shop, settings=settings)
        return ended.value.kept

    monkeypatch.setattr("genrecall.embed.stage.fit_view_weights", end)  # after the training
    embed = in_domain(steps=25)
    assert kept(embed=embed) == "two-tower encoder is saved at step 25"
    monkeypatch.setattr("genrecall.embed.stage.train_in_domain", end)
    assert kept(embed=embed) == "two-tower encoder is saved at step 25"
    assert list((shop / "run/work/checkpoints").glob("*/*.safetensors"))
    assert kept(embed=in_domain(steps=30)) == "stage embed starts over"


def test_forced_training_does_not_resume(shop):
    log = KeptLog()
    again(shop, settings={"checkpoint_every": 0})
    again(shop, first="generator", log=log)
    assert not any("resumes" in line for line in log.said)


def test_bundle_tells_nothing_of_shoppers(finished):
    bundle = finished[0] / "run/bundle"
    items_file = bundle / "data/items.parquet"
    assert [path.name for path in (bundle / "data").iterdir()] == ["items.parquet"]
    assert set(pl.read_parquet(items_file).columns) == set(ITEMS)
    queries = {search["query"] for search in searches()}
    for name, content in contents(bundle).items():
        text = content.decode("latin-1")
        assert "shopper-" not in text, name
        assert "search-" not in text, name
        assert not any(query in text for query in queries), name
        assert str(bundle.parent) not in text, name


def test_test_searches_take_no_part_in_a_run(shop, finished):
    """What shoppers clicked in the test split changes neither the bundle nor the figures."""
    frame = pl.read_parquet(shop / "run/stages/data/searches.parquet")
    in_test = set(frame.filter(pl.col("split") == "test")["search_id"])
    assert in_test
    changed = [
        search | ({"clicks": ["item-0"], "purchases": []} if search["search_id"] in in_test else {})
        for search in searches()
    ]
    write_jsonl(shop / "searches.jsonl", changed)
    before = digest(shop / "run")
    result = again(shop)
    assert result.ran[0] == "data"
    assert digest(shop / "run") == before
    assert result.metrics == json.loads(json.dumps(finished[1].metrics))
    qrels = (shop / "run/stages/evaluate/trec/qrels.txt").read_text("utf-8")
    assert not in_test & {line.split()[0] for line in qrels.splitlines()}


def test_a_bundle_is_not_measured_on_another_split_of_its_own_searches(shop):
    """What is test in the other split may be what the bundle was trained on."""
    again(shop, settings={"data": {"split": {"by": "query", "seed": 1}}}, last="data")
    with pytest.raises(ArtifactError, match="might measure what the bundle was trained on"):
        evaluate_bundle(shop / "run/bundle", split="test")


def test_a_shop_without_a_log_gets_a_bundle(tmp_path):
    config = write_shop(tmp_path, data={"searches": None})
    log = KeptLog()
    result = run(load_config(config), Outputs(tmp_path / "run"), log=log)
    assert result.metrics["searches"] == 0
    assert result.metrics["channels"] == {}
    assert any("nothing is measured" in line for line in log.said)
    hits = genrecall.load(tmp_path / "run/bundle").recall("cordless drill", k=5)
    assert len(hits) == 5
    with pytest.raises(DataError, match="has no search with a relevant item"):
        evaluate_bundle(tmp_path / "run/bundle", split="validation")


def test_library_use(finished):
    channel = genrecall.load(finished[0] / "run/bundle")
    hits = channel.recall("red cordless drill", k=7, filters={"price": {"lte": 100}})
    assert [hit.rank for hit in hits] == list(range(1, 8))
    by_id = {item["item_id"]: item for item in items()}
    recalled = [by_id[hit.item_id] for hit in hits]
    assert all(item["price"] <= 100 and item["available"] for item in recalled)
    assert np.all(np.diff([hit.score for hit in hits]) <= 0)
