"""docs/bring-your-own-data.md: what it shows is run on such data and prints what it shows.

It trains far less than the page says, so what training decides is run and not compared.
"""

import io
import json
import re
import shlex
import subprocess
from collections import deque
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import polars as pl
import pytest
import yaml
from exported_shop import products, write_exports
from german_shop import write_german_exports
from tiny_shop import SETTINGS

from genrecall.cli.app import main
from genrecall.importers import IMPORTERS

PAGE = Path(__file__).parents[1] / "docs/bring-your-own-data.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
TRAINED = "two-tower encoder"
"""What a run prints from here on depends on the training."""


def write_other_exports(folder):
    """Write what the questions at the end of the page start from."""
    items = (
        pl.DataFrame(products())
        .cast(pl.String)
        .filter(
            pl.col("name") != "", pl.col("price") != "on request", pl.col("category_path") != ""
        )
    )
    path = pl.col("category_path").str.split(" > ").list
    levels = [path.get(n).alias(name) for n, name in enumerate(("department", "class", "type"))]
    items.with_columns(levels).drop("category_path").write_csv(folder / "departments.csv")
    new = items.head(2).with_columns(sku=pl.Series(["500000", "500001"]))
    new.write_csv(folder / "new-products.csv")
    judged = items.head(200).select(query="name", item_id="sku", relevance=pl.lit(3))
    judged.write_csv(folder / "judgments.csv")
    clicks = "search_id,query,timestamp,sku\n1,saw,1741000000,400000\n1,saw,1741000000,400001\n"
    (folder / "clicks.csv").write_text(clicks, "utf-8")


def write_publishers(folder):
    """Write the least of each publisher's layout."""
    write_files(
        folder / "home-depot-product-search-relevance",
        {
            "train.csv": "id,product_uid,product_title,search_term,relevance\n1,7,Saw,hand saw,3\n",
            "attributes.csv": "product_uid,name,value\n",
        },
    )
    write_files(
        folder / "amazon-beauty",
        {
            "meta_Beauty.json": {"asin": "7", "title": "Soap", "categories": [["Beauty", "Soap"]]},
            "reviews_Beauty_5.json": {"reviewerID": "U", "asin": "7", "unixReviewTime": 1000},
        },
    )
    write_files(
        folder / "nfcorpus",
        {
            "corpus.jsonl": {"_id": "7", "title": "Salt", "text": ""},
            "queries.jsonl": {"_id": "1", "text": "salt"},
            "qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\t7\t1\n",
        },
    )
    levels = {f"category_level{n}_name": f"Level {n}" for n in (1, 2, 3)}
    search = {"session_id": 1, "time_index": 1, "user_id": 5, "query": "soap"}
    shown = {"impressed_item_ids": [7], "clicked_item_ids": [7], "purchased_item_ids": []}
    write_files(
        folder / "KuaiSearch",
        {
            "items.jsonl": {"item_id": 7, "item_title": "soap"} | levels,
            "recall.jsonl": search | shown,
            "users.jsonl": {"user_id": 5, "gender": "F", "age_bucket": "UNKNOWN"},
        },
    )
    esci = folder / "shopping_queries_dataset"
    esci.mkdir()
    one = {"product_id": "7", "product_locale": "es"}
    product = {"product_title": "Sierra", "product_brand": "Alder", "product_color": None}
    judged = {"query": "sierra", "esci_label": "E", "small_version": 1, "large_version": 1}
    for name, more in {"products": product, "examples": judged}.items():
        pl.DataFrame([one | more]).write_parquet(esci / f"shopping_queries_dataset_{name}.parquet")


def write_files(folder, files):
    """Write texts as they are, and a row as a line of JSON."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content) + "\n"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def shorten_training(config):
    """Set the sizes of a test, and leave data and SIDs as the page has them."""
    values = yaml.safe_load(config.read_text("utf-8"))
    values |= {name: SETTINGS[name] for name in ("embed", "generator", "evaluate", "threads")}
    values["quantize"] |= {"training": SETTINGS["quantize"]["training"]}
    config.write_text(yaml.safe_dump(values), "utf-8")


def apply_diff(text, config):
    """Change the lines of a config as shown; each stands there once."""
    lines = config.read_text("utf-8").splitlines()
    removed = [line[1:] for line in text.splitlines() if line[0] == "-"]
    added = [line[1:] for line in text.splitlines() if line[0] == "+"]
    for old, new in zip(removed, added, strict=True):
        assert lines.count(old) == 1, old
        lines[lines.index(old)] = new
    config.write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Do everything that the page shows, in its order; what was printed by the command."""
    folder = tmp_path_factory.mktemp("page")
    write_exports(folder)
    write_german_exports(folder)
    write_other_exports(folder)
    write_publishers(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TERM", "dumb")
        yield list(perform())


def perform():
    """Run block after block; gives each command, what it printed, and what the page shows."""
    blocks = deque(BLOCKS)
    while blocks:
        language, text = blocks.popleft()
        shown = blocks[0][1] if blocks and blocks[0][0] == "text" else ""
        if language == "sh":
            for command in text.splitlines():
                if command.startswith("genrecall run"):
                    shorten_training(Path(command.split()[2]))
                yield command, call(command), shown
        elif language == "diff":
            apply_diff(text, Path("genrecall.yaml"))
        elif language == "yaml" and (named := re.search('file: "(.*)"', text)):
            config = {"products.csv": "genrecall.yaml", "produkte.csv": "laden.yaml"}[named[1]]
            yield config, Path(config).read_text("utf-8"), text
        elif language == "python":
            exec(compile(text, PAGE.name, "exec"), {})


def call(command):
    """Run a command line that must succeed; what it prints on either stream."""
    program, *words = shlex.split(command)
    if program != "genrecall":
        return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), pytest.raises(SystemExit) as done:
        main(words)
    assert not done.value.code, printed.getvalue()
    return printed.getvalue()


def test_everything_runs(walk):
    assert len(walk) > len(IMPORTERS)
    for name in IMPORTERS:
        assert any(command.startswith(f"genrecall import {name} ") for command, _, _ in walk)


def test_a_german_export_needs_five_commands(walk):
    section = PAGE.read_text("utf-8").split("\n## A German export, in five commands\n")[1]
    shown = re.findall(r"^```sh\n(.*?)^```$", section.split("\n## ")[0], re.M | re.S)
    commands = "".join(shown).splitlines()
    assert len(commands) == 5
    assert set(commands) <= {command for command, _, _ in walk}
    first_lines = Path("produkte.csv").read_bytes().decode("cp1252").splitlines()[:4]
    assert "```csv\n" + "\n".join(first_lines) + "\n```" in section
    (recalled,) = [
        printed for command, printed, _ in walk if command.startswith("genrecall recall runs/laden")
    ]
    assert recalled.count("Akkuschrauber") == 3
    assert "&" not in recalled


def test_what_does_not_depend_on_training_is_printed_as_shown(walk):
    for command, printed, shown in walk:
        if command.startswith("genrecall recall"):
            continue
        certain = shown.split(f"  {TRAINED}")[0].splitlines()
        certain += [line for line in shown.splitlines() if line.startswith(("wrote ", "next: "))]
        lines = printed.splitlines()
        for line in certain:
            assert line in lines or line.strip() == "…", (command, line)


def test_the_answer_looks_as_shown(walk):
    printed, shown = next(
        (printed, shown)
        for command, printed, shown in walk
        if command.startswith("genrecall recall") and shown
    )
    heads = [line.split() for line in shown.splitlines() if not re.search(r"<c1|^ {10}|…", line)]
    assert len(heads) == 4
    for head in heads:
        assert head in [line.split() for line in printed.splitlines()]
