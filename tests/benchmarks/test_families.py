import json
import shutil

import pytest
import torch
from tiny_shop import SETTINGS, write_shop

from benchmarks.families.__main__ import main
from benchmarks.families.cells import CELLS, compact, language_model
from benchmarks.families.pace import COUNTED, WARM_UP, Stage, calibrated, plan_longer, trained
from genrecall.config import load_config
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import MEASURED, FileLog, Progress, SilentLog
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.lm.config import BY_SIZE, SHAPES
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run

NAMES = [cell.name for cell in CELLS]


def words(path, *more):
    fixed = ["--minutes", "0.01", "--threads", "1", "--batch", "8", "--searches", "15"]
    return [str(path), *fixed, "--out", str(path.parent / "out"), *more]


def cell(folder, name):
    (found,) = (folder / "out" / "shop" / "seed-0").glob(f"{name}-*")
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder where all cells of a small shop are finished; to be read."""
    folder = tmp_path_factory.mktemp("families")
    # Known queries, so popularity says some; and stage 3 ends long before its steps do.
    stage_3 = {"user_query_to_sid": {"steps": 1000, "batch": 8}, "shopper_passes": 0.3}
    settings = {"generator": SETTINGS["generator"] | stage_3}
    path = write_shop(folder, data={"split": {"by": "time"}}, settings=settings)
    main(words(path, "--json", str(folder / "result.json")))
    return folder


@pytest.fixture(scope="module")
def result(shop):
    return json.loads((shop / "result.json").read_text("utf-8"))


def test_every_cell_stands_beside_the_baselines(result):
    table = result["configs"]["shop"]
    assert set(table["cells"]) == set(NAMES)
    assert set(table["figures"]) == {*NAMES, "bm25", "dense", "popularity"}
    assert set(table["paired"]) == {"lm - compact_equal", "student - compact"}
    assert table["searches"] == 15
    for measure, difference in table["paired"]["student - compact"].items():
        one, other = (table["figures"][name][measure]["value"] for name in ("student", "compact"))
        assert difference["value"] == pytest.approx(one - other)
    lm = table["cells"]["lm"]
    assert lm["parameters"] > SHAPES["nano"].width * 512
    assert lm["tokens_per_second"] > lm["examples_per_second"]
    assert lm["utilization"] > 0
    assert lm["peak"].endswith("CPU threads)")
    assert table["cells"]["compact"]["utilization"] is None


def test_cells_of_equal_time_train_as_long_as_planned(shop, result):
    """Only roughly: it is half a second, on a machine that does other things."""
    cells = result["configs"]["shop"]["cells"]
    for name in ("lm", "compact_equal"):
        plan = json.loads((cell(shop, name) / "plan.json").read_text("utf-8"))
        steps = {stage: done["steps"] for stage, done in cells[name]["stages"].items()}
        assert steps.pop("user_query_to_sid") <= plan.pop("user_query_to_sid")
        assert plan == steps
        assert all(number >= 1 for number in steps.values())
    assert not (cell(shop, "lm") / "calibration").exists()
    # Other cells train for the config's own steps.
    for name in ("compact", "student"):
        steps = [done["steps"] for done in cells[name]["stages"].values()]
        assert steps[:2] == [4, 8]
        assert 1 < steps[2] < 40


def test_stage_3_ends_however_long_the_time(shop, result):
    """It gets the share of the time for what it reads, not for what it might."""
    cells = result["configs"]["shop"]["cells"]
    done = {name: cells[name]["stages"] for name in cells}
    end = done["compact"]["user_query_to_sid"]["steps"]
    for name in ("lm", "compact_equal"):
        assert done[name]["user_query_to_sid"]["steps"] <= end
    # By its thousand steps it would take thirty times the prompts of stage 2.
    plan = json.loads((cell(shop, "lm") / "plan.json").read_text("utf-8"))
    assert plan["user_query_to_sid"] < plan["query_to_sid"]


def test_finished_cells_are_read(shop, result, capsys):
    main(words(shop / "shop.yaml", "--markdown", str(shop / "table.md")))
    captured = capsys.readouterr()
    assert "to_sid" not in captured.err  # nothing was trained
    page = (shop / "table.md").read_text("utf-8")
    lm = result["configs"]["shop"]["cells"]["lm"]
    for text in ("batch of lm 8", "minutes 0.01", "items each", *NAMES, "student - compact"):
        assert text in captured.out
        assert text in page
    assert f"| lm | {lm['parameters'] / 1e6:.3g} M |" in page
    assert max(map(len, captured.out.split("compact: ")[0].splitlines()[2:])) <= 180


def test_a_cell_of_other_settings_is_not_read(shop, capsys):
    main(words(shop / "shop.yaml", "--cells", "compact", "--searches", "10"))
    assert "query_to_sid" in capsys.readouterr().err
    folders = list((shop / "out" / "shop" / "seed-0").glob("compact-*"))
    assert len(folders) == 2
    (other,) = (
        f for f in folders if len(json.loads((f / "result.json").read_text())["units"]) < 15
    )
    shutil.rmtree(other)


def test_an_interrupted_cell_goes_on_with_its_plan(shop, capsys):
    folder = cell(shop, "lm")
    before = json.loads((folder / "plan.json").read_text("utf-8"))
    weights = open_artifact(folder / "stages" / "generator", kind="generator").digest
    shutil.rmtree(folder / "stages")
    (folder / "result.json").unlink()
    main(words(shop / "shop.yaml", "--cells", "lm"))
    capsys.readouterr()
    assert json.loads((folder / "plan.json").read_text("utf-8")) == before
    assert open_artifact(folder / "stages" / "generator", kind="generator").digest == weights


def test_figures_are_those_of_a_run(shop, result, tmp_path):
    """What `compact` says is what the pipeline says of the same config and searches."""
    config = load_config(shop / "shop.yaml")
    evaluate = config.evaluate.model_copy(update={"searches": 15})
    outputs = Outputs(tmp_path / "run")
    metrics = run(
        config.model_copy(update={"evaluate": evaluate}), outputs, log=SilentLog()
    ).metrics
    figures = result["configs"]["shop"]["figures"]
    assert metrics is not None
    for measure in ("recall@10", "recall@100"):
        for ours, theirs in (("compact", "generative"), ("dense", "dense")):
            found = figures[ours][measure]
            expected = metrics["channels"][theirs][measure]
            assert found["value"] == pytest.approx(expected["value"])
            assert found["ci"] == pytest.approx(expected["ci"])
    served = metrics["hit@beam"]["user_query_to_sid"]
    assert figures["compact"]["hit@10"]["value"] == pytest.approx(served["10"]["value"])


def test_speeds_are_read_from_a_log(tmp_path):
    """The first steps of a calibration and earlier reports of a training do not count."""
    generator = GeneratorConfig(item_to_sid={"steps": 0}, query_to_sid={"steps": 40, "batch": 10})
    path = tmp_path / "log.jsonl"
    log = FileLog(path)
    for step in range(1, WARM_UP + COUNTED + 1):
        log.event(MEASURED, stage="query_to_sid", done=10 * step, total=400)
    log.event("progress", stage="query_to_sid", done=100, total=400, per_second=10.0)
    log.event("progress", stage="query_to_sid", done=400, total=400, per_second=100.0)
    log.event("progress", stage="query_to_sid", done=0, total=0, per_second=0.0)
    log.event(
        "utilization",
        stage="query_to_sid",
        tokens_per_second=900.0,
        flop_utilization=0.25,
        peak_flops=2e12,
        peak_source="data sheet",
    )
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for step, event in enumerate(lines[: WARM_UP + COUNTED]):
        event["time"] = 100.0 * min(step + 1, WARM_UP) + 0.5 * max(step + 1 - WARM_UP, 0)
    path.write_text("".join(json.dumps(event) + "\n" for event in lines), "utf-8")
    assert calibrated(path) == {"query_to_sid": pytest.approx(20.0)}
    assert trained(path, generator) == {
        "query_to_sid": Stage(40, 10, 4.0, 100.0, 900.0, 0.25, "2 TFLOP/s (data sheet)")
    }


def test_a_progress_of_few_steps_tells_each(tmp_path):
    """What a calibration relies on."""
    progress = Progress(FileLog(tmp_path / "log.jsonl"), "query_to_sid", total=40 * 7)
    for _ in range(WARM_UP + COUNTED):
        progress.update(7, loss=1.0)
    assert len((tmp_path / "log.jsonl").read_text("utf-8").splitlines()) == WARM_UP + COUNTED


def test_longer_training_scales_all_stages():
    stages = {"a": Stage(100, 8, 10.0, 80.0), "b": Stage(300, 8, 20.0, 120.0)}
    assert plan_longer(60.0, stages) == {"a": 200, "b": 600}
    assert plan_longer(1e-3, stages) == {"a": 1, "b": 1}


@pytest.mark.parametrize("size", SHAPES)
def test_a_language_model_is_trained_by_its_size(size):
    generator = GeneratorConfig(user_query_to_sid={"steps": 10})
    trained = language_model(generator, size, "cpu", BY_SIZE[size])
    assert GeneratorConfig.model_validate(trained.model_dump()) == trained
    assert (trained.family, trained.lm.size) == ("lm", size)
    assert trained.query_to_sid.batch == BY_SIZE[size].batch
    assert trained.user_query_to_sid.steps == 10


def test_a_compact_model_is_trained_as_one_whatever_the_config_is_for():
    given = {"query_to_sid": {"steps": 5, "batch": 33}}
    changed = compact(GeneratorConfig(family="lm", **given))
    assert changed == GeneratorConfig(family="compact", **given)


def test_unusable_arguments_are_refused(tmp_path):
    path = write_shop(tmp_path)
    with pytest.raises(ConfigError, match=r"cell 'lmm'.*Did you mean 'lm'"):
        main(words(path, "--cells", "lmm"))
    with pytest.raises(ConfigError, match="two configs are named 'shop'"):
        main([str(path), *words(path)])
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch finds no GPU here"):
            main(words(path, "--device", "cuda"))
    assert not (tmp_path / "out").exists()
