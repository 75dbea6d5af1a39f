"""The commands and what they print."""

import json

import numpy as np
import pytest
from command import main_code, python, read_json
from tiny_shop import items, write_jsonl, write_shop

from genrecall.evaluate.trec import read_run
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


def test_recall_needs_neither_bm25_nor_training(bundle):
    call = f"['recall', {bundle!r}, 'drill', '--explain']"
    done = python(
        f"from genrecall.cli.app import main\ntry: main({call})\nexcept SystemExit: pass\n"
        "import sys\nassert 'torch' in sys.modules\n"
        "assert not {'bm25s', 'faiss', 'scipy', 'ir_measures', 'genrecall.config', "
        "'genrecall.pipeline.run', 'genrecall.supervised.compact'} & set(sys.modules)"
    )
    assert done.returncode == 0, done.stderr


def test_every_command_has_help(genrecall):
    for command in ("demo", "shop", "import", "init", "validate", "run", "evaluate", "recall"):
        assert command in genrecall("--help")
        assert "Usage" in genrecall(command, "--help")


def test_the_help_of_run_names_the_stages_in_order(genrecall):
    *others, last = [stage.name for stage in STAGES]
    told = " ".join(genrecall("run", "--help").split())
    assert f"The stages are {', '.join(others)} and {last}." in told


def test_wrong_usage_is_refused(capsys):
    assert main_code(["recal"]) == 2
    assert "No such command 'recal'" in capsys.readouterr().err
    assert main_code(["demo", "--items", "3"]) == 2


# From a shop's files to an answer


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


# Answers


def test_recall_prints_items(bundle, genrecall):
    told = genrecall("recall", bundle, "red cordless drill", "-k", 3)
    lines = told.splitlines()
    assert lines[0] == "items for 'red cordless drill':"
    assert lines[1].split() == ["rank", "score", "item_id", "SID", "title"]
    assert [line.split()[0] for line in lines[2:-1]] == ["1", "2", "3"]
    titles = {item["item_id"]: item["title"] for item in items()}
    for line in lines[2:-1]:
        assert line.endswith(titles[line.split()[2]])
    assert lines[-1] == f"next: genrecall recall {bundle} 'red cordless drill' -k 3 --explain"


def test_recall_explains(bundle, genrecall, tmp_path):
    told = genrecall("recall", bundle, "drill", "--explain", "--json", tmp_path / "a.json")
    assert told.startswith("SIDs generated for 'drill':")
    assert "Tools > Drills" in told
    assert "next:" not in told
    answer = read_json(tmp_path / "a.json")
    assert set(answer) == {"query", "items", "sids"}
    assert set(answer["items"][0]) == {"item_id", "title", "score", "rank", "sid"}
    logprobs = [sid["logprob"] for sid in answer["sids"]]
    assert np.all(np.diff(logprobs) <= 0)
    assert np.exp(logprobs).sum() <= 1.0001


def test_recall_without_explain_has_no_sids(bundle, genrecall, tmp_path):
    genrecall("recall", bundle, "drill", "--json", tmp_path / "a.json")
    assert "sids" not in read_json(tmp_path / "a.json")


def test_recall_filters(bundle, genrecall, tmp_path):
    filters = ["--filter", "price<=40", "--filter", "brand=Acme", "--filter", "brand=Bolt"]
    told = genrecall("recall", bundle, "drill", *filters, "--json", tmp_path / "a.json")
    assert told.endswith("--filter 'price<=40' --filter brand=Acme --filter brand=Bolt --explain\n")
    found = read_json(tmp_path / "a.json")["items"]
    by_id = {item["item_id"]: item for item in items()}
    assert found
    for hit in found:
        item = by_id[hit["item_id"]]
        assert item["price"] <= 40 and item["brand"] in ("Acme", "Bolt") and item["available"]
    told = genrecall("recall", bundle, "drill", "--filter", "price<1", "--explain")
    assert "no SID holds a live item" in told
    assert "no live item passes" in told


def test_brackets_in_a_query_are_text(bundle, genrecall):
    assert "items for '[red] drill':" in genrecall("recall", bundle, "[red] drill")


def test_recall_answers_a_file_of_queries(bundle, genrecall, tmp_path):
    queries = tmp_path / "queries.txt"
    queries.write_text("red cordless drill\nblue table lamp\n", "utf-8")
    run_file = tmp_path / "deep/answers.trec"
    told = genrecall("recall", bundle, "--queries", queries, "--run", run_file, "-k", 4)
    assert told == f"wrote {run_file}\n"
    answers = read_run(run_file)
    assert {search: len(found) for search, found in answers.items()} == {"1": 4, "2": 4}
    genrecall("recall", bundle, "red cordless drill", "-k", 4, "--json", tmp_path / "a.json")
    single = read_json(tmp_path / "a.json")["items"]
    assert list(answers["1"]) == [hit["item_id"] for hit in single]


def test_only_line_feeds_end_a_query_of_a_file(bundle, genrecall, tmp_path):
    queries = tmp_path / "queries.txt"
    lines = ["\ufeffred\u2028cordless drill", "blue\x0ctable\x85lamp", "red\x1cdrill"]
    queries.write_bytes("\r\n".join(lines).encode())
    genrecall("recall", bundle, "--queries", queries, "--run", tmp_path / "a.trec", "-k", 4)
    answers = read_run(tmp_path / "a.trec")
    assert list(answers) == ["1", "2", "3"]
    for search, query in {"1": "red cordless drill", "2": "blue table lamp"}.items():
        genrecall("recall", bundle, query, "-k", 4, "--json", tmp_path / "a.json")
        single = read_json(tmp_path / "a.json")["items"]
        assert list(answers[search]) == [hit["item_id"] for hit in single]


def test_evaluate_prints_and_writes_the_figures(bundle, genrecall, tmp_path, capsys):
    told = genrecall("evaluate", bundle, "--json", tmp_path / "m.json")
    assert "Validation split" in told
    assert read_json(tmp_path / "m.json")["split"] == "validation"
    assert main_code(["evaluate", bundle, "--split", "test"]) == 0
    printed = capsys.readouterr()
    assert "this is the test split: tune nothing on what it says" in printed.err
    assert "Test split: " in printed.out


# Errors: one message, exit code 1


def test_recall_refuses_what_it_cannot_answer(bundle, error, tmp_path):
    assert "the query '  ' of request 0 is empty" in error("recall", bundle, "  ")
    assert "k=0 asks for no item" in error("recall", bundle, "drill", "-k", 0)
    assert "unknown filter field 'pric'" in error("recall", bundle, "drill", "--filter", "pric<5")
    assert "'price' is not a filter" in error("recall", bundle, "drill", "--filter", "price")
    assert "give either a query or --queries" in error("recall", bundle)
    assert "belong together" in error("recall", bundle, "--queries", "q.txt")
    assert "go with a single query" in error(
        "recall", bundle, "--queries", "q.txt", "--run", "r", "--explain"
    )
    missing = tmp_path / "none.txt"
    assert "none.txt cannot be read" in error(
        "recall", bundle, "--queries", missing, "--run", tmp_path / "r"
    )
    missing.write_text("drill\n\nlamp\n", "utf-8")
    assert "line 2 is empty" in error(
        "recall", bundle, "--queries", missing, "--run", tmp_path / "r"
    )
