"""The command `recall`: answers of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from genrecall.cli.shared import (
    AskingThreads,
    BundleFolder,
    JsonFile,
    RunFile,
    result_stream,
    say_next,
    write_result,
)
from genrecall.foundation.errors import RequestError
from genrecall.foundation.garbage import uncollected


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
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--field", help="Show a column or an attribute, such as price or color; repeatable."
        ),
    ] = None,
    offset: Annotated[int, typer.Option(help="Leave out so many of the best items.")] = 0,
    min_score: Annotated[
        float | None,
        typer.Option(
            help="The least score of an item, such as 0.01: of items below it, fewer than one in a "
            "hundred is relevant. Any by default."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the generated SIDs and what they hold.")
    ] = False,
    queries: Annotated[
        Path | None, typer.Option(help="Answer every query of a file, one a line.")
    ] = None,
    run_file: RunFile = None,
    json_file: JsonFile = None,
    threads: AskingThreads = None,
) -> None:
    """Recall items for a query, or for a file of queries."""
    if (query is None) == (queries is None):
        raise RequestError("give either a query or --queries FILE.")
    if queries is None and run_file is not None:
        raise RequestError("--run is for the answers to --queries FILE; give that, too.")
    if queries is not None and run_file is None and json_file is None:
        raise RequestError(
            "--queries writes its answers to a file: give --run FILE or --json FILE."
        )
    if queries is not None and (explain or user):
        raise RequestError("--explain and --user go with a single query, not --queries.")
    with uncollected():
        from genrecall.channels.base import Page
        from genrecall.cli import answers

    page = Page(k, offset, min_score, fields or ())
    if queries is not None:
        answered = answers.FileOfAnswers(
            bundle, queries, page, filters=filters or [], threads=threads
        )
        if run_file is not None:
            with result_stream(run_file) as stream:
                answered.write_run(stream)
        if json_file is not None:
            write_result(json_file, answered.to_dict())
        for note in answered.describe():
            print(f"note: {note}")
        return
    answer = answers.answer(
        bundle,
        query or "",
        page,
        user=user,
        filters=filters or [],
        explain=explain,
        threads=threads or 1,
    )
    print("\n".join(answers.describe(answer)))
    write_result(json_file, answer.to_dict())
    if not explain:
        more: dict[str, Any] = {"--user": user, "--filter": filters, "--field": fields}
        more |= {"--offset": offset or None, "--min-score": min_score}
        say_next("recall", bundle, query, "-k", k, *_options(more), "--explain")


def _options(given: Mapping[str, Any]) -> list[Any]:
    """Options as they are typed again; those of None were not given.

    >>> _options({"--filter": ["a=b", "c>1"], "--offset": 20, "--user": None})
    ['--filter', 'a=b', '--filter', 'c>1', '--offset', 20]
    """
    return [word for name, value in given.items() for each in _each(value) for word in (name, each)]


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
