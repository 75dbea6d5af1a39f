"""Answers on the command line: one query explained, or a file of queries into a TREC run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from genrecall.bundle import load
from genrecall.channels.answer import Answer, Beam
from genrecall.channels.base import Request
from genrecall.data.shoppers import HISTORY, Shopper
from genrecall.evaluate.trec import write_run
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import RequestError
from genrecall.index.filters import parse_filters

_TITLES: Final = 2  # of an explained SID


def answer(
    bundle: Path, query: str, *, k: int, user: str | None, filters: Sequence[str], explain: bool
) -> Answer:
    """Recall items for one query.

    Args:
        bundle: its folder.
        query: what was typed.
        k: items at most.
        user: `user_id` of a shopper whom the run beside the bundle knows; None for nobody.
        filters: conditions as on the command line.
        explain: whether to explain the SIDs.

    Raises:
        ArtifactError: the bundle, or for a `user` the run's data stage, is missing or damaged.
        RequestError: an empty query, `k < 1`, an unusable filter or an unknown `user`.
    """
    torch.set_num_threads(1)  # one query is too little work to share
    shopper = None if user is None else _find_shopper(bundle, user)
    request = Request(query, shopper, filters=parse_filters(filters) or None)
    channel = load(bundle)
    if explain:
        return channel.answer(request, k, titles=_TITLES)
    return Answer(query, channel.recall(query, user=shopper, k=k, filters=request.filters))


def _find_shopper(bundle: Path, user: str) -> Shopper:
    """A shopper of the run that the bundle lies in; bundles hold nothing of single shoppers."""
    # Recall without a shopper does not wait for these.
    from genrecall.data.load import KIND as DATA
    from genrecall.data.load import load_shoppers
    from genrecall.pipeline.outputs import Outputs

    data = open_artifact(Outputs(bundle.parent).stage("data"), kind=DATA)
    known = load_shoppers(data)
    if known is None or user not in known:
        knows = "nothing of any shopper" if known is None else f"{len(known):,} others"
        raise RequestError(
            f"{data.path} does not know the shopper {user!r}; it knows {knows}. Give a user_id of "
            "its tables, or leave --user out."
        )
    return known.at(user, limit=HISTORY)


def answer_file(
    bundle: Path, queries: Path, run_file: Path, *, k: int, filters: Sequence[str]
) -> None:
    """Recall items for every line of a file and write a TREC run; the search id is the line number.

    Raises:
        ArtifactError: the bundle is missing or damaged.
        RequestError: the file cannot be read or holds an empty line, `k < 1`, an unusable filter.
    """
    lines = _read_queries(queries)
    conditions = parse_filters(filters) or None
    channel = load(bundle)
    rankings = channel.rank([Request(line, filters=conditions) for line in lines], k)
    run_file.parent.mkdir(parents=True, exist_ok=True)
    write_run(
        run_file,
        search_ids=[str(number) for number in range(1, len(lines) + 1)],
        item_ids=channel.items.catalog.item_ids,
        rows=[ranking.rows for ranking in rankings],
        scores=[ranking.scores for ranking in rankings],
    )


def describe(answer: Answer) -> list[str]:
    r"""Say an answer in lines for the terminal: the items, and before them the SIDs behind them.

    >>> print(*describe(Answer("drill", hits=[])), sep="\n")
    items for 'drill':
      none: no live item passes; loosen the filters or try other words
    """
    lines = []
    if answer.beams is not None:
        lines += [f"SIDs generated for {answer.query!r}:", *_describe_beams(answer.beams)]
    lines.append(f"items for {answer.query!r}:")
    if not answer.hits:
        return [*lines, "  none: no live item passes; loosen the filters or try other words"]
    ids = max(len("item_id"), *(len(hit.item_id) for hit in answer.hits))
    sids = max(len(str(hit.sid)) for hit in answer.hits)
    lines.append(f"  rank   score  {'item_id':{ids}}  {'SID':{sids}}  title")
    return lines + [
        f"  {hit.rank:4}  {hit.score:6.3f}  {hit.item_id:{ids}}  {hit.sid!s:{sids}}  {hit.title}"
        for hit in answer.hits
    ]


def _describe_beams(beams: Sequence[Beam]) -> list[str]:
    if not beams:
        return ["  none: no SID holds a live item that passes"]
    sids = max(len(str(beam.sid)) for beam in beams)
    lines = [f"  probability  items  {'SID':{sids}}  category, and titles nearest to its middle"]
    for beam in beams:
        category = " > ".join(beam.category) if beam.category else "no category"
        lines.append(
            f"  {math.exp(beam.logprob):11.4f}  {beam.items:5}  {beam.sid!s:{sids}}  {category}"
        )
        lines += [f"{'':{sids + 24}}{title}" for title in beam.titles]
    return lines


def _read_queries(path: Path) -> list[str]:
    try:
        # Line feeds alone end a query: `splitlines` also cuts at form feeds, U+0085 and U+2028.
        text = path.read_bytes().decode("utf-8-sig").removesuffix("\n")
        lines = [line.removesuffix("\r") for line in text.split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read as UTF-8 text ({error}).") from error
    empty = [number for number, line in enumerate(lines, start=1) if not line.strip()]
    if empty:
        where = f"line {empty[0]} is empty" if text else "it has no line"
        raise RequestError(f"{path} needs one query a line, and {where}.")
    return lines
