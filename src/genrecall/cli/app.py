"""The command line: one command per task. Heavy modules are imported late.

Every command prints what it wrote and, where one follows, the next command; `--json FILE` writes
its result. A file of queries is answered by a TREC run instead.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Final

import typer

from genrecall.cli.bench import bench
from genrecall.cli.group import add_command, options
from genrecall.cli.recall import recall
from genrecall.cli.runs import demo, evaluate, run
from genrecall.cli.shop import shop
from genrecall.cli.tables import import_, import_help, init, validate
from genrecall.cli.terminal import shown
from genrecall.cli.tune import tune
from genrecall.cli.versions import rollback
from genrecall.foundation.errors import GenRecallError
from genrecall.foundation.interrupt import Interrupted, interruptible

_BY_SIGNAL: Final = 128  # and its number: the exit code of what a signal has ended
_RUNS: Final = ("demo", "run")
"""Commands that go on with what an interrupted one has made; others have written nothing."""

app = typer.Typer(
    name="genrecall",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is there in a tenth of a second
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.callback()(options)
add_command(app, demo, "demo")
add_command(app, shop, "shop")
add_command(app, import_, "import", help_text=import_help())
add_command(app, init, "init")
add_command(app, validate, "validate")
add_command(app, run, "run")
add_command(app, evaluate, "evaluate")
add_command(app, recall, "recall")
add_command(app, rollback, "rollback")
app.add_typer(bench, name="bench")
app.add_typer(tune, name="tune")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an expected error is one message on stderr and exit code 1.

    Ctrl-C and SIGTERM end it with the exit codes of shells, 130 and 143, and a line that says what
    is kept.

    Args:
        arguments: what stands behind `genrecall` on the command line; None for those of this
            process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    # OpenMP's threads sleep while they wait, where the environment does not say otherwise: else, on
    # a busy machine, they take the core from those they wait for. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with shown():
            _run(list(words))
    finally:
        if arguments is None:  # the process ends, and Python would look through all that is there
            gc.freeze()


def _run(words: list[str]) -> None:
    try:
        with interruptible():
            app(words)
    except Interrupted as stop:
        command = next((word for word in words if not word.startswith("-")), "")
        if command in _RUNS:
            told = f"{stop.kept or 'finished stages are kept'}. The same command goes on."
        else:
            told = "nothing was written. The same command starts over."
        print(f"interrupted: {told}", file=sys.stderr)
        sys.exit(_BY_SIGNAL + stop.signal)
    except GenRecallError as error:
        _fail(str(error))
    except OSError as error:  # a full disk, a folder without the right to write
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}")


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
