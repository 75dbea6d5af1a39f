"""Every figure in README and docs is known to the script that renews it, and has its place."""

import importlib
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INTERVAL = re.compile(r"\[[+−-]?[\d.]+(?:–|, | )[+−-]?[\d.]+\]")
DATED = {"log.md"}
"""Pages whose figures are those of their day."""
WHOLE = {"alignment-tables.md", "cq-sid-tables.md"}
"""Pages that a benchmark writes, as they say at their beginning."""
WALKED = {"bring-your-own-data.md"}
"""Pages whose commands the tests run."""


@pytest.fixture(scope="module")
def scripts():
    """The modules of the script."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        yield importlib.import_module("renew_figures")
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture
def figures(scripts):
    return sys.modules[scripts.output_of.__module__]


def test_every_block_is_known_and_names_the_command_of_its_run(scripts):
    found = scripts.places()
    assert found.keys() == scripts.FIGURES.keys()
    for name, place in found.items():
        assert place.command == scripts.RUNS[scripts.FIGURES[name].run].commands[0], name
        assert re.search(r"\d", place.text), name


def test_no_table_of_figures_stands_outside_a_block(scripts):
    for document in scripts.DOCUMENTS:
        if document.name in DATED | WHOLE | WALKED:
            continue
        rest = scripts.BLOCK.sub("", document.read_text("utf-8"))
        fences = re.findall(r"^```\w*\n(.*?)^```$", rest, re.M | re.S)
        tables = re.findall(r"(?:^\|.*\n)+", rest, re.M)
        for text in (*fences, *tables):
            assert not INTERVAL.search(text), f"{document.name} shows figures in no block:\n{text}"


def test_pages_that_a_benchmark_writes_say_so():
    for name in WHOLE:
        assert "Written by `python -m benchmarks." in (ROOT / "docs" / name).read_text("utf-8")


def test_runs_are_made_by_commands_that_there_are(scripts):
    for run in scripts.RUNS.values():
        for command in run.commands:
            program, *words = shlex.split(command)
            if program == "python":
                assert words[0] == "-m"
                place = ROOT / words[1].replace(".", "/")
                assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()
            else:
                assert program == "genrecall"
            assert all((ROOT / word).is_file() for word in words if word.endswith(".yaml"))
    assert {figure.run for figure in scripts.FIGURES.values()} <= scripts.RUNS.keys()


def test_renewing_replaces_one_block_and_nothing_else(scripts, tmp_path):
    for name in scripts.FIGURES:
        document = scripts.places()[name].document
        copy = Path(shutil.copy(document, tmp_path / document.name))
        place = scripts.places([copy])[name]
        assert not scripts.renew(name, place.text, place)
        assert copy.read_bytes() == document.read_bytes()
        assert scripts.renew(name, "```\nnew\\1 $&\n```\n", place)
        renewed = scripts.places([copy])
        assert renewed.pop(name).text == "```\nnew\\1 $&\n```\n"
        before = {key: p.text for key, p in scripts.places([document]).items() if key != name}
        assert {key: p.text for key, p in renewed.items()} == before
        expected = document.read_text("utf-8").replace(place.text, "```\nnew\\1 $&\n```\n")
        assert copy.read_text("utf-8") == expected


def test_prose_with_figures_is_told_and_blocks_are_not(scripts, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "It lifts recall by .016.\n<!-- figures demo: x -->\n.5123\n<!-- end of figures -->\n"
        "Version 0.1.0, 3 of 10; +0.25 clear.\n",
        "utf-8",
    )
    assert list(scripts.prose(page)) == [
        (1, "It lifts recall by .016."),
        (5, "Version 0.1.0, 3 of 10; +0.25 clear."),
    ]


LOG = "".join(
    json.dumps({"event": event, "text": text}) + "\n"
    for event, text in [
        ("say", "data:"),
        ("say", "  90 SIDs in 8 × 4 × 4 codes"),
        ("run", "data: 7 SIDs in a setting"),
        ("say", "data: up to date"),
        ("say", "  91 SIDs in 8 × 4 × 4 codes"),
    ]
)


@pytest.fixture
def of_tiny_run(shop_run, figures, monkeypatch):
    """All runs are one of a tiny shop, in which popularity has what the control has."""
    metrics = json.loads(shop_run.metrics.read_text("utf-8"))
    metrics["channels"]["popularity"] = metrics["channels"]["anonymous"]
    for table in ("hit@beam", "hit_micro@beam", "candidates@beam"):
        metrics[table]["popularity"] = metrics[table]["anonymous"]
    for table, first in (
        ("paired_hit@beam", "user_query_to_sid"),
        ("paired_shopper", "generative"),
    ):
        metrics[table][f"{first} - popularity"] = metrics[table][f"{first} - anonymous"]
    metrics["latency_ms"] = {
        "k": 100,
        "generative": {
            "p50": {"value": 5.0, "ci": [4.9, 5.1], "n": 9},
            "p99": {"value": 9.0, "ci": [8.9, 9.1], "n": 9},
        },
    }
    files = {"metrics.json": metrics, "machine.json": {"inputs": ""}, "test.json": metrics}

    def read(_, name):
        return json.dumps(files[name]) if name in files else LOG

    monkeypatch.setattr(figures, "_read", read)
    return metrics


def test_tables_and_lines_come_from_a_run(scripts, figures, of_tiny_run):
    table = scripts.FIGURES["readme-homedepot"].write()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[0] == ["", "recall@10", "recall@100", "recall@1000"]
    bm25 = of_tiny_run["channels"]["bm25"]["recall@10"]
    assert rows[2] == ["BM25", figures.figure_text(bm25), *rows[2][2:]]
    assert rows[7][0] == "… what generative adds"
    assert rows[7][1][0] in "+−"
    told = figures.Told("demo", ("^data:$", "  …", " SIDs in ", "^One thread")).write()
    assert told.splitlines() == [
        "```",
        "data:",
        "  …",
        "  91 SIDs in 8 × 4 × 4 codes",
        "One thread, 100 items: generative p50 5.0 ms [4.9–5.1], p99 9.0.",
        "```",
    ]


@pytest.mark.usefixtures("of_tiny_run")
@pytest.mark.parametrize(
    "name", ["beauty-validation", "beauty-test", "games-validation", "homedepot-test"]
)
def test_every_figure_of_a_run_is_found(scripts, name):
    assert len(scripts.FIGURES[name].write().splitlines()) >= 6


def test_what_is_missing_is_told_with_the_command(scripts, figures, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    monkeypatch.setattr(figures, "OUTPUTS", tmp_path / "runs/figures")
    with pytest.raises(figures.MissingError, match=r"runs/demo/\w+.jsonl?: run 'genrecall demo"):
        scripts.FIGURES["demo"].write()
    with pytest.raises(figures.MissingError, match=r"runs/figures/recall.txt: run 'genrecall rec"):
        scripts.FIGURES["recall"].write()


def test_what_a_command_printed_is_shown_from_a_line_on(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "OUTPUTS", tmp_path)
    (tmp_path / "stability.txt").write_text("noise\nsettings: x 1  \n\ntable\n\n", "utf-8")
    assert (
        figures.Printed("stability", "^settings: ").write() == "```\nsettings: x 1\n\ntable\n```\n"
    )


def test_what_is_markdown_already_is_shown_as_it_is(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "OUTPUTS", tmp_path)
    (tmp_path / "alignment.txt").write_text("## All\n\n| clk |\n| --- |\n", "utf-8")
    shown = figures.Printed("alignment", "clk", markdown=True)
    assert shown.write() == "| clk |\n| --- |\n"
