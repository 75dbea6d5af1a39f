"""The command line: one command per task, named after the stages. Heavy modules are imported late.

Every command prints what it wrote and, where one follows, the next command; `--json FILE` writes
its result. A file of queries is answered by a TREC run instead.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from genrecall.foundation.errors import GenRecallError, RequestError
from genrecall.importers import IMPORTERS

if TYPE_CHECKING:
    from genrecall.pipeline.run import RunResult

_INTERRUPTED: Final = 130
_GOES_ON: Final = "; the same command goes on from the last checkpoint"
_AFTER_INTERRUPT: Final = {
    "demo": _GOES_ON,
    "run": _GOES_ON,
    "import": "; nothing was written, and the same command starts over",
}
"""What to say after Ctrl-C, by command."""

app = typer.Typer(
    name="genrecall",
    help="A generative recall channel for product search.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is there in a tenth of a second
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _import_help() -> str:
    """Help of `genrecall import`, with a line for each importer."""
    width = max(map(len, IMPORTERS))
    lines = [f"  {name:<{width}}  {what}" for name, what in IMPORTERS.items()]
    text = "Read a publisher's original files into our tables, ready for `genrecall init`."
    # \b keeps the lines as they are.
    return "\n\n".join(
        [text, "\n".join(["\b", *lines]), "Without SRC it shows which files an importer expects."]
    )


ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A YAML config; `genrecall init` writes one.")
]
BundleFolder = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A bundle, for example runs/demo/bundle.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result to this file as JSON.")
]


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


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("runs/demo"),
    items: Annotated[int, typer.Option(min=100, help="Items of the synthetic shop.")] = 8000,
    searches: Annotated[int, typer.Option(min=100, help="Searches in its log.")] = 40_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same shop.")] = 0,
    json_file: JsonFile = None,
) -> None:
    """Make a synthetic shop and run the whole pipeline on it."""
    from genrecall.pipeline.demo import make_demo
    from genrecall.pipeline.outputs import Outputs
    from genrecall.pipeline.run import run

    outputs = Outputs(out)
    shop = outputs.folder / "shop"
    with outputs.alone():  # another run may be reading the shop
        config = make_demo(shop, items=items, searches=searches, seed=seed)
    _wrote(shop)
    result = run(config, outputs)
    _report_run(result, json_file)
    _next("recall", outputs.bundle, "cordless drill 18v", "-k", 10, "--explain")


@app.command("import", help=_import_help())
def import_(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="An importer; see the list above.")
    ] = None,
    source: Annotated[
        Path | None, typer.Argument(metavar="SRC", help="The publisher's folder or file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write, new or empty.", show_default=False)
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", help="For example locale=jp with esci; repeatable."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Read a publisher's original files into our tables; help is made by `_import_help`."""
    from genrecall.foundation.progress import TerminalLog
    from genrecall.importers.run import describe_importers, describe_rejects, import_data

    if name is None or source is None:
        print("\n".join(describe_importers(name)))
        return
    if out is None:
        raise RequestError(f"--out is missing: give the folder to write, such as --out {name}.")
    done = import_data(name, source, out, log=TerminalLog(), options=_pairs(options or []))
    for table, rows in done.rows.items():
        print(f"  {table}: {rows:,} rows")
    print(*describe_rejects(done.rejects), sep="\n", end="\n" if done.rejects else "")
    for note in done.notes:
        print(f"note: {note}")
    _wrote(out)
    _write_result(json_file, done.to_json())
    _next("init", *done.init_options())


def _pairs(options: list[str]) -> dict[str, str]:
    """Options given as `key=value`."""
    pairs = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise RequestError(f"--option {option!r} has no value: write it as KEY=VALUE.")
        pairs[key.strip()] = value.strip()
    return pairs


@app.command()
def init(
    items: Annotated[Path | None, typer.Option(help="The items table.")] = None,
    searches: Annotated[Path | None, typer.Option(help="The search log, if any.")] = None,
    users: Annotated[Path | None, typer.Option(help="The shoppers, if known.")] = None,
    judgments: Annotated[Path | None, typer.Option(help="Judged queries, if any.")] = None,
    positive_from: Annotated[
        float | None,
        typer.Option(help="Relevance of a relevant item; 1.0 by default.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="The config to write.")] = Path("genrecall.yaml"),
    json_file: JsonFile = None,
) -> None:
    """Write a commented config, with a guess which columns of the tables are ours."""
    from genrecall.cli.init import write_template

    template = write_template(
        out,
        items=items,
        searches=searches,
        users=users,
        judgments=judgments,
        positive_from=positive_from,
    )
    _wrote(out)
    for table, names in template.missing.items():
        for name in names:
            print(f"note: no column of {table} looks like {name}; name it in {out}, where ??? is")
    _write_result(json_file, template.to_json())
    _next("validate", out)


@app.command()
def validate(config_file: ConfigFile, json_file: JsonFile = None) -> None:
    """Read and check a config and its tables, and write nothing."""
    from genrecall.config import load_config
    from genrecall.data.stage import validate as validate_data
    from genrecall.data.summary import describe

    summary = validate_data(load_config(config_file).data)
    print("\n".join(describe(summary)))
    _write_result(json_file, dict(summary))
    _next("run", config_file)


@app.command()
def run(
    config_file: ConfigFile,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; runs/<name of the config> by default.")
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", help="Run this stage and those after it even if up to date."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="The last stage to run; all by default.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Run all stages that are not up to date.

    The stages are data, embed, quantize, generator and evaluate.
    """
    from genrecall.config import load_config
    from genrecall.pipeline.outputs import Outputs
    from genrecall.pipeline.run import run as run_pipeline

    config = load_config(config_file)
    outputs = Outputs(out or Path("runs") / config_file.stem)
    result = run_pipeline(config, outputs, first=first, last=last)
    if not result.main:  # of several processes one tells
        return
    _report_run(result, json_file)
    if result.metrics is None:
        _next("run", config_file, *(("--out", out) if out else ()))
    else:
        _next("recall", outputs.bundle, "a query", "-k", 10, "--explain")


@app.command()
def evaluate(
    bundle: BundleFolder,
    split: Annotated[str, typer.Option(help="validation or test.")] = "validation",
    data: Annotated[
        Path | None,
        typer.Option(help="The run's data stage; by default the one beside the bundle."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page about it, for example test.html.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure a bundle on the validation or the test split.

    The test split is measured only here, and each time is logged.
    """
    from genrecall.evaluate.table import print_metrics
    from genrecall.pipeline.evaluate import evaluate_bundle
    from genrecall.pipeline.outputs import Outputs

    metrics = evaluate_bundle(bundle, split=split, data=data, report=report)
    print_metrics(metrics)
    _wrote(Outputs(bundle.parent).log)
    if report is not None:
        _wrote(report)
    _write_result(json_file, metrics)
    _next("recall", bundle, "a query", "-k", 10, "--explain")


@app.command()
def recall(
    bundle: BundleFolder,
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="What the shopper typed.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many items.")] = 20,
    user: Annotated[
        str | None,
        typer.Option(help="A shopper of the run beside the bundle, by user_id."),
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="For example 'price<=50' or 'brand=Acme'; repeatable."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the generated SIDs and what they hold.")
    ] = False,
    queries: Annotated[
        Path | None, typer.Option(help="Answer every query of a file, one a line.")
    ] = None,
    run_file: Annotated[
        Path | None, typer.Option("--run", help="With --queries: the TREC run file to write.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Recall items for a query, or for a file of queries."""
    if (query is None) == (queries is None):
        raise RequestError("give either a query or --queries FILE.")
    if (queries is None) != (run_file is None):
        raise RequestError("--queries and --run belong together: give both or none.")
    if queries is not None and (explain or json_file or user):
        raise RequestError("--explain, --json and --user go with a single query, not --queries.")
    from genrecall.cli import recall as answering

    if queries is not None and run_file is not None:
        answering.answer_file(bundle, queries, run_file, k=k, filters=filters or [])
        _wrote(run_file)
        return
    answer = answering.answer(
        bundle, query or "", k=k, user=user, filters=filters or [], explain=explain
    )
    print("\n".join(answering.describe(answer)))
    _write_result(json_file, answer.to_json())
    if not explain:
        filtered = [word for condition in filters or [] for word in ("--filter", condition)]
        _next("recall", bundle, query, "-k", k, *filtered, "--explain")


def _report_run(result: RunResult, json_file: Path | None) -> None:
    from genrecall.evaluate.table import print_metrics

    outputs = result.outputs
    if result.metrics is None:
        _wrote(outputs.folder / "stages")
    else:
        print_metrics(result.metrics)
        print()
        for path in (outputs.bundle, outputs.metrics, outputs.report):
            _wrote(path)
        if outputs.rejects.is_dir():
            _wrote(outputs.rejects)
    _wrote(outputs.log)
    _write_result(json_file, {"ran": result.ran, "metrics": result.metrics})


def _write_result(path: Path | None, value: Any) -> None:
    if path is not None:
        from genrecall.foundation.artifact import write_json

        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value)
        _wrote(path)


def _wrote(path: Path) -> None:
    print(f"wrote {path}")


def _next(*words: object) -> None:
    """Say the command that comes next, ready to be pasted into a shell."""
    print("next: genrecall " + shlex.join(str(word) for word in words))


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
