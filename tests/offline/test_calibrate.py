"""The stage that fits weights: they are files of the bundle, serve from it, and flatter nobody."""

import dataclasses
import json
import shutil
from functools import partial

import numpy as np
import polars as pl
import pytest
from tiny_shop import LM, SETTINGS, write_shop
from trained import open_whole

import genrecall
from genrecall.channels.base import Request
from genrecall.config import load_config
from genrecall.data.load import load_shop
from genrecall.data.splits import fold_of_query
from genrecall.evaluate.config import EvaluateConfig
from genrecall.foundation.progress import Progress, SilentLog, TerminalLog
from genrecall.funnel.config import FusionConfig
from genrecall.generator.compact.weights import BOTH, HEADS, LOOK_AHEAD, WAYS, LevelWeights
from genrecall.generator.load import load_weights
from genrecall.offline import folds
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.generated import GeneratedAnswers
from genrecall.offline.measure import Plan, evaluate
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run

ASKED = [
    Request(f"{color} {kind}") for color in ("red", "blue") for kind in ("saw", "lamp", "shoe")
]


@pytest.fixture(scope="module")
def bundle(shop_run):
    return open_whole(shop_run)


def test_every_trained_generator_has_weights_of_its_own(bundle):
    fitted = bundle.weights
    assert list(fitted) == ["item_to_sid", "query_to_sid", "user_query_to_sid"]
    assert all(tuple(ways) == WAYS for ways in fitted.values())
    assert all(len(of_way.folds) == 5 for ways in fitted.values() for of_way in ways.values())
    assert fitted["query_to_sid"][BOTH].served != LevelWeights.usual(head_weight=0.3)


def test_what_was_fitted_serves(bundle, shop_run):
    """From the files of the bundle, for library users as well."""
    served = bundle.weights["user_query_to_sid"][BOTH].served
    assert genrecall.load(shop_run.bundle).generator.serving.weights == served
    for stage, ways in bundle.weights.items():
        assert bundle.generative(stage).generator.serving.weights == ways[BOTH].served
    metrics = json.loads(shop_run.metrics.read_text("utf-8"))
    assert metrics["level_weights"]["user_query_to_sid"] == served.to_json()


def test_a_bundle_of_a_version_that_fitted_none_serves_as_it_did(bundle):
    stages = {name: stage for name, stage in bundle.stages.items() if name != "calibrate"}
    older = dataclasses.replace(bundle, stages=stages)
    assert older.weights == {}
    weights = older.generative().generator.serving.weights
    assert weights == LevelWeights((0.3,) * 3, (1.0,) * 3)
    assert len(older.of_folds()) == 1


def test_added_items_are_served_with_the_same_weights(bundle):
    row = bundle.items.catalog.frame.head(1).with_columns(item_id=pl.lit("new"))
    grown = bundle.with_items(row)
    assert grown.generative().generator.serving == bundle.generative().generator.serving


def test_a_request_is_answered_by_the_fold_of_its_query(bundle):
    channels = bundle.of_folds()
    folded = FoldedChannel(channels)
    for request, ranking, beams in zip(
        ASKED, folded.rank(ASKED, 20), folded.generate(ASKED, 7), strict=True
    ):
        channel = channels[fold_of_query(request.query, 5)]
        (alone,) = channel.rank([request], 20)
        np.testing.assert_array_equal(ranking.rows, alone.rows)
        np.testing.assert_allclose(
            beams.logprob, channel.generate([request], 7).logprob[0], atol=1e-3
        )


def test_it_is_told_how_far_many_requests_are(bundle, monkeypatch, capsys):
    monkeypatch.setattr(folds, "_AT_ONCE", 2)
    monkeypatch.setattr(folds, "Progress", partial(Progress, every=0.0))
    FoldedChannel(bundle.of_folds(), log=TerminalLog(), what="stage").rank(ASKED, 5)
    told = [
        line.split(" requests/s")[0].split()[:3] for line in capsys.readouterr().err.splitlines()
    ]
    assert len(told) > 3
    assert told[-1] == ["stage,", "items:", "100%"]


def test_controls_say_what_their_channels_say_from_the_same_reading(bundle):
    controls = {way: FoldedChannel(bundle.of_folds(way=way)) for way in (HEADS, LOOK_AHEAD)}
    generated = GeneratedAnswers(FoldedChannel(bundle.of_folds()), 20, {7: ASKED}, controls)
    for way, control in controls.items():
        said = generated.controls[way]
        for ranking, alone in zip(said.rank(ASKED, 20), control.rank(ASKED, 20), strict=True):
            np.testing.assert_array_equal(ranking.rows, alone.rows)
        np.testing.assert_array_equal(
            said.generate(ASKED, 7).leaves, control.generate(ASKED, 7).leaves
        )


def measured(bundle, shop_run, split, weights):
    plan = Plan(EvaluateConfig(latency_searches=0, beam=10), FusionConfig(), weights)
    return evaluate(
        bundle,
        load_shop(shop_run.open_stage("data")),
        split=split,
        plan=plan,
        health={},
        log=SilentLog(),
    )


def with_weights(bundle, folder, change):
    """The bundle with other fitted weights, `change`d in JSON."""
    copied = shutil.copytree(bundle.stages["calibrate"].path, folder)
    fitted = json.loads((copied / "weights.json").read_text("utf-8"))
    for ways in fitted.values():
        for of_way in ways.values():
            change(of_way)
    (copied / "weights.json").write_text(json.dumps(fitted), "utf-8")
    stage = dataclasses.replace(bundle.stages["calibrate"], path=copied)
    return dataclasses.replace(bundle, stages={**bundle.stages, "calibrate": stage})


def test_validation_figures_are_cross_fitted_and_those_of_the_test_split_are_served(
    bundle, shop_run, tmp_path
):
    """Served weights have no part in the former, those of the folds none in the latter."""

    def spoil(weights):
        weights["heads"], weights["look_ahead"] = [0.0] * 3, [0.0] * 3

    def spoil_served(fitted):
        spoil(fitted["served"])

    def spoil_folds(fitted):
        for fold in fitted["folds"]:
            spoil(fold)

    fusions = {"bm25+dense": {"bm25": 0.5, "dense": 0.5}}
    for split, weights, without_effect, with_effect in (
        ("validation", None, spoil_served, spoil_folds),
        ("test", fusions, spoil_folds, spoil_served),
    ):
        found = {}
        for name, change in (("none", without_effect), ("some", with_effect)):
            changed = with_weights(bundle, tmp_path / f"{split}-{name}", change)
            found[name] = measured(changed, shop_run, split, weights)
        before = measured(bundle, shop_run, split, weights)
        assert found["none"].metrics["hit@beam"] == before.metrics["hit@beam"], split
        for stage in (*bundle.trained, HEADS, LOOK_AHEAD):
            one, other = (m.evidence.inputs.beams[stage] for m in (before, found["some"]))
            assert not np.array_equal(one, other), (split, stage)


def test_figures_of_a_split_with_given_weights_leave_out_other_fusions(bundle, shop_run):
    fusions = {"bm25+dense": {"bm25": 0.5, "dense": 0.5}}
    channels = measured(bundle, shop_run, "test", fusions).metrics["channels"]
    assert "bm25+dense" in channels
    assert "bm25+dense+generative" not in channels


def test_weights_may_be_fixed(tmp_path):
    fixed = {"generative": {"head_weight": 0.7, "fit_weights": False}}
    outputs = Outputs(tmp_path / "run")
    config = load_config(write_shop(tmp_path, settings={"channels": fixed}))
    run(config, outputs, log=SilentLog(), last="calibrate")
    assert load_weights(outputs.open_stage("calibrate")) == {}
    run(config, outputs, log=SilentLog())
    weights = genrecall.load(outputs.bundle).generator.serving.weights
    assert weights == LevelWeights((0.7,) * 3, (1.0,) * 3)
    assert "level_weights" not in json.loads(outputs.metrics.read_text("utf-8"))


def test_a_language_model_has_no_parts_to_weigh(tmp_path):
    settings = {"generator": SETTINGS["generator"] | LM}
    outputs = Outputs(tmp_path / "run")
    run(load_config(write_shop(tmp_path, settings=settings)), outputs, log=SilentLog())
    assert load_weights(outputs.open_stage("calibrate")) == {}
    channels = json.loads(outputs.metrics.read_text("utf-8"))["channels"]
    assert "two_views" in channels
    assert not {HEADS, LOOK_AHEAD} & set(channels)
