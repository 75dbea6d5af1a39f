"""`docs/architecture.md` is as the code is: its picture, its rooms, every name that it gives."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/architecture.md"
PICTURE = ROOT / "docs/img/imports.svg"
SCRIPT = ROOT / "scripts/draw_imports.py"
RENEW = f"{PICTURE.name} is not as the code is; renew it: python scripts/draw_imports.py"

SIZE = re.compile(r">([\d,]+) lines<")
MENTION = re.compile(r"`([\w/]+\.py): ([\w., ]+)`")


def sizes(picture):
    return [int(size.replace(",", "")) for size in SIZE.findall(picture)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The picture of today's code."""
    file = tmp_path_factory.mktemp("picture") / "imports.svg"
    command = [sys.executable, SCRIPT, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return file.read_text("utf-8")


def test_the_picture_shows_the_rooms_and_imports_of_today(drawn):
    same = SIZE.sub("", PICTURE.read_text("utf-8")) == SIZE.sub("", drawn)
    assert same, RENEW


def test_the_sizes_in_the_picture_are_about_those_of_today(drawn):
    """About: else every change of the code would change the picture."""
    kept = sizes(PICTURE.read_text("utf-8"))
    assert kept == pytest.approx(sizes(drawn), rel=0.2, abs=50), RENEW


def test_the_page_shows_every_room_from_the_ground_up():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in config["tool"]["importlinter"]["contracts"]
        if contract["id"] == "layers"
    )
    floors = [[room.strip() for room in layer.split("|")] for layer in reversed(layers)]
    section = PAGE.read_text("utf-8").split("\n## The rooms\n")[1].split("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)` \|", section, re.M)
    assert shown == [room for floor in floors for room in sorted(floor)]


@cache
def names_of(file):
    """What a module or one of its classes defines, as `name` and `Class.name`."""
    found = set()

    def visit(body, within):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(within + node.name)
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{node.name}.")
            targets = [node.target] if isinstance(node, ast.AnnAssign) else []
            targets += node.targets if isinstance(node, ast.Assign) else []
            found.update(within + one.id for one in targets if isinstance(one, ast.Name))

    visit(ast.parse(file.read_text("utf-8")).body, "")
    return found


def mentions():
    for file, names in dict.fromkeys(MENTION.findall(PAGE.read_text("utf-8"))):
        for name in names.split(", "):
            yield pytest.param(file, name, id=f"{file}: {name}")


@pytest.mark.parametrize(("file", "name"), list(mentions()))
def test_every_name_on_the_page_is_in_the_code(file, name):
    places = [home / file for home in (ROOT / "src/genrecall", ROOT)]
    (path,) = [place for place in places if place.is_file()]
    assert name in names_of(path), f"{file} has no {name}; what it did is done elsewhere now"


def test_every_mention_has_a_form_that_is_checked():
    """No name behind a file escapes the test before."""
    written = re.findall(r"`[\w/]+\.py: [^`]*`", PAGE.read_text("utf-8"))
    assert len(written) == len(MENTION.findall(PAGE.read_text("utf-8"))) > 80


def rows():
    """What may be changed, from the table's first column."""
    table = PAGE.read_text("utf-8").split("\n## Where do I change …\n")[1]
    return re.findall(r"^\| ((?!What |---).*?) \|", table, re.M)


@pytest.mark.parametrize(
    "wanted",
    ["importer", "item order", "loss in the quantizer", "generator family", "channel", "stage"],
)
def test_a_newcomer_finds_what_he_wants_to_change(wanted):
    assert any(wanted in row for row in rows()), rows()
