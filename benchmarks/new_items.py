"""Recall of items that came after training: hidden from all of it, then added to the channels.

    python -m benchmarks.new_items CONFIG [--share 0.1] [--seeds N] [--oracle] [--out DIR]

A share of the items is hidden from the tables, the pipeline runs on what is left, and the hidden
items are added with `OpenBundle.with_items`, which trains nothing. All channels then answer the
validation searches of the whole shop. For the rows `new items` only hidden items count as good, for
`known items` only the others; the answers are the same. `--oracle` runs the pipeline on the whole
shop, too, and says what share of its recall of the new items was reached without training.

Every repetition hides other items and trains with another seed. Runs are kept in DIR and resumed.
Shapes: `M` searches, `N` items.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.command import (
    add_arguments,
    read_config,
    repetition,
    say_figure,
    settings_of,
    write_figures,
)
from benchmarks.holdout import hide_items, is_hidden
from genrecall.bundle import OpenBundle, assemble
from genrecall.channels.base import Channel, Ranking, Request
from genrecall.config import Config
from genrecall.data import stage as data_stage
from genrecall.data.tables import Catalog, Rows, Searches
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.measures import Floats, recall, target_ranks
from genrecall.evaluate.metrics import BEAM_WIDTHS, RECALL_AT, K
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import DataError
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.weights import cross_fitted_fusion
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import open_served
from genrecall.text.normalize import normalize

_FUSIONS: Final = (("bm25", "dense"), ("bm25", "dense", "generative"))
_BEAMS: Final = "generative, its beams"
"""Row of the table that says how often the good item's SID is among the beams."""
_PAIRED: Final = (
    ("generative", "bm25"),
    ("generative", "dense"),
    ("bm25+dense+generative", "bm25+dense"),
)
_LEAST_QUERIES: Final = 20

Measures = Mapping[str, Floats]
"""By measure a value for each search, float64 `[M]`."""


@dataclass(frozen=True, eq=False)
class Found:
    """What the channels found of some good items, search by search.

    Attributes:
        queries: normalized query of each search.
        channels: measures by channel.
    """

    queries: list[str]
    channels: Mapping[str, Measures]


@dataclass(frozen=True, eq=False)
class Repetition:
    """What one repetition measured.

    Attributes:
        found: by kind of good items: `new`, `known`, and `oracle` for the new ones in a run that
            trained with them.
        counts: of items and SIDs.
    """

    found: Mapping[str, Found]
    counts: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Asked:
    """The measured searches, with catalog rows of the whole shop.

    Attributes:
        searches: validation searches, at least one good item each.
        new: hidden good items of each; empty where it was not drawn for them.
        known: the other good items of each; empty where it was not drawn for them.
    """

    searches: Searches
    new: list[Rows]
    known: list[Rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the protocol and print the table."""
    parser = argparse.ArgumentParser(prog="new_items", description=__doc__.splitlines()[0])
    add_arguments(parser, out="runs/new_items")
    parser.add_argument("--oracle", action="store_true", help="compare with training on all items")
    given = parser.parse_args(arguments)
    config = read_config(given)
    repetitions = [
        repeat(config, number, share=given.share, oracle=given.oracle, out=given.out)
        for number in range(given.seeds)
    ]
    result = summarize(repetitions)
    result["settings"] = settings_of(given, config) | {
        "generator.query_to_sid.steps": config.generator.query_to_sid.steps,
        "searches": config.evaluate.searches,
    }
    print_result(result)
    write_figures(given, result)


def repeat(config: Config, number: int, *, share: float, oracle: bool, out: Path) -> Repetition:
    """Hide, train, add, measure."""
    folder = out / f"seed-{number}"
    holdout = hide_items(config.data, folder / "tables", share=share, seed=number)
    whole = Outputs(folder / "whole")
    run(repetition(config, number), whole, last="generator" if oracle else "data")
    reduced = Outputs(folder / "reduced")
    run(repetition(config, number, data=holdout.data), reduced, last="generator")

    catalog, searches = data_stage.load(open_artifact(whole.stage("data"), kind="data"))
    hidden = is_hidden(catalog.item_ids, share=share, seed=number)
    asked = ask(searches, hidden, count=config.evaluate.searches, seed=number)
    before = _load(reduced, config)
    parts = before.with_items(holdout.items)
    found = measure(parts, asked, whole=catalog, seed=number)
    if oracle:
        trained = measure(_load(whole, config), asked, whole=catalog, seed=number)
        found["oracle"] = trained["new"]
    sizes, added = parts.table.sizes, parts.table.sizes - before.table.sizes
    counts = {
        "known items": len(before.catalog),
        "new items": holdout.items.height,
        "SIDs": len(sizes),
        "SIDs with a new item": int((added > 0).sum()),
        "items of the largest SID before": int(before.table.sizes.max()),
        "items of the largest SID": int(sizes.max()),
    }
    return Repetition(found, counts)


def _load(outputs: Outputs, config: Config) -> OpenBundle:
    stages = open_served(outputs)
    return assemble(stages, channels=config.channels)


def ask(searches: Searches, hidden: NDArray[np.bool_], *, count: int, seed: int) -> Asked:
    """Choose the validation searches to measure: at most `count` for either kind of good items.

    Raises:
        DataError: no validation search has a hidden good item.
    """
    every = searches.of("validation")
    new, known = (
        _draw([rows[kind[rows]] for rows in every.positives], count=count, seed=seed)
        for kind in (hidden, ~hidden)
    )
    places = [
        place for place, some in enumerate(zip(new, known, strict=True)) if any(map(len, some))
    ]
    new, known = ([rows_of_search[place] for place in places] for rows_of_search in (new, known))
    if not any(len(rows) for rows in new):
        raise DataError(
            "no validation search has a hidden good item, so there is nothing to measure. Hide a "
            "larger share, or give more searches."
        )
    return Asked(Searches(every.frame[places]), new, known)


def _draw(good: Sequence[Rows], *, count: int, seed: int) -> list[Rows]:
    """The good items of at most `count` searches; none of the others.

    A search drawn for its known items does not count for its new ones: those with both kinds would
    be drawn more often than others.
    """
    usable = np.flatnonzero([len(rows) > 0 for rows in good])
    drawn = set(np.random.default_rng(seed).permutation(usable)[:count].tolist())
    return [rows if place in drawn else rows[:0] for place, rows in enumerate(good)]


def measure(parts: OpenBundle, asked: Asked, *, whole: Catalog, seed: int) -> dict[str, Found]:
    """Answer the searches and look where the good items stand.

    Args:
        parts: what the channels are made of.
        asked: the searches.
        whole: the catalog of the whole shop; `parts` has the same items in any order.
        seed: of the folds of the fusion.
    """
    spelled = [normalize(query) for query in asked.searches.queries]
    groups = np.unique(np.array(spelled, dtype=object), return_inverse=True)[1]
    row_in_whole = np.array([whole.row_of[item_id] for item_id in parts.catalog.item_ids])
    rankings, beams = _answer(parts, asked.searches.queries, row_in_whole)
    for names in _FUSIONS:
        # Weights are fitted on known items: a shop has none of the others when it fits them.
        rankings["+".join(names)] = cross_fitted_fusion(
            {name: rankings[name] for name in names},
            asked.known,
            K,
            config=FusionConfig(),
            groups=groups,
            seed=seed,
        ).rankings
    sids = np.empty(len(whole), dtype=np.int64)  # (N,)
    sids[row_in_whole] = parts.table.sid_of_item
    found = {}
    for kind, good in {"new": asked.new, "known": asked.known}.items():
        usable = [place for place, rows in enumerate(good) if len(rows)]
        wanted = [good[place] for place in usable]
        channels: dict[str, Measures] = {}
        for name, lists in rankings.items():
            ranks = target_ranks([lists[place].rows for place in usable], wanted)
            channels[name] = {f"recall@{k}": recall(ranks, k) for k in RECALL_AT}
        ranks = target_ranks(list(beams[usable]), [sids[rows] for rows in wanted])
        channels[_BEAMS] = {f"hit@beam{width}": recall(ranks, width) for width in BEAM_WIDTHS}
        found[kind] = Found([spelled[place] for place in usable], channels)
    return found


def _answer(
    parts: OpenBundle, asked: Sequence[str], row_in_whole: NDArray[np.int64]
) -> tuple[dict[str, list[Ranking]], NDArray[np.int64]]:
    """Rankings of rows of the whole shop by channel, and beams `[M, 100]`."""
    # A query that comes back is answered once.
    queries, spread = np.unique(np.array(asked, dtype=object), return_inverse=True)
    requests = [Request(query) for query in queries.tolist()]
    generative = parts.generative()
    channels: list[Channel] = [parts.lexical(), parts.dense(), generative]
    rankings = {}
    for channel in channels:
        # BM25 has many ties, and the others some where titles are alike.
        wide = K if channel is generative else 2 * K
        answers = [_untied(answer, row_in_whole) for answer in channel.rank(requests, wide)]
        rankings[channel.name] = [answers[place] for place in spread.tolist()]
    return rankings, generative.generate(requests, max(BEAM_WIDTHS)).leaves[spread]


def _untied(ranking: Ranking, row_in_whole: NDArray[np.int64]) -> Ranking:
    """The best `K`, as rows of the whole shop, ties in its order.

    A channel leaves ties in catalog order, where new items come last. That says nothing about how
    well it finds them.
    """
    rows = row_in_whole[ranking.rows].astype(np.int32)
    best = np.lexsort((rows, -ranking.scores))[:K]
    return Ranking(rows[best], ranking.scores[best], beams=ranking.beams)


def summarize(repetitions: Sequence[Repetition]) -> dict[str, Any]:
    """Means over the searches of all repetitions, with intervals over their queries."""
    pools = {
        kind: _Pool([repetition.found[kind] for repetition in repetitions])
        for kind in repetitions[0].found
    }
    result: dict[str, Any] = {"counts": [dict(repetition.counts) for repetition in repetitions]}
    for kind in ("new", "known"):
        result[kind] = pools[kind].means()
    result["paired"] = {
        f"{name} - {other}": pools["new"].differences(name, other) for name, other in _PAIRED
    }
    if "oracle" in pools:
        result["oracle"] = pools["oracle"].means()
        result["share_of_oracle"] = pools["new"].shares_of(pools["oracle"])
    return result


class _Pool:
    """The searches of several repetitions together."""

    def __init__(self, parts: Sequence[Found]) -> None:
        queries = [query for part in parts for query in part.queries]
        self._groups = np.unique(np.array(queries, dtype=object), return_inverse=True)[1]
        self._bootstrap = Bootstrap(len(queries), groups=self._groups)
        self.values = {
            name: {
                measure: np.concatenate([part.channels[name][measure] for part in parts])
                for measure in measures
            }
            for name, measures in parts[0].channels.items()
        }

    def means(self) -> dict[str, dict[str, Any]]:
        return {
            name: {
                measure: self._bootstrap.mean(values).to_json()
                for measure, values in measures.items()
            }
            for name, measures in self.values.items()
        }

    def differences(self, name: str, other: str) -> dict[str, Any]:
        less = self.values[other]
        return {
            measure: self._bootstrap.difference(values, less[measure]).to_json()
            for measure, values in self.values[name].items()
        }

    def shares_of(self, oracle: _Pool) -> dict[str, dict[str, Any]]:
        """None where the oracle finds so little that a resample might hold nothing of it."""
        shares: dict[str, dict[str, Any]] = {}
        for name, measures in self.values.items():
            shares[name] = {}
            for measure, values in measures.items():
                whole = oracle.values[name][measure]
                enough = len(np.unique(self._groups[whole > 0])) >= _LEAST_QUERIES
                share = self._bootstrap.ratio(values, whole).to_json() if enough else None
                shares[name][measure] = share
        return shares


def print_result(result: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Print settings, counts and the table."""
    console = console or Console(width=100, highlight=False)
    settings = ", ".join(f"{name} {value}" for name, value in result["settings"].items())
    console.print(f"settings: {settings}", markup=False)
    for number, counts in enumerate(result["counts"]):
        told = ", ".join(f"{name} {value:,}" for name, value in counts.items())
        console.print(f"seed {number}: {told}", markup=False)
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("95 % interval in brackets", no_wrap=True)
    for k, width in zip(RECALL_AT, BEAM_WIDTHS, strict=True):
        table.add_column(f"recall@{k}\nhit@beam{width}", justify="right", no_wrap=True)
    n = {kind: next(iter(result[kind]["bm25"].values()))["n"] for kind in ("new", "known")}
    _add_block(table, f"new items, {n['new']:,} searches", result["new"])
    _add_block(table, "  differences", result["paired"], sign="+")
    _add_block(table, f"known items, {n['known']:,} searches", result["known"])
    if "oracle" in result:
        _add_block(table, "new items, trained on, too", result["oracle"])
        _add_block(table, "  share of it reached untrained", result["share_of_oracle"])
    console.print(table)


def _add_block(
    table: Table, title: str, rows: Mapping[str, Mapping[str, Any]], *, sign: str = ""
) -> None:
    table.add_row(title)
    for name, figures in rows.items():
        cells = ("-" if figure is None else say_figure(figure, sign) for figure in figures.values())
        table.add_row(f"  {name}", *cells)


if __name__ == "__main__":
    main()
