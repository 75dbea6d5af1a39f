"""Answers on the command line: to one query, explained, or to a file of queries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from genrecall.bundle import load, open_bundle
from genrecall.channels.answer import Answer, Beam
from genrecall.channels.base import LONGEST_QUERY, Page, Request
from genrecall.channels.fields import check_fields
from genrecall.data.shoppers import HISTORY, Shopper
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import RequestError
from genrecall.foundation.garbage import uncollected
from genrecall.generator.history import ShopperSettings
from genrecall.learning.threads import set_threads

if TYPE_CHECKING:
    from genrecall.data.filters.items import Filters

_TITLES: Final = 2  # of an explained SID


@uncollected()
def answer(
    bundle: Path,
    query: str,
    page: Page,
    *,
    user: str | None,
    filters: Sequence[str],
    explain: bool,
    threads: int,
) -> Answer:
    """Recall items for one query.

    Args:
        bundle: its folder.
        query: what was typed.
        page: which items of the answer, and what of them.
        user: `user_id` of a shopper whom the run beside the bundle knows; None for nobody.
        filters: conditions as on the command line.
        explain: whether to explain the SIDs.
        threads: that compute.

    Raises:
        ArtifactError: the bundle, or for a `user` the run's data stage, is missing or damaged.
        RequestError: an empty query, an unusable filter or an unknown `user`.
    """
    shopper = None if user is None else _find_shopper(bundle, user)
    request = Request(query, filters=_conditions(filters))
    channel = open_bundle(bundle, threads=threads, prepare=False).generative()
    notes: tuple[str, ...] = ()
    if shopper is not None:
        # Its tables may tell more of a shopper than the bundle reads, and that is no mistake.
        read, notes = _as_read(shopper, channel.generator.shopper)
        request = replace(request, shopper=read)
    if explain:
        told = channel.answer(request, page.k, titles=_TITLES, **_rest(page))
    else:
        (told,) = channel.recall_many([request], page.k, **_rest(page))
    return replace(told, notes=(*notes, *told.notes))


def _conditions(filters: Sequence[str]) -> Filters | None:
    """Filters as they stand on the command line; None for none."""
    if not filters:
        return None
    # Recall without filters does not wait for what reads them.
    from genrecall.data.filters.expressions import parse_filters

    return parse_filters(filters)


def _rest(page: Page) -> dict[str, Any]:
    return {"offset": page.offset, "min_score": page.min_score, "fields": page.fields}


def _as_read(shopper: Shopper, settings: ShopperSettings) -> tuple[Shopper, tuple[str, ...]]:
    """A shopper without the fields that a generator never reads, and a note on these."""
    fields = settings.fields
    left = sorted({field for field, _ in shopper.profile if field not in fields})
    if not left or not (fields or settings.history):
        return shopper, ()
    profile = [pair for pair in shopper.profile if pair[0] in fields]
    return Shopper(profile, shopper.history), (f"of the profile {', '.join(left)} is not read",)


def _find_shopper(bundle: Path, user: str) -> Shopper:
    """A shopper of the run that the bundle lies in; bundles hold nothing of single shoppers."""
    # Recall without a shopper does not wait for these.
    from genrecall.data.load import KIND as DATA
    from genrecall.data.load import load_shoppers
    from genrecall.pipeline.outputs import Outputs

    data = open_artifact(Outputs(bundle.parent).stage("data"), kind=DATA)
    known, user = load_shoppers(data), user.strip()  # as ids are read
    if known is None or user not in known:
        knows = "nothing of any shopper" if known is None else f"{len(known):,} others"
        raise RequestError(
            f"{data.path} does not know the shopper {user!r}; it knows {knows}. Give a user_id of "
            "its tables, or leave --user out."
        )
    return known.at(user, limit=HISTORY)


class FileOfAnswers:
    """The answers to every line of a file; the search id is the line number.

    Blank lines are no searches: they are left out, and counted by `describe`.

    Args:
        bundle: its folder.
        queries: the file.
        page: which items of each answer, and what of them.
        filters: conditions as on the command line.
        threads: that compute; None for as many as there are.

    Raises:
        ArtifactError: the bundle is missing or damaged.
        RequestError: the file cannot be read, holds no query or a line that is too long; an
            unusable filter or an unknown field.
    """

    def __init__(
        self,
        bundle: Path,
        queries: Path,
        page: Page,
        *,
        filters: Sequence[str],
        threads: int | None,
    ) -> None:
        lines = _read_queries(queries)
        asked = {number: line for number, line in lines.items() if line.strip()}
        conditions = _conditions(filters)
        self._page = page
        self._numbers, self._blank = list(asked), len(lines) - len(asked)
        self._requests = [Request(line, filters=conditions) for line in asked.values()]
        set_threads(threads)
        self._channel = load(bundle, threads=None)
        self._notes = self._channel.check(self._requests)
        check_fields(self._channel.items, page.fields)
        self._rankings = self._channel.rank(self._requests, page.depth)

    @property
    def search_ids(self) -> list[str]:
        """The numbers of the lines."""
        return [str(number) for number in self._numbers]

    def write_run(self, stream: TextIO) -> None:
        """Write a TREC run."""
        from genrecall.evaluate.trec import write_run

        parts = [self._page.part(ranking) for ranking in self._rankings]
        cut = list(zip(self._rankings, parts, strict=True))
        write_run(
            stream,
            search_ids=self.search_ids,
            item_ids=self._channel.items.catalog.item_ids,
            rows=[ranking.rows[part] for ranking, part in cut],
            scores=[ranking.scores[part] for ranking, part in cut],
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        asked = zip(self.search_ids, self._requests, self._rankings, self._notes, strict=True)
        answers = (
            {"search_id": number}
            | self._channel.answer_with(request, ranking, self._page, notes).to_dict()
            for number, request, ranking, notes in asked
        )
        return {"answers": list(answers)}

    def describe(self) -> list[str]:
        """Say how many lines are blank and how many queries have no item, the first of each why."""
        empty: dict[tuple[bool, int], list[int]] = {}
        for place, ranking in enumerate(self._rankings):
            part = self._page.part(ranking)
            if part.start >= part.stop:
                empty.setdefault((ranking.known, len(ranking.rows) > 0), []).append(place)
        kind = "blank line" if self._blank == 1 else "blank lines"
        lines = [f"{self._blank:,} {kind} left out"] if self._blank else []
        for places in empty.values():
            first = places[0]
            told = self._channel.answer_with(
                self._requests[first], self._rankings[first], self._page, ()
            )
            assert told.no_hits is not None
            lines.append(
                f"{len(places):,} of {len(self._requests):,} queries without an item, such as that "
                f"of line {self._numbers[first]}: {told.no_hits.message}"
            )
        return lines


def describe(answer: Answer) -> list[str]:
    r"""Say an answer in lines for the terminal: the items, and before them the SIDs behind them.

    >>> from genrecall import NoHits
    >>> why = NoHits("no_such_value", "no item has brand 'Acne'; did you mean 'Acme'?")
    >>> print(*describe(Answer("drill", hits=[], no_hits=why)), sep="\n")
    items for 'drill':
      none: no item has brand 'Acne'; did you mean 'Acme'?
    """
    lines = [f"note: {note}" for note in answer.notes]
    lines += [f"{change.typed!r} is read as {change.read!r}" for change in answer.changes]
    if answer.beams is not None:
        lines += [f"SIDs generated for {answer.query!r}:", *_describe_beams(answer.beams)]
    lines.append(f"items for {answer.query!r}:")
    if answer.no_hits is not None:
        return [*lines, f"  none: {answer.no_hits.message}"]
    ids = max(len("item_id"), *(len(hit.item_id) for hit in answer.hits))
    sids = max(len(str(hit.sid)) for hit in answer.hits)
    lines.append(f"  rank   score  {'item_id':{ids}}  {'SID':{sids}}  title")
    return lines + [
        f"  {hit.rank:4}  {hit.score:6.3f}  {hit.item_id:{ids}}  {hit.sid!s:{sids}}  {hit.title}"
        + "".join(f"  {name}: {_shown(name, value)}" for name, value in hit.fields.items())
        for hit in answer.hits
    ]


def _shown(name: str, value: object) -> str:
    """A cell of the catalog, or the values of an attribute.

    >>> _shown("brand", None), _shown("category", ["Tools", "Drills"]), _shown("price", 9.5)
    ('unknown', 'Tools > Drills', '9.5')
    >>> _shown("attributes", {"color": ["red", "blue"]}), _shown("color", ["red", "blue"])
    ('color red blue', 'red, blue')
    """
    if value is None:
        return "unknown"
    if isinstance(value, dict):
        return "; ".join(f"{key} {' '.join(values)}" for key, values in value.items())
    if isinstance(value, list):
        return (" > " if name == "category" else ", ").join(value)
    return str(value)


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


def _read_queries(path: Path) -> dict[int, str]:
    """The lines of a file by their numbers, blank ones too; at least one is not."""
    try:
        # Line feeds alone end a query: `splitlines` also cuts at form feeds, U+0085 and U+2028.
        text = path.read_bytes().decode("utf-8-sig").removesuffix("\n")
        lines = [line.removesuffix("\r") for line in text.split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read as UTF-8 text ({error}).") from error
    if not text.strip():
        raise RequestError(f"{path} holds no query; give one a line.")
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_QUERY:
            raise RequestError(
                f"line {number} of {path} has {len(line):,} characters; a query has at most "
                f"{LONGEST_QUERY:,}."
            )
    return dict(enumerate(lines, start=1))
