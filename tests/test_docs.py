"""What the documents show is there: commands, options, files, links, config and code."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import yaml

import genrecall
from genrecall.cli.app import app
from genrecall.config import Config, parse_config
from genrecall.data.tables import ITEMS, JUDGMENTS, SEARCH_LOG, SEQUENCES, UNLABELLED, USERS
from genrecall.evaluate.metrics import build_metrics
from genrecall.generator.align_config import AlignConfig

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs/reference.md"
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    ROOT / "benchmarks/README.md",
]
SHOWN = [*DOCUMENTS, ROOT / "Makefile", *(ROOT / "examples").iterdir()]
TABLES = {
    "items": ITEMS,
    "searches": SEARCH_LOG,
    "users": USERS,
    "sequences": SEQUENCES,
    "judgments": JUDGMENTS,
    "unlabelled": UNLABELLED,
}
HOMES = (ROOT, ROOT / "src/genrecall", ROOT / "benchmarks")
"""Where paths of modules start."""
GROUP = typer.main.get_command(app)
GROUPS = ("bench", "tune")
COMMANDS = {name: of for name, of in GROUP.commands.items() if name not in GROUPS}
for group in GROUPS:
    COMMANDS |= {f"{group} {name}": of for name, of in GROUP.commands[group].commands.items()}


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


def shown_benchmarks():
    for path in DOCUMENTS:
        lines = [line for block in blocks(path) for line in block.splitlines()]
        lines += re.findall(r"`(python -m [^`]+)`", path.read_text("utf-8"))
        for line in lines:
            if line.startswith("python -m benchmarks"):
                yield pytest.param(line, id=f"{relative(path)}: {line}")


@pytest.mark.parametrize("line", list(shown_benchmarks()))
def test_options_of_shown_benchmarks_exist(line):
    """Its module is there, and its options stand in the code of it or of what they share."""
    _, _, name, *words = shlex.split(line, comments=True)
    path = ROOT / name.replace(".", "/")
    files = [*path.glob("*.py")] or [path.with_suffix(".py")]
    code = "".join(file.read_text("utf-8") for file in (*files, ROOT / "benchmarks/command.py"))
    for word in words:
        if word.startswith("--"):
            assert f'"{word}"' in code
    if tables := re.findall(r"^TABLES: Final = (.*)$", code, re.M):
        asked = [word for option, word in pairwise(words) if option == "--tables"]
        assert all(f'"{table}"' in tables[0] for table in asked)


@pytest.mark.parametrize("line", list(shown_commands()))
def test_shown_commands_exist(line):
    program, command, *words = shlex.split(line, comments=True)
    if program == "make":
        assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text("utf-8"), re.M)
        return
    if command.startswith("-"):
        assert command in {option for param in GROUP.params for option in param.opts}
        return
    if command in GROUPS:
        command = f"{command} {words.pop(0)}"
    options = {option for param in COMMANDS[command].params for option in param.opts}
    for word in words:
        assert not word.startswith("-") or word in options


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_shown_benchmarks_exist(path):
    text = path.read_text("utf-8")
    for name in re.findall(r"python -m benchmarks\.(\w+)|benchmarks/(\w+)\.py", text):
        place = ROOT / "benchmarks" / "".join(name)
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), name


def rows(path, heading):
    """The rows of the first table under a heading by their first cell."""
    section = path.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return {first.strip(): " | ".join(others) for first, *others in table[2:]}


def named(cell):
    """What stands in a cell between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def test_readme_is_short():
    assert len(README.read_text("utf-8").splitlines()) <= 160


def test_readme_walks_from_a_log_to_an_answer():
    shown = [
        line.split()[1]
        for block in blocks(README)
        for line in block.splitlines()
        if line.startswith("genrecall ")
    ]
    assert shown[-5:] == ["import", "init", "validate", "run", "recall"]


def test_reference_shows_every_command_and_option():
    shown = {
        " ".join(re.findall(r"^genrecall ((?:(?:bench|tune) )?\S+)", named(first)[0])): cells
        for first, cells in rows(REFERENCE, "Commands").items()
    }
    assert set(shown) == set(COMMANDS)
    for name, command in COMMANDS.items():
        options = {
            option for param in command.params for option in param.opts if option.startswith("-")
        } - {"-q", "--quiet"}  # of all commands
        last = shown[name].split(" | ")[-1]
        assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", last)) == options, name


def test_reference_shows_every_section_of_the_config():
    shown = [name for first in rows(REFERENCE, "Config") for name in named(first)]
    assert sorted(shown) == sorted(Config.model_fields)


def test_the_page_about_alignment_shows_every_setting():
    shown = re.findall(r"`(\w+)`|(\w+): ", (ROOT / "docs/alignment.md").read_text("utf-8"))
    assert sorted(AlignConfig.model_fields.keys() - {a or b for a, b in shown}) == []


def test_reference_shows_every_public_name():
    section = REFERENCE.read_text("utf-8").split("\n## The library\n")[1].split("\n## Metrics\n")[0]
    for name in set(genrecall.__all__) - {"__version__"}:
        assert re.search(rf"\b{name}\b", section), name


def test_reference_shows_every_column():
    """Of our tables, but two that only a shop with experiments has."""
    for table, cells in rows(REFERENCE, "Tables").items():
        columns = {name.rstrip("?") for name in named(cells) if re.fullmatch(r"[a-z_]+\??", name)}
        rare = {"impression_channels", "variant"}
        assert columns == set(TABLES[named(table)[0]]) - rare, table


def test_reference_shows_every_key_of_the_metrics(shop_run):
    shown = {name for first in rows(REFERENCE, "Metrics") for name in named(first)}
    metrics = json.loads(shop_run.metrics.read_text("utf-8"))
    assert metrics.keys() <= shown
    source = build_metrics.__doc__
    for name in shown:
        assert f"`{name}`" in source, name


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


def test_every_page_is_listed():
    folder = ROOT / "docs"
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (folder / "README.md").read_text("utf-8")))
    assert listed == {path.name for path in folder.glob("*.md")} - {"README.md"}


def test_glossary_explains_each_term_once():
    text = (ROOT / "docs/glossary.md").read_text("utf-8")
    terms = [
        term
        for entry in re.findall(r"^- (\*\*.+?): ", text, re.M)
        for term in re.findall(r"\*\*(.+?)\*\*", entry)
    ]
    assert len(terms) > 50
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if p.name != "log.md"], ids=relative)
def test_named_modules_exist(path):
    """A module is named by its path in the package, or with the folder that it lies in."""
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", path.read_text("utf-8")):
        if not name.startswith(("runs/", "rejects/")):  # what a run writes
            assert any((home / name).exists() for home in HOMES), name


def test_modules_named_in_code_exist():
    """Docstrings and comments may also name a neighbour, which lies in the same folder."""
    wrong = []
    for folder in ("src", "benchmarks", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            named_there = re.findall(r"`([\w/]+\.py)[`:]", path.read_text("utf-8"))
            for name in named_there:
                if not any((home / name).exists() for home in (path.parent, *HOMES)):
                    wrong.append((relative(path), name))
    assert not wrong


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


def test_file_tree_stands_in_the_order_of_imports():
    """A folder imports only what stands above it in the README's tree."""
    (tree,) = [block for block in blocks(README) if block.startswith("src/genrecall/")]
    inside = [line.split()[0] for line in tree.splitlines() if line.startswith("  ")]
    place = {name.removesuffix(".py").rstrip("/"): line for line, name in enumerate(inside)}
    package = ROOT / "src/genrecall"
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for other in re.findall(r"^ *from genrecall\.(\w+)", path.read_text("utf-8"), re.M):
            assert room == "__init__" or place[other] <= place[room], (relative(path), other)


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


@pytest.mark.parametrize(
    ("path", "code"),
    [(path, code) for path in (README, REFERENCE) for code in blocks(path, "python")],
    ids=lambda given: relative(given) if isinstance(given, Path) else "",
)
def test_shown_code_runs(path, code, shop_run, capsys):
    code = code.replace("runs/demo/bundle", str(shop_run.bundle))
    exec(compile(code, path.name, "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == {README: 3, REFERENCE: 9}[path]
