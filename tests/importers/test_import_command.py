"""From a publisher's files through `import`, `init` and `validate` on the command line."""

import json
import shlex
import subprocess
import sys

import pytest
from imported import as_csv, as_jsonl, as_literals, write

from genrecall.cli.app import main
from genrecall.config import load_config


@pytest.fixture
def genrecall(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder; returns its exit code, what it printed, and its errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return done.value.code or 0, printed.out, printed.err

    return call


def next_command(told):
    """Words of the command that was printed last."""
    last = told.splitlines()[-1]
    assert last.startswith("next: genrecall ")
    return shlex.split(last.removeprefix("next: genrecall "))


def write_homedepot(folder):
    pairs = [
        [
            str(n),
            str(100 + n % 40),
            f"Hand Saw No. {n % 40}",
            f"saw {n // 4}",
            "3" if n % 4 else "1",
        ]
        for n in range(160)
    ]
    header = ["id", "product_uid", "product_title", "search_term", "relevance"]
    write(folder / "train.csv", as_csv(header, *pairs, ["x", "", "Saw", "saw", "3"]))
    write(folder / "attributes.csv", as_csv(["product_uid", "name", "value"]))


def write_amazon(folder):
    meta = [
        {"asin": f"B{n}", "title": f"Soap {n}", "categories": [["Beauty", f"Kind {n % 5}", "Soap"]]}
        for n in range(40)
    ]
    reviews = [
        {"reviewerID": f"U{n % 20}", "asin": f"B{n % 40}", "unixReviewTime": 1000 + n}
        for n in range(160)
    ]
    write(folder / "meta_Beauty.json.gz", as_literals(*meta))
    write(folder / "reviews_Beauty_5.json.gz", as_jsonl(*reviews))


def write_beir(folder):
    corpus = [{"_id": f"d{n}", "title": f"Lamp {n}", "text": ""} for n in range(40)]
    write(folder / "corpus.jsonl", as_jsonl(*corpus))
    queries = [{"_id": f"q{n}", "text": f"lamp for {n}"} for n in range(40)]
    write(folder / "queries.jsonl", as_jsonl(*queries))
    qrels = "".join(f"q{n}\td{n}\t1\n" for n in range(40))
    write(folder / "qrels/test.tsv", f"query-id\tcorpus-id\tscore\n{qrels}")


@pytest.mark.parametrize(
    ("name", "write_source", "rows", "positive_from"),
    [
        ("homedepot", write_homedepot, {"items": 40, "judgments": 160}, 2.33),
        ("amazon", write_amazon, {"items": 40, "searches": 160, "users": 20}, 1.0),
        ("beir", write_beir, {"items": 40, "judgments": 40}, 1.0),
    ],
)
def test_import_init_validate(name, write_source, rows, positive_from, genrecall, tmp_path):
    write_source(tmp_path / "source")
    code, told, _ = genrecall("import", name, "source", "--out", "my shop", "--json", "done.json")
    assert code == 0
    for table, count in rows.items():
        assert f"  {table}: {count} rows" in told.splitlines()
    assert told.splitlines()[-3:-1] == ["wrote my shop", "wrote done.json"]
    done = json.loads((tmp_path / "done.json").read_text("utf-8"))
    assert done["rows"] == rows
    assert all(f"note: {note}" in told for note in done["notes"])

    code, told, _ = genrecall(*next_command(told))
    assert code == 0
    assert "note:" not in told  # every column was found
    assert load_config(tmp_path / "genrecall.yaml").data.positive_from == positive_from

    code, told, _ = genrecall(*next_command(told))
    assert code == 0
    for table, count in rows.items():
        assert f"  {table}: {count} of {count} rows" in told.splitlines()
    assert "not in the catalog" not in told


def test_rejects_and_notes_are_told(genrecall, tmp_path):
    write_homedepot(tmp_path / "source")
    _, told, _ = genrecall("import", "homedepot", "source", "--out", "shop")
    lines = told.splitlines()
    assert "  train.csv: 1 rows rejected: product_uid is missing (1)" in lines
    assert "note: test.csv is not there: its products are missing from the catalog" in lines
    rejects = (tmp_path / "shop/rejects/train.jsonl").read_text("utf-8")
    assert json.loads(rejects)["line"] == 162


def test_an_interrupted_import_leaves_nothing_and_says_so(tmp_path):
    write_homedepot(tmp_path / "source")
    code = (
        "import os, signal, sys\n"
        "from genrecall.cli.app import main\n"
        "from genrecall.importers import homedepot\n"
        "def read(source, tables):\n"
        "    homedepot_files(source, tables)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "homedepot_files, homedepot.import_files = homedepot.import_files, read\n"
        "main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "import", "homedepot", "source", "--out", "shop"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.strip().endswith(
        "interrupted: nothing was written. The same command starts over."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_without_a_source_it_says_what_it_expects(genrecall):
    code, told, _ = genrecall("import", "esci")
    assert code == 0
    assert "shopping_queries_dataset_products.parquet" in told
    assert "--option locale=us: " in told
    assert told.endswith("genrecall import esci SRC --out DIR\n")
    code, told, _ = genrecall("import", "--help")
    assert "\n    homedepot " in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wands", "x", "--out", "y"], "unknown importer 'wands'; known: amazon, beir, esci, home"),
        (["beir", "nowhere", "--out", "y"], "nowhere does not exist. Expected:\n  one unzipped"),
        (["beir", "source"], "--out is missing: give the folder to write, such as --out beir."),
        (
            ["esci", "source", "--out", "y", "--option", "locale"],
            "--option 'locale' has no value: write it as KEY=VALUE.",
        ),
        (
            ["esci", "source", "--out", "y", "--option", "locale=de"],
            "unknown value of option locale 'de'; known: es, jp, us.",
        ),
    ],
)
def test_wrong_usage_is_one_message(arguments, message, genrecall):
    code, told, error = genrecall("import", *arguments)
    assert (code, told) == (1, "")
    assert error.startswith(f"error: {message}")
