"""What all commands have: `-q`, examples in their help, and beside them `--version`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from genrecall import __version__
from genrecall.cli.examples import shown
from genrecall.foundation.progress import quiet


def add_command(
    app: typer.Typer, function: Callable[..., None], name: str, *, help_text: str | None = None
) -> None:
    """Add a command with its examples, and with `-q`.

    Args:
        app: the commands.
        function: does it; its parameters are the options.
        name: of the command, behind that of its group if it is in one.
        help_text: None for the function's docstring.
    """
    app.command(name.split()[-1], help=help_text, epilog=shown(name))(_with_quiet(function))


def _be_quiet(context: typer.Context, wanted: bool) -> bool:
    if wanted:
        context.with_resource(quiet())
    return wanted


def _say_version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        print(f"genrecall {__version__}")
        raise typer.Exit


_Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", callback=_be_quiet, help="Say nothing but results, notes and errors."
    ),
]
_Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_say_version, is_eager=True, help="Show the version and exit."
    ),
]


def options(version: _Version = False, quiet: _Quiet = False) -> None:
    """A generative recall channel for product search."""


def _with_quiet(function: Callable[..., None]) -> Callable[..., None]:
    """A command with an option more, which is dealt with while the command line is read."""

    @wraps(function)
    def command(*given: Any, quiet: bool = False, **named: Any) -> None:  # noqa: ARG001
        function(*given, **named)

    known = inspect.signature(function, eval_str=True)
    more = inspect.Parameter(
        "quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_Quiet
    )
    parameters = [*known.parameters.values(), more]
    command.__signature__ = known.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {given.name: given.annotation for given in parameters}
    return command
