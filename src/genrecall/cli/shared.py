"""What the commands share: options, and how they say what they wrote and what comes next."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from genrecall.foundation.progress import say

ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A YAML config; `genrecall init` writes one.")
]
BundleFolder = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A bundle, for example runs/demo/bundle.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result to this file as JSON.")
]


def write_result(path: Path | None, value: Any) -> None:
    """Write the result of a command where `--json` says, and say so."""
    if path is not None:
        from genrecall.foundation.artifact import write_json

        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value)
        wrote(path)


def wrote(path: Path) -> None:
    """Say what was written."""
    say(f"wrote {path}", sys.stdout)


def say_next(*words: object) -> None:
    """Say the command that comes next, ready to be pasted into a shell."""
    say("next: genrecall " + shlex.join(str(word) for word in words), sys.stdout)
