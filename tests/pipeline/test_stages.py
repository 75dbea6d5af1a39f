"""The pipeline is a list: one entry makes a stage; what it reads makes the hash of its inputs."""

import dataclasses
import json
import shutil

import pytest
import torch
from tiny_shop import SETTINGS, in_domain, write_shop

from genrecall.bundle import open_bundle, read_bundle
from genrecall.config import load_config
from genrecall.foundation.artifact import Artifact, open_artifact, writing
from genrecall.foundation.errors import ArtifactError, ConfigError
from genrecall.foundation.files import write_json
from genrecall.foundation.progress import SilentLog
from genrecall.funnel.config import FunnelConfig, FusionConfig
from genrecall.learning.processes import Launch
from genrecall.pipeline.evaluate import evaluate_bundle
from genrecall.pipeline.launch import take_part
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import STAGES, Stage
from genrecall.pipeline.walk import Walk

BY_NAME = {stage.name: stage for stage in STAGES}
SERVED = ("queries", "embed", "quantize", "generator", "align", "calibrate")
"""Stages that are served whole."""
PARTS = (
    "titles",
    "texts",
    "categories",
    "prices",
    "scores",
    "fields",
    "training",
    "unlabelled",
    "dated",
    "shoppers",
    "pages",
)


def _count(inputs, work):
    """A stage of a test: how often each training query was searched."""
    with writing(work.out, kind="counts", inputs=work.inputs) as folder:
        write_json(folder / "counts.json", dict.fromkeys(inputs.data.queries, 1))
        write_json(folder / "private.json", work.seed)
    return open_artifact(work.out, kind="counts")


COUNTS = Stage(
    "counts",
    settings=("funnel", "seed"),
    run=_count,
    reads=("data.training",),
    served=("counts.json",),
)
WITH_COUNTS = (*STAGES[:2], COUNTS, *STAGES[2:])


@pytest.fixture
def shop(tmp_path, shop_run):
    """The shop of `shop_run` with a copy of what its run has made."""
    embed = in_domain(width=32, dim=16, steps=80, batch=64)
    path = write_shop(tmp_path, settings={"embed": embed})
    shutil.copytree(shop_run.folder, tmp_path / "run")
    return load_config(path), Outputs(tmp_path / "run")


def test_one_entry_makes_a_stage(shop):
    config, outputs = shop
    result = run(config, outputs, log=SilentLog(), stages=WITH_COUNTS)
    assert result.ran == ("counts",)
    bundle = open_artifact(outputs.bundle, kind="bundle")
    assert sorted(bundle.parts) == sorted([*SERVED, "counts", "data"])
    assert list(bundle.part("counts").files) == ["counts.json"]
    assert "red cordless drill" in bundle.part("counts").read_json("counts.json")
    assert read_bundle(bundle).generative().recall("red cordless drill", k=3)

    def again(config, **options):
        return run(config, outputs, log=SilentLog(), stages=WITH_COUNTS, **options).ran

    assert again(config) == ()
    changed = config.model_copy(update={"funnel": FunnelConfig(fusion=FusionConfig(rrf_k=7))})
    assert again(changed, last="counts") == ("counts",)
    assert again(config, last="counts") == ("counts",)
    assert again(config, first="counts", last="counts") == ("counts",)
    with pytest.raises(
        ConfigError, match="unknown stage 'count'; known: align, calibrate, counts, data"
    ):
        again(config, first="count")


@dataclasses.dataclass
class Done:
    """Artifacts that stages have left, one digest each."""

    changed: str = ""

    def __getitem__(self, name):
        parts = {part: self._digest(f"{name}.{part}") for part in PARTS}
        files = {"file": self._digest(name)}
        return Artifact(None, kind=name, inputs="", meta={"parts": parts}, files=files)

    def _digest(self, name):
        return name + "!" * (name == self.changed)


@pytest.mark.parametrize(
    ("name", "settings", "reads"),
    [
        ("data", {}, set()),
        ("queries", {}, {"data.titles", "data.texts", "data.training"}),
        ("embed", {}, {"data.titles", "data.texts", "data.dated"}),
        ("embed", {"fields": []}, {"data.titles", "data.dated"}),
        ("quantize", {}, {"data.categories", "data.training", "embed"}),
        (
            "generator",
            {},
            {
                *("data.titles", "data.training", "data.unlabelled", "data.shoppers"),
                *("embed", "quantize"),
            },
        ),
        (
            "generator",
            {"user_query_to_sid": {"steps": 0}},
            {"data.titles", "data.training", "data.unlabelled", "embed", "quantize"},
        ),
        ("align", {}, set()),
        (
            "calibrate",
            {},
            {"data.titles", "data.scores", "data.pages"}
            | {"queries", "embed", "quantize", "generator", "align"},
        ),
        (
            "evaluate",
            {},
            {"data", "queries", "embed", "quantize", "generator", "align", "calibrate"},
        ),
    ],
)
def test_inputs_change_with_what_is_read_and_with_nothing_else(tmp_path, name, settings, reads):
    changes = {name: SETTINGS.get(name, {}) | settings} if settings else {}
    config = load_config(write_shop(tmp_path, settings=changes))
    stage = BY_NAME[name]
    content = stage.content(config)
    before = stage.hash_inputs(content, config, Done())
    possible = {*BY_NAME, *(f"data.{part}" for part in PARTS)}
    changing = {
        read
        for read in possible
        if stage.hash_inputs(content, config, Done(changed=read)) != before
    }
    assert changing == reads


def test_alignment_reads_what_was_shown(tmp_path):
    settings = {"generator": SETTINGS["generator"] | {"align": {"steps": 1}}}
    config, stage = load_config(write_shop(tmp_path, settings=settings)), BY_NAME["align"]
    reads = {"data.titles", "data.fields", "data.pages", "embed", "quantize", "generator"}
    assert set(stage.declared(config).reads) == reads
    assert BY_NAME["generator"].content(config) == BY_NAME["generator"].content(
        load_config(write_shop(tmp_path))
    ), "a new setting of the alignment trains no stage before it"


def test_a_stage_reads_only_stages_before_it():
    for number, stage in enumerate(STAGES):
        before = {earlier.name for earlier in STAGES[:number]}
        assert {read.partition(".")[0] for read in (*stage.reads, *stage.reads_if)} <= before


def test_who_keeps_sids_reads_which_items_there_are(tmp_path, shop_run):
    settings = {"quantize": SETTINGS["quantize"] | {"warm_start": str(shop_run.bundle)}}
    config = load_config(write_shop(tmp_path, settings=settings))
    stage = BY_NAME["quantize"]
    content = stage.content(config)
    hashes = {stage.hash_inputs(content, config, Done(changed)) for changed in ("", "data.titles")}
    assert len(hashes) == 2


@pytest.mark.parametrize("name", BY_NAME)
def test_the_seed_counts_where_chance_takes_part(tmp_path, name):
    config = load_config(write_shop(tmp_path))
    other = config.model_copy(update={"seed": 1})
    stage = BY_NAME[name]
    assert (stage.content(config) == stage.content(other)) == (
        name in ("data", "queries", "calibrate")
    )


def test_a_language_model_in_a_directory_counts_by_its_bytes(tmp_path, pretrained):
    copied = shutil.copytree(pretrained, tmp_path / "copied")

    def content(model):
        lm = SETTINGS["generator"] | {"family": "lm", "lm": {"pretrained": str(model)}}
        config = load_config(write_shop(tmp_path / "shop", settings={"generator": lm}))
        assert config.portable()["generator"]["lm"]["pretrained"] == model.name
        return BY_NAME["generator"].content(config)

    before = content(copied)
    assert "model.safetensors" in before["generator"]["lm"]["pretrained"]
    assert content(copied.rename(tmp_path / "moved")) == before
    weights = tmp_path / "moved/model.safetensors"
    weights.write_bytes(weights.read_bytes()[::-1])
    assert content(tmp_path / "moved") != before


def test_a_bundle_holds_what_the_stages_serve(shop_run):
    served = {s.name: shop_run.open_stage(s.name) for s in STAGES if s.served}
    bundle = open_artifact(shop_run.bundle, kind="bundle")
    assert bundle.parts.keys() == served.keys() == {*SERVED, "data"}
    assert list(bundle.part("data").files) == ["items.parquet"]
    for name in {*SERVED} - {"generator"}:
        assert bundle.part(name).digest == served[name].digest
    held, made = bundle.part("generator").files, served["generator"].files
    assert held.items() < made.items()
    left_out = {file.partition("/")[0] for file in made.keys() - held.keys()}
    assert left_out == {"item_to_sid", "query_to_sid"}  # training stages before the last


def test_a_bundle_alone_is_measured_without_earlier_stages(shop_run, tmp_path):
    both = [Outputs(tmp_path / name) for name in ("whole", "alone")]
    for outputs, kept in zip(both, ("*", "data"), strict=True):
        shutil.copytree(shop_run.bundle, outputs.bundle)
        for stage in shop_run.stage("data").parent.glob(kept):
            shutil.copytree(stage, outputs.stage(stage.name))
    whole, alone = (evaluate_bundle(outputs.bundle, split="validation") for outputs in both)
    assert whole["hit@beam"].keys() - alone["hit@beam"].keys() == {"item_to_sid", "query_to_sid"}
    assert whole["channels"]["generative"] == alone["channels"]["generative"]


def test_a_teacher_is_looked_at_before_anything_runs(tmp_path):
    def config(teacher):
        distill = SETTINGS["generator"] | {"distill": {"teacher": str(teacher)}}
        return load_config(write_shop(tmp_path / "shop", settings={"generator": distill}))

    out = tmp_path / "run"
    with pytest.raises(ArtifactError, match="none is not a GenRecall bundle"):
        run(config(tmp_path / "none"), Outputs(out), log=SilentLog())
    with pytest.raises(ConfigError, match=r"distill\.teacher: this run replaces .*run/bundle"):
        run(config(out / "bundle"), Outputs(out), log=SilentLog())
    assert not (out / "stages").exists()


def test_another_process_takes_part_in_every_shared_stage(tmp_path):
    ran = []

    def stage(name, **options):
        def make(inputs, work):
            ran.append(name)
            with writing(work.out, kind=name, inputs=work.inputs) as folder:
                write_json(folder / "made.json", list(inputs.stages))
            return open_artifact(work.out, kind=name)

        return Stage(name, settings=("seed",), run=make, **options)

    stages = (stage("a"), stage("b", reads=("a",), shared=True), stage("c", shared=True))
    config, outputs = load_config(write_shop(tmp_path)), Outputs(tmp_path / "run")
    main = Walk(config, outputs, SilentLog())
    store = torch.distributed.HashStore()
    with Launch(store) as launch:
        for one in stages:
            main.make(one)
            if one.shared:
                launch.call(f"{one.name} {main.hash_inputs(one)}")
    assert ran == ["a", "b", "c"]
    take_part(Launch(store), stages, Walk(config, outputs, SilentLog()))
    assert ran == ["a", "b", "c", "b", "c"]


def test_the_artifact_says_at_which_temperature_it_serves(tmp_path, shop_run):
    parts = open_bundle(shop_run.bundle)
    facts = parts.stages["generator"].read_json("stages.json")
    assert facts["temperature"] == 0.05
    assert parts.generative().generator.look_ahead.temperature == 0.05
    copied = shutil.copytree(parts.stages["generator"].path, tmp_path / "generator")
    (copied / "stages.json").write_text(json.dumps(facts | {"temperature": 0.2}), "utf-8")
    stages = parts.stages | {
        "generator": dataclasses.replace(parts.stages["generator"], path=copied)
    }
    served = dataclasses.replace(parts, stages=stages).generative()
    assert served.generator.look_ahead.temperature == 0.2
