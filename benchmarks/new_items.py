"""Recall of items that came after training: hidden from all of it, then added to the channels.

    python -m benchmarks.new_items CONFIG [--share 0.1] [--seeds N] [--oracle] [--out DIR]

A share of the items is hidden from the tables, the pipeline runs on what is left, and the hidden
items are added with `OpenBundle.with_items`, which trains nothing. All channels then answer the
validation searches of the whole shop. For the rows `new items` only hidden items count as
relevant, for `known items` only the others; the answers are the same. `--oracle` runs the pipeline
on the whole shop, too, and says what share of its recall of the new items was reached without
training.

Every repetition hides other items and trains with another seed. Runs are kept in DIR and resumed.
Shapes: `M` searches, `N` items.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.command import add_arguments, read_config, repetition, settings_of, write_figures
from benchmarks.figures import figure_table, say_all, say_figure
from benchmarks.holdout import hide_items, is_hidden
from genrecall.bundle import OpenBundle
from genrecall.channels.base import Request
from genrecall.channels.topk import top_k
from genrecall.config import Config
from genrecall.data.load import load_tables
from genrecall.data.tables import Catalog, Rows, Searches
from genrecall.evaluate.bootstrap import Bootstrap, numbered
from genrecall.evaluate.figures import Figures, Measures, differences, estimates
from genrecall.evaluate.measures import recall_at
from genrecall.evaluate.names import BEAM_WIDTHS, GENERATIVE, JOIN, RECALL_AT, K
from genrecall.foundation.errors import DataError
from genrecall.funnel.config import FusionConfig
from genrecall.funnel.weights import cross_fitted_fusion
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.generated import answer_searches
from genrecall.offline.requests import DistinctRequests
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import open_made
from genrecall.text.normalize import query_keys

_FUSIONS: Final = (("bm25", "dense"), ("bm25", "dense", GENERATIVE))
_BEAMS: Final = "generative, its beams"
"""Row of the table that says how often the relevant item's SID is among the beams."""
_PAIRED: Final = (
    ("generative", "bm25"),
    ("generative", "dense"),
    ("bm25+dense+generative", "bm25+dense"),
)
_LEAST_QUERIES: Final = 20


@dataclass(frozen=True, eq=False)
class Found:
    """What the channels found of some relevant items, search by search.

    Attributes:
        queries: key of the query of each search.
        channels: measures by channel.
    """

    queries: list[str]
    channels: Mapping[str, Measures]

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """Resamples of the queries."""
        return Bootstrap(len(self.queries), groups=numbered(self.queries))


@dataclass(frozen=True, eq=False)
class Repetition:
    """What one repetition measured.

    Attributes:
        found: by kind of relevant items: `new`, `known`, and `oracle` for the new ones in a run
            that trained with them.
        counts: of items and SIDs.
    """

    found: Mapping[str, Found]
    counts: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Measured:
    """The measured searches, with catalog rows of the whole shop.

    Attributes:
        searches: validation searches, at least one relevant item each.
        new: hidden relevant items of each; empty where it was not drawn for them.
        known: the other relevant items of each; empty where it was not drawn for them.
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
    run(repetition(config, number), whole, last="calibrate" if oracle else "data")
    reduced = Outputs(folder / "reduced")
    run(repetition(config, number, data=holdout.data), reduced, last="calibrate")

    catalog, searches = load_tables(whole.open_stage("data"))
    hidden = is_hidden(catalog.item_ids, share=share, seed=number)
    measured = choose(searches, hidden, count=config.evaluate.searches, seed=number)
    before = open_made(reduced, config.channels)
    parts = before.with_items(holdout.items)
    fusion = config.funnel.fusion
    found = measure(parts, measured, whole=catalog, fusion=fusion, seed=number)
    if oracle:
        trained = open_made(whole, config.channels)
        of_all = measure(trained, measured, whole=catalog, fusion=fusion, seed=number)
        found["oracle"] = of_all["new"]
    sizes, sizes_before = parts.items.table.sizes, before.items.table.sizes
    counts = {
        "known items": len(before.items),
        "new items": holdout.items.height,
        "SIDs": len(sizes),
        "SIDs with a new item": int((sizes > sizes_before).sum()),
        "items of the largest SID before": int(sizes_before.max()),
        "items of the largest SID": int(sizes.max()),
    }
    return Repetition(found, counts)


def choose(searches: Searches, hidden: NDArray[np.bool_], *, count: int, seed: int) -> Measured:
    """Choose the validation searches to measure: at most `count` for either kind of relevant items.

    Raises:
        DataError: no validation search has a hidden relevant item.
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
            "no validation search has a hidden relevant item, so there is nothing to measure. Hide "
            "a larger share, or give more searches."
        )
    return Measured(Searches(every.frame[places]), new, known)


def _draw(relevant: Sequence[Rows], *, count: int, seed: int) -> list[Rows]:
    """The relevant items of at most `count` searches; none of the others.

    A search drawn for its known items does not count for its new ones: those with both kinds would
    be drawn more often than others.
    """
    usable = np.flatnonzero([len(rows) > 0 for rows in relevant])
    drawn = set(np.random.default_rng(seed).permutation(usable)[:count].tolist())
    return [rows if place in drawn else rows[:0] for place, rows in enumerate(relevant)]


def measure(
    parts: OpenBundle, measured: Measured, *, whole: Catalog, fusion: FusionConfig, seed: int
) -> dict[str, Found]:
    """Answer the searches and look where the relevant items stand.

    A channel leaves ties in catalog order, where new items come last. That says nothing about how
    well it finds them, so all answers are ranked again as rows of the whole shop, in its order.

    Args:
        parts: what the channels are made of.
        measured: the searches.
        whole: the catalog of the whole shop; `parts` has the same items in any order.
        fusion: how lists become one.
        seed: of the folds of the fusion.
    """
    requests = DistinctRequests([Request(query) for query in measured.searches.queries])
    generated = answer_searches(FoldedChannel(parts.of_folds()), requests, K, max(BEAM_WIDTHS))
    # BM25 has many ties, and the dense channel some where titles are alike.
    answers = {
        channel.name: requests.ask(channel, 2 * K) for channel in (parts.lexical(), parts.dense())
    } | {GENERATIVE: generated.rankings}
    row_in_whole = np.array([whole.row_of[item_id] for item_id in parts.items.catalog.item_ids])
    rankings = {
        name: [top_k(row_in_whole[answer.rows], answer.scores, K) for answer in lists]
        for name, lists in answers.items()
    }
    keys = query_keys(measured.searches.queries)
    for names in _FUSIONS:
        # Weights are fitted on known items: a shop has none of the others when it fits them.
        rankings[JOIN.join(names)] = cross_fitted_fusion(
            {name: rankings[name] for name in names},
            measured.known,
            K,
            config=fusion,
            groups=numbered(keys),
            seed=seed,
        ).rankings
    sids = np.empty(len(whole), dtype=np.int64)  # (N,)
    sids[row_in_whole] = parts.items.table.sid_of_item
    found = {}
    for kind, relevant in {"new": measured.new, "known": measured.known}.items():
        usable = [place for place, rows in enumerate(relevant) if len(rows)]
        wanted = [relevant[place] for place in usable]
        channels = {
            name: recall_at([lists[place].rows for place in usable], wanted, RECALL_AT)
            for name, lists in rankings.items()
        }
        of_items = [sids[rows] for rows in wanted]
        beams = list(generated.sids[usable])
        channels[_BEAMS] = recall_at(beams, of_items, BEAM_WIDTHS, name="hit@beam")
        found[kind] = Found([keys[place] for place in usable], channels)
    return found


def summarize(repetitions: Sequence[Repetition]) -> dict[str, Any]:
    """Means over the searches of all repetitions, with intervals over their queries."""
    pools = {
        kind: _pool([repetition.found[kind] for repetition in repetitions])
        for kind in repetitions[0].found
    }
    result: dict[str, Any] = {"counts": [dict(repetition.counts) for repetition in repetitions]}
    for kind, pool in pools.items():
        result[kind] = estimates(pool.channels, pool.bootstrap.mean)
    new = pools["new"]
    result["paired"] = estimates(
        differences(new.channels, _PAIRED), new.bootstrap.mean, paired=True
    )
    if "oracle" in pools:
        result["share_of_oracle"] = _shares(new, pools["oracle"])
    return result


def _pool(parts: Sequence[Found]) -> Found:
    """The searches of several repetitions together."""
    channels = {
        name: {
            measure: np.concatenate([part.channels[name][measure] for part in parts])
            for measure in measures
        }
        for name, measures in parts[0].channels.items()
    }
    return Found([query for part in parts for query in part.queries], channels)


def _shares(new: Found, oracle: Found) -> Figures:
    """None where the oracle finds so little that a resample might hold nothing of it."""
    queries = np.array(new.queries, dtype=object)
    shares: Figures = {}
    for name, measures in new.channels.items():
        shares[name] = {}
        for measure, values in measures.items():
            whole = oracle.channels[name][measure]
            enough = len(set(queries[whole > 0])) >= _LEAST_QUERIES
            share = new.bootstrap.ratio(values, whole).to_json() if enough else None
            shares[name][measure] = share
    return shares


def print_result(result: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Print settings, counts and the table."""
    console = console or Console(width=100, highlight=False)
    console.print(f"settings: {say_all(result['settings'])}", markup=False)
    for number, counts in enumerate(result["counts"]):
        console.print(f"seed {number}: {say_all(counts, ',')}", markup=False)
    columns = zip(RECALL_AT, BEAM_WIDTHS, strict=True)
    headings = (f"recall@{k}\nhit@beam{width}" for k, width in columns)
    table = figure_table(["95 % interval in brackets", *headings])

    def add(title: str, rows: Figures, sign: str = "") -> None:
        table.add_row(title)
        for name, figures in rows.items():
            table.add_row(f"  {name}", *(say_figure(of, sign) for of in figures.values()))

    n = {kind: next(iter(result[kind]["bm25"].values()))["n"] for kind in ("new", "known")}
    add(f"new items, {n['new']:,} searches", result["new"])
    add("  differences", result["paired"], "+")
    add(f"known items, {n['known']:,} searches", result["known"])
    if "oracle" in result:
        add("new items, trained on, too", result["oracle"])
        add("  share of it reached untrained", result["share_of_oracle"])
    console.print(table)


if __name__ == "__main__":
    main()
