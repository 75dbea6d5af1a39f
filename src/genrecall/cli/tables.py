"""Commands about tables and configs: `import`, `init`, `validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrecall.cli.shared import (
    STDOUT,
    ConfigFile,
    JsonFile,
    NewConfigFile,
    say_next,
    write_result,
    wrote,
)
from genrecall.foundation.errors import RequestError
from genrecall.importers import IMPORTERS


def import_help() -> str:
    """Help of `genrecall import`, with a line for each importer."""
    width = max(map(len, IMPORTERS))
    lines = [f"  {name:<{width}}  {what}" for name, what in IMPORTERS.items()]
    text = "Read a publisher's original files into our tables, ready for `genrecall init`."
    # \b keeps the lines as they are.
    return "\n\n".join(
        [text, "\n".join(["\b", *lines]), "Without SRC it shows which files an importer expects."]
    )


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
    """Read a publisher's original files into our tables; help is made by `import_help`."""
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
    wrote(out)
    write_result(json_file, done.to_json())
    say_next("init", *done.init_options())


def _pairs(options: list[str]) -> dict[str, str]:
    """Options given as `key=value`."""
    pairs = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise RequestError(f"--option {option!r} has no value: write it as KEY=VALUE.")
        pairs[key.strip()] = value.strip()
    return pairs


def init(
    items: Annotated[Path | None, typer.Option(help="The items table.")] = None,
    searches: Annotated[Path | None, typer.Option(help="The search log, if any.")] = None,
    users: Annotated[Path | None, typer.Option(help="The shoppers, if known.")] = None,
    judgments: Annotated[Path | None, typer.Option(help="Judged queries, if any.")] = None,
    positive_from: Annotated[
        float | None,
        typer.Option(help="Relevance of a relevant item; 1.0 by default.", show_default=False),
    ] = None,
    out: NewConfigFile = Path("genrecall.yaml"),
    json_file: JsonFile = None,
) -> None:
    """Write a commented config, with a guess which columns of the tables are ours."""
    from genrecall.cli.template import write_template

    template = write_template(
        out,
        items=items,
        searches=searches,
        users=users,
        judgments=judgments,
        positive_from=positive_from,
    )
    print(*template.describe(), sep="\n", end="\n" if template.describe() else "")
    for note in template.notes:
        print(f"note: {note}")
    where = "the config" if out == STDOUT else out
    for table, names in template.missing.items():
        for name in names:
            print(f"note: no column of {table} looks like {name}; name it in {where}, where ??? is")
    write_result(json_file, template.to_json())
    if out != STDOUT:
        say_next("validate", out)


def validate(config_file: ConfigFile, json_file: JsonFile = None) -> None:
    """Read and check a config and its tables, and write nothing."""
    from genrecall.config import load_config
    from genrecall.data.stage import validate as validate_data
    from genrecall.data.summary import describe

    config = load_config(config_file)
    summary = validate_data(config.data)
    print("\n".join(describe(summary)))
    # What the tables are like is told first; torch, which the stages need, takes seconds to load.
    from genrecall.pipeline.run import check_settings

    check_settings(config)
    write_result(json_file, dict(summary))
    say_next("run", config_file)
