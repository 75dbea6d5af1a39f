"""What the commands share: options, where results go, what was written and what comes next."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

import typer

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.progress import say

STDOUT: Final = Path("-")
"""Names standard output."""


def _aside(
    context: typer.Context, parameter: typer.CallbackParam, path: Path | None
) -> Path | None:
    """Where a result goes to standard output, all else goes to standard error.

    Raises:
        BadParameter: another result goes there, too.
    """
    if path is None or not _is_stdout(path):
        return path
    if (other := context.meta.setdefault(__name__, parameter.opts[0])) != parameter.opts[0]:
        raise typer.BadParameter(f"standard output takes one result, and {other} goes there.")
    context.with_resource(redirect_stdout(sys.stderr))
    return STDOUT


def _is_stdout(path: Path) -> bool:
    """Whether a path is `-`, or the very thing that standard output is, as /dev/stdout."""
    if path == STDOUT:
        return True
    with suppress(OSError, ValueError):
        return os.path.samestat(path.stat(), os.fstat(1))
    return False


_RESULT: Final = {"dir_okay": False, "allow_dash": True, "callback": _aside}
"""Of an option that names a file for a result."""

ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A YAML config; `genrecall init` writes one.")
]
BundleFolder = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A bundle, for example runs/demo/bundle.")
]
DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="The run's data stage; by default the one beside the bundle."),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write the result to this file as JSON; - for here.", **_RESULT),
]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", help="Write a page about it, for example test.html.", **_RESULT),
]
NewConfigFile = Annotated[
    Path, typer.Option("--out", help="The config to write; - for here.", **_RESULT)
]
RunFile = Annotated[
    Path | None,
    typer.Option("--run", help="With --queries: the TREC run file to write.", **_RESULT),
]


def _threads(by_default: str) -> Any:
    told = f"Threads that compute; by default {by_default}."
    return typer.Option(min=1, help=told, show_default=False)


Threads = Annotated[int | None, _threads("those of the config, OMP_NUM_THREADS or the cores")]
AskingThreads = Annotated[
    int | None, _threads("one for a query, and for many OMP_NUM_THREADS or the cores")
]


@contextmanager
def result_stream(path: Path) -> Iterator[TextIO]:
    """Where a result goes that an option names; says what was written."""
    if path == STDOUT:
        # Always UTF-8: it is data, whatever the terminal can show.
        with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace") as stream:
            yield stream
        return
    from genrecall.foundation.files import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        yield stream
    wrote(path)


def write_result(path: Path | None, value: Any) -> None:
    """Write the result of a command where `--json` says, if it says so."""
    if path is not None:
        from genrecall.foundation.files import as_json

        with result_stream(path) as stream:
            stream.write(as_json(value))


def wrote(path: Path) -> None:
    """Say what was written."""
    say(f"wrote {path}", sys.stdout)


def say_next(*words: object) -> None:
    """Say the command that comes next, ready to be pasted into a shell."""
    say("next: genrecall " + shlex.join(str(word) for word in words), sys.stdout)


def whole_numbers(option: str, text: str, *, such_as: str) -> tuple[int, ...]:
    """Numbers that stand in one option, between commas.

    Args:
        option: its name.
        text: what was given.
        such_as: an example.

    Raises:
        ConfigError: there is something else.
    """
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise ConfigError(f"{option} {text}: give whole numbers, as {such_as}.") from error
