"""The commands and what they print."""

import json

import pytest
from command import main_code, python, read_json
from tiny_shop import items, write_jsonl, write_shop

from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.stages import STAGES


@pytest.mark.parametrize(
    "code",
    [
        "import genrecall",
        "from genrecall.cli.app import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from genrecall.cli.app import main\ntry: main(['run', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_import_and_help_are_light(code):
    heavy = "{'torch', 'polars', 'faiss', 'bm25s', 'numpy', 'tokenizers'}"
    done = python(f"{code}\nimport sys\nassert not {heavy} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


NOT_FOR_RECALL = (
    *("torch", "bm25s", "faiss", "scipy", "sklearn", "joblib", "rapidfuzz", "yaml"),
    *("rich", "jinja2", "plotly", "ir_measures", "transformers", "onnxruntime"),
    *("genrecall.config", "genrecall.data.config", "genrecall.data.splits"),
    *("genrecall.data.validate", "genrecall.data.filters.items", "genrecall.index.adding"),
    *("genrecall.embed.config", "genrecall.embed.pretrained"),
    *("genrecall.evaluate.trec", "genrecall.queries.near_words"),
    *("genrecall.pipeline.run", "genrecall.supervised.compact"),
)
"""Each would make whoever asks for one answer wait."""


@pytest.mark.parametrize(
    ("options", "more"),
    [([], ["numpy.ma"]), (["--explain"], [])],  # polars asks numpy.ma about rows that it is given
    ids=["plain", "explained"],
)
def test_recall_waits_for_nothing_that_an_answer_does_not_need(bundle, options, more):
    call = ["recall", str(bundle), "drill", *options]
    done = python(
        f"from genrecall.cli.app import main\ntry: main({call})\nexcept SystemExit: pass\n"
        "import sys\nassert 'genrecall.bundle' in sys.modules\n"
        f"waited = { ({*NOT_FOR_RECALL, *more})!r} & set(sys.modules)\nassert not waited, waited"
    )
    assert done.returncode == 0, done.stderr


def test_the_help_of_run_names_the_stages_in_order(genrecall):
    *others, last = [stage.name for stage in STAGES]
    told = " ".join(genrecall("run", "--help").split())
    assert f"The stages are {', '.join(others)} and {last}." in told


def test_wrong_usage_is_refused(capsys):
    assert main_code(["recal"]) == 2
    assert "No such command 'recal'" in capsys.readouterr().err
    assert main_code(["demo", "--items", "3"]) == 2


# From a shop's files to an answer


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"queries": {"synonyms": "nope.txt"}}, "nope.txt does not exist"),
        (
            {"embed": {"views": ["in_domain", "pretrained"], "pretrained": {"model": "./nope"}}},
            "embed.pretrained.model: './nope' is no directory",
        ),
    ],
)
def test_validate_looks_at_all_that_a_run_needs(tmp_path, capsys, settings, told):
    path = write_shop(tmp_path, settings=settings)
    assert main_code(["validate", str(path)]) == 1
    said = capsys.readouterr()
    assert told in said.err
    assert "next:" not in said.out


def test_init_validate_run_recall(tmp_path, genrecall, monkeypatch):
    write_shop(tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    told = genrecall(
        "init",
        "--items",
        "shop/items.jsonl",
        "--searches",
        "shop/searches.jsonl",
        "--out",
        "c.yaml",
        "--json",
        "init.json",
    )
    assert told.splitlines() == [
        "wrote c.yaml",
        "wrote init.json",
        "next: genrecall validate c.yaml",
    ]
    assert read_json(tmp_path / "init.json")["missing"] == {"items": [], "searches": []}
    told = genrecall("validate", "c.yaml", "--json", "summary.json")
    assert "items: 120 of 120 rows" in told
    assert told.endswith("next: genrecall run c.yaml\n")
    assert (
        json.loads((tmp_path / "summary.json").read_text("utf-8"))["tables"]["items"]["kept"] == 120
    )
    told = genrecall("run", "c.yaml", "--to", "data", "--json", "ran.json")
    assert "wrote runs/c/stages" in told
    assert told.endswith("next: genrecall run c.yaml\n")
    assert read_json(tmp_path / "ran.json") == {
        "ran": ["data"],
        "metrics": None,
    }


def test_run_prints_the_report_and_what_it_wrote(finished, genrecall):
    told = genrecall("run", finished / "shop.yaml", "--out", finished / "run")
    assert "Validation split: 20 searches" in told
    for name in ("bundle", "metrics.json", "log.jsonl"):
        assert f"wrote {finished / 'run' / name}" in told
    assert f"next: genrecall recall {finished / 'run/bundle'} 'a query' -k 10 --explain" in told


def test_run_names_the_rejects(tmp_path, genrecall, capsys):
    config = write_shop(tmp_path)
    write_jsonl(tmp_path / "items.jsonl", [*items(), {"item_id": "x"}])
    genrecall("run", config, "--out", tmp_path / "run", "--to", "data")
    code = main_code(["run", config, "--out", tmp_path / "run"])
    printed = capsys.readouterr()
    assert code == 0
    assert "wrote" in printed.out
    assert f"wrote {tmp_path / 'run/rejects'}" in printed.out
    (line,) = (tmp_path / "run/rejects/items.jsonl").read_text("utf-8").splitlines()
    assert "title" in line


def test_init_keeps_paths_right_from_another_folder(tmp_path, genrecall, monkeypatch):
    write_shop(tmp_path / "my shop")
    monkeypatch.chdir(tmp_path)
    genrecall("init", "--items", "my shop/items.jsonl", "--out", "configs/c.yaml")
    assert "items: 120 of 120 rows" in genrecall("validate", "configs/c.yaml")


def test_init_asks_for_columns_that_it_cannot_guess(tmp_path, genrecall, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "items.jsonl", [{"code": "a", "name": "Drill"}])
    assert genrecall("init", "--items", "items.jsonl").splitlines() == [
        "wrote genrecall.yaml",
        "note: no column of items looks like item_id; name it in genrecall.yaml, where ??? is",
        "next: genrecall validate genrecall.yaml",
    ]


def test_the_demo_waits_for_no_other_run(tmp_path, error):
    with Outputs(tmp_path).alone():
        assert "another run is writing" in error("demo", "--out", tmp_path, "--items", 300)
    assert not (tmp_path / "shop").exists()


def test_evaluate_prints_and_writes_the_figures(bundle, genrecall, tmp_path, capsys):
    told = genrecall("evaluate", bundle, "--json", tmp_path / "m.json")
    assert "Validation split" in told
    assert read_json(tmp_path / "m.json")["split"] == "validation"
    assert main_code(["evaluate", bundle, "--split", "test"]) == 0
    printed = capsys.readouterr()
    assert "this is the test split: tune nothing on what it says" in printed.err
    assert "Test split: " in printed.out
