"""Answers on the command line: one query explained, or a file of queries into a TREC run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from genrecall.channels.base import Request
from genrecall.channels.bundle import load
from genrecall.channels.generative import Beam, Hit
from genrecall.errors import RequestError
from genrecall.evaluate.trec import write_run
from genrecall.index.filters import parse_filters


@dataclass(frozen=True)
class Answer:
    """What one query recalled.

    Attributes:
        query: what was asked.
        hits: items, best first.
        beams: generated SIDs, best first; empty unless asked to explain.
    """

    query: str
    hits: Sequence[Hit]
    beams: Sequence[Beam]

    def to_json(self) -> Mapping[str, Any]:
        """The answer as JSON."""
        return {
            "query": self.query,
            "items": [
                {
                    "item_id": hit.item_id,
                    "title": hit.title,
                    "score": hit.score,
                    "rank": hit.rank,
                    "sid": str(hit.sid),
                }
                for hit in self.hits
            ],
            "sids": [
                {
                    "sid": str(beam.sid),
                    "logprob": beam.logprob,
                    "items": beam.items,
                    "category": beam.category,
                    "titles": beam.titles,
                }
                for beam in self.beams
            ],
        }


def answer(
    bundle: Path, query: str, *, k: int, user: str | None, filters: Sequence[str], explain: bool
) -> Answer:
    """Recall items for one query.

    Raises:
        ArtifactError: the bundle is missing or damaged.
        RequestError: an empty query, `k < 1` or an unusable filter.
    """
    channel = load(bundle)
    conditions = parse_filters(filters) or None
    hits = channel.recall(query, user=user, k=k, filters=conditions)
    beams = channel.explain(Request(query, user_id=user, filters=conditions)) if explain else []
    return Answer(query=query, hits=hits, beams=beams)


def answer_file(
    bundle: Path, queries: Path, run_file: Path, *, k: int, filters: Sequence[str]
) -> None:
    """Recall items for every line of a file and write a TREC run; the search id is the line number.

    Raises:
        ArtifactError: the bundle is missing or damaged.
        RequestError: the file cannot be read or holds an empty line, `k < 1`, an unusable filter.
    """
    try:
        lines = queries.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{queries} cannot be read as UTF-8 text ({error}).") from error
    empty = [number for number, line in enumerate(lines, start=1) if not line.strip()]
    if empty or not lines:
        where = f"line {empty[0]} is empty" if empty else "it has no line"
        raise RequestError(f"{queries} needs one query a line, and {where}.")
    channel = load(bundle)
    conditions = parse_filters(filters) or None
    rankings = channel.rank([Request(line, filters=conditions) for line in lines], k)
    write_run(
        run_file,
        search_ids=[str(number) for number in range(1, len(lines) + 1)],
        item_ids=channel.catalog.item_ids,
        rows=[ranking.rows for ranking in rankings],
        scores=[ranking.scores for ranking in rankings],
    )


def print_answer(answer: Answer, console: Console | None = None) -> None:
    """Print the items, and before them the SIDs that led to them."""
    console = console or Console()
    if answer.beams:
        table = Table(title=f"SIDs generated for {answer.query!r}", title_justify="left", box=None)
        table.add_column("probability", justify="right")
        table.add_column("SID")
        table.add_column("items", justify="right")
        table.add_column("category and titles nearest to its middle")
        for beam in answer.beams:
            category = " > ".join(beam.category) if beam.category else "no category"
            shown = f"{category}: {'; '.join(beam.titles)}"
            table.add_row(f"{math.exp(beam.logprob):.4f}", str(beam.sid), str(beam.items), shown)
        console.print(table, markup=False)
    table = Table(title=f"items for {answer.query!r}", title_justify="left", box=None)
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("item_id")
    table.add_column("SID")
    table.add_column("title")
    for hit in answer.hits:
        table.add_row(str(hit.rank), f"{hit.score:.3f}", hit.item_id, str(hit.sid), hit.title)
    console.print(table, markup=False)
    if not answer.hits:
        console.print("no live item passes; loosen the filters or try other words")
