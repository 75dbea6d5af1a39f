"""Stage `align` in whole runs: both families, controls, resume, and what is read."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from kept_log import KeptLog
from safetensors.torch import load_file
from tiny_shop import LM, SETTINGS, items, searches, write_jsonl, write_shop

from genrecall.align import stage as align_stage
from genrecall.bundle import open_bundle
from genrecall.channels.base import Request
from genrecall.config import load_config
from genrecall.data.load import load_shop
from genrecall.data.tables import Catalog
from genrecall.evaluate.compared import told_weights
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import SilentLog
from genrecall.generator.compact.generator import CompactGenerator
from genrecall.generator.compact.weights import BOTH, HEADS, LevelWeights
from genrecall.generator.load import ALIGN
from genrecall.offline import alignment
from genrecall.offline.folds import FoldedChannel
from genrecall.pipeline.evaluate import evaluate_bundle
from genrecall.pipeline.inputs import StageInputs
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import STAGES

ALIGNED = {
    "steps": 6,
    "searches": 8,
    "group": 4,
    "anchor_searches": 16,
    "validate_every": 2,
    "learning_rate": 5e-3,
    "controls": ["grpo_k0", "more_sft"],
}
FAMILIES = {"compact": {}, "lm": LM}


def settings(family="compact", lm=None, **align):
    generator = SETTINGS["generator"] | FAMILIES[family] | {"align": ALIGNED | align}
    if lm is not None:
        generator["lm"] = lm
    return {"generator": generator, "data": {"split": {"by": "time"}}, "checkpoint_every": 0}


def config_of(folder, **options):
    made = settings(**options)
    return load_config(write_shop(folder, data=made.pop("data"), settings=made))


@pytest.fixture(scope="module", params=FAMILIES)
def aligned(request, tmp_path_factory):
    """A run with an alignment, its log beside it."""
    folder = tmp_path_factory.mktemp(request.param)
    outputs = Outputs(folder / "run")
    run(config_of(folder, family=request.param), outputs)
    return outputs


def test_what_is_aligned_serves(aligned):
    bundle = open_bundle(aligned.bundle)
    assert bundle.trained[-1] == ALIGN
    assert list(bundle.arms) == ["eg_grpo_k2"], "controls stay in the run"
    before, after = bundle.generative(bundle.supervised[-1]), bundle.generative()
    request = Request("red cordless drill")
    beams = [channel.answer(request, 20).beams for channel in (before, after)]
    (went,) = (a for a in bundle.stages[ALIGN].read_json("align.json") if a["where"] == "aligned")
    assert (beams[0] != beams[1]) == (went["best_step"] > 0)
    assert len(after.answer(request, 20).hits) == 20


def test_what_is_aligned_serves_with_the_weights_that_it_was_rewarded_with(aligned):
    """Where stage `calibrate` fits weights, it leaves these: fitted to clicks they show less."""
    bundle = open_bundle(aligned.bundle)
    usual = LevelWeights.usual(head_weight=bundle.channels.generative.head_weight)
    for name in (set(bundle.weights) & set(bundle.arms)) - bundle.unmoved:
        ways = bundle.weights[name]
        assert bundle.generative().generator.serving.weights == ways[BOTH].served == usual
        assert set(ways[BOTH].folds) == {usual}
        assert ways[HEADS].served != LevelWeights.usual(HEADS), "controls are fitted"
        assert bundle.weights[bundle.supervised[-1]][BOTH].served != usual
    compact = isinstance(bundle.generative().generator, CompactGenerator)
    assert compact == ("eg_grpo_k2" in bundle.weights)


def test_an_arm_that_no_step_made_better_is_what_it_started_from(tmp_path):
    outputs = Outputs(tmp_path / "run")
    rates = {"learning_rate": 1e-30, "embedding_learning_rate": 1e-30}
    metrics = run(config_of(tmp_path, **rates, controls=[]), outputs).metrics
    bundle = open_bundle(outputs.bundle)
    assert bundle.unmoved == set(bundle.arms) == {"eg_grpo_k2"}
    before, after = bundle.generative(bundle.supervised[-1]), bundle.generative()
    assert after.generator.serving.weights == before.generator.serving.weights
    request = Request("red cordless drill")
    assert before.answer(request, 20) == after.answer(request, 20)
    figures = metrics["paired_align"]["eg_grpo_k2 - stage3"]
    assert all(figure["value"] == 0 for figure in figures.values())
    assert told_weights(metrics).startswith("Fitted weights")


@pytest.mark.parametrize(("category_paths", "unit"), [(False, "query"), (True, "user_id")])
def test_intervals_are_over_the_units_of_the_evaluation(aligned, monkeypatch, category_paths, unit):
    """Category-path queries are few: there shoppers are drawn, as for all other figures."""
    monkeypatch.setattr(alignment, "alignment_metrics", lambda _, *, groups, **__: groups)
    bundle = open_bundle(aligned.bundle)
    shop = replace(load_shop(aligned.open_stage("data")), category_paths=category_paths)
    groups = alignment.measure_alignment(
        bundle,
        shop,
        "validation",
        open_arm=lambda name: FoldedChannel([bundle.generative(name)]),
        most=1000,
        seed=0,
    )
    told = alignment.only_answerable(shop.searches.told("validation"), bundle.items.mask)
    told = told.told("validation")
    assert len(groups) == len(told)
    assert len(set(groups)) == told.frame[unit].n_unique()


def test_arms_stand_side_by_side_in_the_figures(aligned):
    metrics = json.loads(aligned.metrics.read_text("utf-8"))
    assert list(metrics["align"]) == sorted(["stage3", "eg_grpo_k2", "grpo_k0", "more_sft"])
    assert {"eg_grpo_k2 - stage3", "eg_grpo_k2 - more_sft"} < set(metrics["paired_align"])
    assert ALIGN in metrics["hit@beam"]
    for figures in metrics["align"].values():
        assert 0 <= figures["clk@1"]["value"] <= figures["clk@10"]["value"] <= 1
        assert {"pvr@10", "exposure_recall@10", "recall@100", "candidates@10"} < set(figures)


def test_the_run_tells_of_steps_and_measurements(aligned):
    events = [json.loads(line) for line in aligned.log.read_text("utf-8").splitlines()]
    steps = [event for event in events if event["event"] == "align"]
    assert [e["step"] for e in steps if e["arm"] == "eg_grpo_k2"] == [2, 4, 6]
    assert {"reward", "kl", "entropy_1", "without_hit", "without_gradient"} < set(steps[0])
    measured = [event for event in events if event["event"] == "align_validation"]
    assert [e["step"] for e in measured if e["arm"] == "grpo_k0"] == [0, 2, 4, 6]
    assert measured[0]["gain"] == 0


def test_a_bundle_is_measured_on_the_test_split_with_what_it_holds(aligned, tmp_path):
    alone = Outputs(tmp_path)
    shutil.copytree(aligned.bundle, alone.bundle)
    shutil.copytree(aligned.stage("data"), alone.stage("data"))
    metrics = evaluate_bundle(alone.bundle, split="test")
    assert sorted(metrics["align"]) == ["eg_grpo_k2", "stage3"]
    beside = evaluate_bundle(aligned.bundle, split="test")["align"]
    assert sorted(beside) == ["eg_grpo_k2", "grpo_k0", "more_sft", "stage3"]


def test_items_that_come_later_are_seen_as_before(aligned):
    bundle = open_bundle(aligned.bundle)
    new = pl.DataFrame({"item_id": ["new"], "title": ["Acme cordless drill violet M900"]})
    grown = bundle.with_items(Catalog(new).completed().frame)
    before = bundle.generative(bundle.supervised[-1]).items
    assert np.array_equal(grown.generative().items.views[: len(before)], before.views[:])
    again = grown.generative(bundle.supervised[-1]).items
    assert np.array_equal(grown.generative().items.views[:], again.views[:])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_killed_alignment_ends_in_the_same_weights(tmp_path, family):
    """SIGKILL, wherever it is; the resumed run ends in the same bytes."""
    steps = {"compact": 240, "lm": 24}[family]
    longer = {"steps": steps, "validate_every": steps // 6, "controls": []}
    config = config_of(tmp_path, family=family, **longer)
    whole, cut = Outputs(tmp_path / "whole"), Outputs(tmp_path / "cut")
    run(config, whole, log=SilentLog(), last="generator")
    shutil.copytree(whole.folder, cut.folder)
    run(config, whole, log=SilentLog(), last="align")
    command = "import sys; from genrecall.cli.app import main; main(sys.argv[1:])"
    arguments = ["run", str(tmp_path / "shop.yaml"), "--out", str(cut.folder), "--to", "align"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(cut.checkpoints.glob("*/eg_grpo_k2.safetensors")):
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    log = KeptLog()
    run(config, cut, log=log, last="align")
    assert any("eg_grpo_k2: resumes at step" in line for line in log.said)
    assert cut.open_stage("align").digest == whole.open_stage("align").digest


OPTIONS = {
    "two steps on the same groups": {"inner_steps": 2, "kl": "k3"},
    "clipped experts": {"inner_steps": 2, "expert_ratio": "gbpo", "baseline": "leave_one_out"},
    "distinct": {"distinct": True, "temperature": 1.5, "group_size": "enlarged"},
    "flat groups again": {"redraw_flat": True, "inject": "when_no_hit", "anchor": 0.0},
    "money": {"rewards": {"gmv": 0.5}},
    "a function": {"rewards": {"function": "own_scores:by_length"}},
    "a function that answers sometimes": {"rewards": {"function": "own_scores:of_some"}},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_trains_other_weights_than_the_defaults(supervised, tmp_path, option):
    digests = []
    for name, settings in {"plain": {}, "other": OPTIONS[option]}.items():
        outputs = Outputs(tmp_path / name)
        shutil.copytree(supervised.folder, outputs.folder)
        config = config_of(supervised.folder.parent, controls=[], steps=4, **settings)
        assert run(config, outputs, log=SilentLog(), last="align").ran == ("align",)
        digests.append(outputs.open_stage("align").digest)
    assert digests[0] != digests[1]


@pytest.fixture(scope="module")
def supervised(tmp_path_factory):
    """A run up to stage 3."""
    folder = tmp_path_factory.mktemp("supervised")
    outputs = Outputs(folder / "run")
    run(config_of(folder), outputs, log=SilentLog(), last="generator")
    return outputs


def test_small_parts_of_a_step_lead_a_language_model_to_the_same_place(tmp_path):
    """In a batch of another size products are rounded otherwise."""
    found = []
    for micro_tokens in (16_384, 128 * 3):
        lm = LM["lm"] | {"micro_tokens": micro_tokens}
        twice = {"steps": 2, "inner_steps": 2, "validate_every": 1}
        config = config_of(tmp_path, family="lm", lm=lm, controls=[], **twice)
        outputs = Outputs(tmp_path / f"{micro_tokens}")
        shutil.rmtree(outputs.folder, ignore_errors=True)
        log = KeptLog()
        run(config, outputs, log=log, last="align")
        steps = [figures for name, figures in log.events if name == "align"]
        found.append([{k: v for k, v in of.items() if k != "arm"} for of in steps])
    assert len(found[0]) == 2
    for whole, parts in zip(*found, strict=True):
        assert parts == pytest.approx(whole, rel=2e-3, abs=1e-5)


def test_adapters_are_aligned_and_merged(tmp_path, pretrained):
    lm = {"device": "cpu", "lora": {"rank": 4}, "pretrained": str(pretrained)}
    config = config_of(tmp_path, family="lm", lm=lm, controls=[], steps=4)
    outputs = Outputs(tmp_path / "run")
    run(config, outputs, log=SilentLog(), last="align")
    aligned = outputs.open_stage("align").part("aligned")
    stage_3 = outputs.open_stage("generator").part("user_query_to_sid")
    before, after = (load_file(part.file("model.safetensors")) for part in (stage_3, aligned))
    assert before.keys() == after.keys()
    (went,) = outputs.open_stage("align").read_json("align.json")
    same = all(torch.equal(before[name], after[name]) for name in before)
    assert same == (went["best_step"] == 0)


def test_a_new_setting_of_the_alignment_trains_nothing_before_it(tmp_path):
    outputs = Outputs(tmp_path / "run")
    run(config_of(tmp_path), outputs, log=SilentLog(), last="align")
    again = run(config_of(tmp_path, kl_weight=0.5), outputs, log=SilentLog(), last="align")
    assert again.ran == ("align",)


def test_it_is_handed_no_test_search(tmp_path):
    outputs = Outputs(tmp_path / "run")
    config = config_of(tmp_path)
    run(config, outputs, log=SilentLog(), last="generator")
    stage = next(stage for stage in STAGES if stage.name == ALIGN)
    inputs = StageInputs(
        stage.declared(config),
        config,
        {s.name: outputs.open_stage(s.name) for s in STAGES[:4]},
        log=SilentLog(),
    )
    assert set(inputs.data.searches.frame["split"]) == {"train", "validation"}


def test_processes_share_searches_evenly(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    config = config_of(tmp_path, family="lm").generator.align
    told = r"align\.searches is 8, and 3 processes cannot share .* Give a multiple of 3"
    with pytest.raises(ConfigError, match=told):
        align_stage.run(config, None, None, None, lm=None, history=None)


def test_money_needs_prices(tmp_path):
    config = config_of(tmp_path, rewards={"gmv": 1.0}, steps=1, controls=[])
    run(config, Outputs(tmp_path / "priced"), log=SilentLog(), last="align")
    rows = [row | {"price": None} for row in items()]
    write_jsonl(tmp_path / "items.jsonl", rows)
    with pytest.raises(ConfigError, match=r"gmv is 1, and no purchase .* has a price\. Map the"):
        run(config, Outputs(tmp_path / "run"), log=SilentLog(), last="align")


def test_clicks_alone_are_learned_from_without_impressions(tmp_path):
    config = config_of(tmp_path, learn_from="clicks", controls=[], steps=2)
    write_jsonl(tmp_path / "searches.jsonl", [row | {"impressions": None} for row in searches()])
    outputs = Outputs(tmp_path / "run")
    run(config, outputs, log=SilentLog())
    (went,) = outputs.open_stage("align").read_json("align.json")
    assert went["arm"] == "more_sft"
    metrics = json.loads(outputs.metrics.read_text("utf-8"))
    assert metrics["align"]["more_sft"]["clk@10"]["n"] > 0


def test_searches_without_a_reward_are_counted(tmp_path):
    rewards = {"function": "own_scores:of_some"}
    outputs, log = Outputs(tmp_path / "run"), KeptLog()
    config = config_of(tmp_path, rewards=rewards, controls=[], anchor=0.0)
    run(config, outputs, log=log, last="align")
    steps = [figures for name, figures in log.events if name == "align"]
    assert all(0 < figures["without_reward"] < 8 for figures in steps)


def test_money_of_equal_prices_is_money(tmp_path):
    config = config_of(tmp_path, rewards={"gmv": 1.0}, steps=1, controls=[])
    write_jsonl(tmp_path / "items.jsonl", [row | {"price": 5.0} for row in items()])
    run(config, Outputs(tmp_path / "run"), log=SilentLog(), last="align")


def test_a_log_without_impressions_is_not_aligned_and_says_so(tmp_path):
    config = config_of(tmp_path)
    write_jsonl(tmp_path / "searches.jsonl", [row | {"impressions": None} for row in searches()])
    log, outputs = KeptLog(), Outputs(tmp_path / "run")
    run(config, outputs, log=log)
    assert any("nothing is aligned: no train search tells what was shown" in s for s in log.said)
    assert open_bundle(outputs.bundle).trained[-1] == "user_query_to_sid"
    assert "align" not in json.loads(outputs.metrics.read_text("utf-8"))
