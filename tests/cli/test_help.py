"""What all commands have: help with examples, `-q`; `--version` and shell completion."""

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from genrecall import __version__
from genrecall.cli.app import app
from genrecall.cli.examples import EXAMPLES
from genrecall.foundation.progress import TerminalLog

MAIN = typer.main.get_command(app).commands
COMMANDS = {name: of for name, of in MAIN.items() if name not in ("bench", "tune")}
for group in ("bench", "tune"):
    COMMANDS |= {f"{group} {name}": of for name, of in MAIN[group].commands.items()}
EVERY_EXAMPLE = [pytest.param(n, e, id=e) for n, examples in EXAMPLES.items() for e in examples]


def test_every_command_has_help_with_examples(genrecall):
    assert set(COMMANDS) == set(EXAMPLES)
    for name, examples in EXAMPLES.items():
        *group, last = name.split()
        assert f"\n  {last} " in genrecall(*group, "--help")
        told = genrecall(*group, last, "--help")
        assert "Usage" in told
        assert told.endswith("Examples:\n" + "".join(f"    {line}\n" for line in examples))


@pytest.mark.parametrize(("name", "example"), EVERY_EXAMPLE)
def test_examples_are_commands(name, example):
    program, *words = shlex.split(example)
    n = len(name.split())
    assert (program, " ".join(words[:n])) == ("genrecall", name)
    words = words[n:]
    with COMMANDS[name].make_context(name, words) as context:
        assert context.params


def test_the_version_is_that_of_the_package(genrecall):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert genrecall("--version") == f"genrecall {__version__}\n"
    assert project["project"]["version"] == __version__


@pytest.mark.parametrize("place", [0, 1])
def test_quiet_says_nothing_but_the_result(bundle, genrecall, capsys, tmp_path, place):
    words = ["recall", bundle, "drill", "-k", 2, "--json", tmp_path / "a.json"]
    loud = genrecall(*words).splitlines()
    assert [line.split()[0] for line in loud[-2:]] == ["wrote", "next:"]
    words.insert(place, "-q")
    assert genrecall(*words).splitlines() == loud[:-2]
    TerminalLog().say("said again")
    assert capsys.readouterr().err == "said again\n"


def test_quiet_runs_say_nothing_on_the_way_and_record_it(finished, tmp_path, capsys, genrecall):
    config, out = finished / "shop.yaml", tmp_path / "run"
    assert genrecall("run", config, "--to", "data", "--out", out, "--quiet") == ""
    assert capsys.readouterr().err == ""
    assert "items: 120 of 120 rows" in (out / "log.jsonl").read_text("utf-8")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(shell):
    words = {"_GENRECALL_COMPLETE": f"complete_{shell}"}
    words |= {"COMP_WORDS": "genrecall rec", "COMP_CWORD": "1"}
    words |= {"_TYPER_COMPLETE_ARGS": "genrecall rec", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    code = "import sys; sys.argv[0] = 'genrecall'; from genrecall.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | words, capture_output=True, text=True
    )
    assert "recall" in done.stdout
    assert "Traceback" not in done.stderr
