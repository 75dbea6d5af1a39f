"""How the house is kept: no long file, no function with a crowd of parameters."""

from __future__ import annotations

import ast
from pathlib import Path

import genrecall
from genrecall.cli.app import app

HOUSE = Path(genrecall.__file__).parent
FILES = sorted(HOUSE.rglob("*.py"))

MOST_LINES = 400
MOST_PARAMETERS = 8

COMMANDS = {command.callback.__name__ for command in app.registered_commands}
"""Functions whose parameters are the options of a command."""


def name_of(file: Path) -> str:
    return file.relative_to(HOUSE).as_posix()


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of all parameters but `self` and `cls`."""
    given = function.args
    found = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    names = [argument.arg for argument in found if argument]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_a_file_has_one_subject():
    root = Path(__file__).parents[1]
    every = [*FILES, *(root / "tests").rglob("*.py"), *(root / "benchmarks").rglob("*.py")]
    lines = {str(file): len(file.read_text("utf-8").splitlines()) for file in every}
    long = {name: count for name, count in lines.items() if count > MOST_LINES}
    assert not long, f"more than {MOST_LINES} lines; divide them by subject: {long}"


def test_a_function_has_few_parameters():
    crowded = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = parameters(node)
                command = name_of(file).startswith("cli/") and node.name in COMMANDS
                if len(names) > MOST_PARAMETERS and not command:
                    crowded[name_of(file), node.name] = names
    assert not crowded, f"more than {MOST_PARAMETERS} parameters; make records of them: {crowded}"
