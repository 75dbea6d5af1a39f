"""The command line: one command per task. Heavy modules are imported late.

Every command prints what it wrote and, where one follows, the next command; `--json FILE` writes
its result. A file of queries is answered by a TREC run instead.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import typer

from genrecall.cli.group import add_command, options
from genrecall.cli.recall import recall
from genrecall.cli.runs import demo, evaluate, run
from genrecall.cli.shop import shop
from genrecall.cli.tables import import_, import_help, init, validate
from genrecall.foundation.errors import GenRecallError

_INTERRUPTED: Final = 130
_GOES_ON: Final = "; the same command goes on from the last checkpoint"
_STARTS_OVER: Final = "; nothing was written, and the same command starts over"
_AFTER_INTERRUPT: Final = {
    "demo": _GOES_ON,
    "run": _GOES_ON,
    "import": _STARTS_OVER,
    "shop": _STARTS_OVER,
}
"""What to say after Ctrl-C, by command."""

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an expected error is one message on stderr and exit code 1.

    Args:
        arguments: what stands behind `genrecall` on the command line; None for those of this
            process.
    """
    try:
        app(arguments)
    except GenRecallError as error:
        _fail(str(error))
    except OSError as error:  # a full disk, a folder without the right to write
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}")
    except SystemExit as done:
        if done.code == _INTERRUPTED:
            words = sys.argv[1:] if arguments is None else arguments
            print("interrupted" + _AFTER_INTERRUPT.get("".join(words[:1]), ""), file=sys.stderr)
        raise


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
