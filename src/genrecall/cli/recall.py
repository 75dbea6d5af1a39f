"""The command `recall`: answers of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrecall.cli.shared import BundleFolder, JsonFile, say_next, write_result, wrote
from genrecall.foundation.errors import RequestError


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
    from genrecall.cli import answers

    if queries is not None and run_file is not None:
        answers.answer_file(bundle, queries, run_file, k=k, filters=filters or [])
        wrote(run_file)
        return
    answer = answers.answer(
        bundle, query or "", k=k, user=user, filters=filters or [], explain=explain
    )
    print("\n".join(answers.describe(answer)))
    write_result(json_file, answer.to_dict())
    if not explain:
        filtered = [word for condition in filters or [] for word in ("--filter", condition)]
        say_next("recall", bundle, query, "-k", k, *filtered, "--explain")
