"""A stage can take what its entry declares and nothing else, so no artifact is stale in silence."""

import dataclasses

import pytest
from tiny_shop import SETTINGS, write_shop

from genrecall.config import load_config
from genrecall.foundation.artifact import open_artifact, writing
from genrecall.foundation.files import write_json
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.inputs import UndeclaredReadError
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.stages import STAGES, Stage
from genrecall.pipeline.walk import Walk

ENTRIES = [
    *(
        (stage, "reads", read)
        for stage in STAGES
        for read in (*stage.reads, *stage.reads_if)
        if read != "data.fields"  # of which a log without filters needs nothing
    ),
    *((stage, "settings", name) for stage in STAGES for name in stage.settings if name != "seed"),
]


@pytest.fixture
def make(tmp_path, shop_run):
    """Makes a stage from what those of `shop_run` have left; gives the artifact."""

    def make(stage):
        settings = {}
        if stage.name == "quantize":
            settings = {"quantize": SETTINGS["quantize"] | {"warm_start": str(shop_run.bundle)}}
        if stage.name == "align":
            settings = {
                "generator": SETTINGS["generator"]
                | {"align": {"steps": 1, "rewards": {"gmv": 1.0}}}
            }
        config = load_config(write_shop(tmp_path / "shop", settings=settings))
        walk = Walk(config, Outputs(tmp_path / "run"), SilentLog())
        walk.artifacts |= {one.name: shop_run.open_stage(one.name) for one in STAGES}
        walk.make(stage)
        return walk.artifacts[stage.name]

    return make


def taking(take, **options):
    """A stage that takes something and writes it down."""

    def run(inputs, work):
        with writing(work.out, kind="taking", inputs=work.inputs) as folder:
            write_json(folder / "taken.json", take(inputs, work))
        return open_artifact(work.out, kind="taking")

    return Stage("taking", run=run, **({"settings": ("seed",)} | options))


@pytest.mark.parametrize(
    ("stage", "field", "name"),
    ENTRIES,
    ids=[f"{stage.name} {field} {name}" for stage, field, name in ENTRIES],
)
def test_every_entry_is_needed(make, stage, field, name):
    """No stage of the pipeline works without something that its entry declares."""
    less = {field: tuple(other for other in getattr(stage, field) if other != name)}
    if field == "reads":
        less["reads_if"] = {read: asks for read, asks in stage.reads_if.items() if read != name}
    told = f"'({name}|{name.partition('.')[0]})'" if field == "settings" else f"'{name}'"
    with pytest.raises(UndeclaredReadError, match=rf"^stage '{stage.name}' takes .*{told}"):
        make(dataclasses.replace(stage, **less))


@pytest.mark.parametrize(
    ("take", "reads", "told"),
    [
        (lambda i, _: i.config.embed.dim, (), "setting 'embed', .*: its settings are seed. Add"),
        (lambda i, _: i.stage("quantize").digest, ("embed",), "'quantize', .* reads are embed. A"),
        (lambda i, _: len(i.embedded().item_vectors), ("quantize",), "'embed', "),
        (lambda i, _: len(i.table().packed), (), "'quantize', .* reads are none"),
        (lambda i, _: i.data.queries, ("embed",), "'data', "),
        (lambda i, _: i.data.catalog.titles, ("data.training",), r"'data.titles' \(column 'title'"),
        (lambda i, _: i.stage("data").digest, ("data.titles",), "'data', "),
        (
            lambda i, _: i.data.users["user_id"].to_list(),
            ("data.training",),
            r"'data\.dated' or 'data\.pages' or 'data\.shoppers' \(column 'user_id'\), .* are data",
        ),
    ],
)
def test_what_is_not_declared_is_refused(make, take, reads, told):
    with pytest.raises(UndeclaredReadError, match=f"^stage 'taking' takes {told}"):
        make(taking(take, reads=reads))


def test_what_is_declared_is_there(make):
    def take(inputs, work):
        splits = set(inputs.data.searches.frame["split"])
        return [inputs.data.catalog.titles[0], sorted(splits), inputs.config.seed, work.seed]

    taken = make(taking(take, reads=("data.titles", "data.training")))
    assert taken.read_json("taken.json") == ["Acme cordless drill red M0", ["train"], 0, 0]


def test_a_part_that_a_stage_is_made_without_is_found_as_by_default(tmp_path):
    align = {"align": {"steps": 5, "kl_weight": 0.7}}
    config = load_config(write_shop(tmp_path, settings={"generator": align}))
    walk = Walk(config, Outputs(tmp_path / "run"), SilentLog())

    def take(inputs, _):
        generator = inputs.config.generator
        return [generator.align.steps, generator.align.kl_weight, generator.pseudo_queries]

    taken = []
    for without in ((), ("generator.align",)):
        stage = taking(take, settings=("generator",), without=without)
        walk.make(stage)
        taken.append(walk.artifacts["taking"].read_json("taken.json"))
    assert taken == [[5, 0.7, 200_000], [0, 0.1, 200_000]]


def test_the_seed_reaches_only_who_declares_it(tmp_path):
    def seed(**options):
        config = load_config(write_shop(tmp_path)).model_copy(update={"seed": 7})
        walk = Walk(config, Outputs(tmp_path / "run"), SilentLog())
        walk.make(taking(lambda _, work: work.seed, **options))
        return walk.artifacts["taking"].read_json("taken.json")

    assert (seed(), seed(settings=("embed",))) == (7, 0)


def test_a_column_that_no_part_has_stays_an_error_of_its_own(make):
    stage = taking(lambda i, _: i.data.catalog.frame["weight"], reads=("data.titles",))
    with pytest.raises(Exception, match='"weight" not found'):
        make(stage)
