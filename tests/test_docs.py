"""What the documents show is there: commands, options, files, links, config and code."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

import genrecall
from genrecall.cli.app import app
from genrecall.config import parse_config

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    ROOT / "benchmarks/README.md",
]
SHOWN = [*DOCUMENTS, ROOT / "Makefile", *(ROOT / "examples").iterdir()]
COMMANDS = typer.main.get_command(app).commands


def relative(path):
    return str(path.relative_to(ROOT))


def blocks(path, language=None):
    """Contents of the fenced blocks of a document, of one language or of all."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)
    return [text for name, text in found if language is None or name == language]


def shown_commands():
    for path in DOCUMENTS:
        lines = [line for block in blocks(path) for line in block.splitlines()]
        lines += re.findall(r"`((?:genrecall|make) [^`]+)`", path.read_text("utf-8"))
        for line in lines:
            if line.startswith(("genrecall ", "make ")):
                yield pytest.param(line, id=f"{relative(path)}: {line}")


@pytest.mark.parametrize("line", list(shown_commands()))
def test_shown_commands_exist(line):
    program, command, *words = shlex.split(line, comments=True)
    if program == "make":
        assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text("utf-8"), re.M)
        return
    options = {option for param in COMMANDS[command].params for option in param.opts}
    for word in words:
        assert not word.startswith("-") or word in options


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_shown_benchmarks_exist(path):
    text = path.read_text("utf-8")
    for name in re.findall(r"python -m benchmarks\.(\w+)|benchmarks/(\w+)\.py", text):
        place = ROOT / "benchmarks" / "".join(name)
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), name


def test_readme_shows_every_command():
    text = README.read_text("utf-8")
    for command in COMMANDS:
        assert f"genrecall {command}" in text, command


@pytest.mark.parametrize("path", SHOWN, ids=relative)
def test_documents_speak_to_users(path):
    """Neither of the machine nor of the way that something was written on."""
    for word in ("/work", ".library", "session"):
        assert word not in path.read_text("utf-8").lower()


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_relative_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def anchors(path):
    """What a link may name behind `#`: the headings as GitHub writes them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_to_headings_lead_somewhere(path):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", path.read_text("utf-8")):
        if "://" not in target:
            assert anchor in anchors(path.parent / target if target else path), anchor


def test_every_decision_is_listed():
    folder = ROOT / "docs/decisions"
    listed = set(re.findall(r"\]\((\S+\.md)\)", (folder / "README.md").read_text("utf-8")))
    assert listed == {path.name for path in folder.glob("*.md")} - {"README.md"}


def test_file_tree_is_complete():
    """Every module and room of the package stands in the README's tree, and nothing else."""
    (tree,) = [block for block in blocks(README) if block.startswith("src/genrecall/")]
    names = [line.split()[0] for line in tree.splitlines()]
    inside = [line.split()[0] for line in tree.splitlines() if line.startswith("  ")]
    package = ROOT / "src/genrecall"
    files = {path.name for path in package.glob("*.py")}
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert set(inside) == files | rooms
    for name in set(names) - set(inside):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize(
    ("path", "text"),
    [(path, text) for path in DOCUMENTS for text in blocks(path, "yaml")],
)
def test_shown_configs_parse(path, text, tmp_path):
    values = yaml.safe_load(text.replace("${SHOP_DATA:-exports}", "x"))
    parse_config(values, folder=tmp_path, name=path.name)


def test_code_in_the_package_docstring_runs(shop_run, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", genrecall.__doc__, re.S)
    exec(code.replace("runs/demo/bundle", str(shop_run.bundle)), {})
    assert capsys.readouterr().out.startswith("item-")


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_shown_code_runs(number, shop_run, capsys):
    code = blocks(README, "python")[number].replace("runs/demo/bundle", str(shop_run.bundle))
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 3
