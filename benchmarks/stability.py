"""How many SIDs change when the catalog grows and the tokenizer is trained again.

    python -m benchmarks.stability CONFIG [--share 0.1] [--seeds N] [--out DIR]

A share of the items is hidden, encoder and tokenizer are trained on what is left. Then the hidden
items come, with vectors of the same encoder, and get SIDs in three ways:

- `frozen`: nothing is trained; a new item takes the nearest SID that has items, as in a channel.
- `cold`: the tokenizer is trained on all items from the start.
- `warm`: it is trained on all items, starting from the one that is there.

For each: the share of the items known before whose SID is another one (`moved`) and of those that
left their group whatever its codes are now (`regrouped`); the mean squared distance of an item's
vector to the mean of its SID; the items per SID; and which share of the relevant items of
validation queries is behind the best 10 and 100 SIDs by the look-ahead alone, which needs no
generator (`generator/compact/look_ahead.py`), and behind as many SIDs as hold the items of
`frozen`'s 10 and 100.

Every repetition hides other items and trains with another seed. Runs are kept in DIR and resumed.
Shapes: `N` items, `M` searches, `T` repetitions.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.command import add_arguments, read_config, repetition, settings_of, write_figures
from benchmarks.figures import figure_table, say_all, say_figure
from benchmarks.holdout import hide_items, is_hidden
from genrecall import __version__
from genrecall.config import Config
from genrecall.data.load import load_shop
from genrecall.data.tables import Catalog, Searches
from genrecall.data.texts import texts_beside
from genrecall.embed.load import load_views
from genrecall.evaluate.bootstrap import Bootstrap, numbered
from genrecall.evaluate.equal import BeamCurve, at_items, beam_curve
from genrecall.evaluate.figures import differences, estimates
from genrecall.foundation.artifact import content_hash
from genrecall.foundation.errors import DataError
from genrecall.foundation.groups import group_means
from genrecall.foundation.progress import FileLog
from genrecall.foundation.sid import SidTable
from genrecall.foundation.work import Work
from genrecall.generator.compact.ahead import Ahead
from genrecall.generator.compact.look_ahead import LookAhead, log_sizes
from genrecall.index.live import LiveItems
from genrecall.pipeline.outputs import Outputs, find_artifact
from genrecall.pipeline.run import run
from genrecall.quantize import stage as quantize_stage
from genrecall.quantize.categories import CategoryPath
from genrecall.quantize.health.figures import ItemsPerSid
from genrecall.quantize.load import FrozenSids, Previous, load_sids, load_table
from genrecall.quantize.stability import sid_stability
from genrecall.text.normalize import query_keys

WAYS: Final = ("frozen", "cold", "warm")
_BEAMS: Final = (10, 100)
_WIDEST: Final = 300  # enough SIDs to reach the items behind 100 of another tokenizer
_AT_ONCE: Final = 256  # queries scored together: bounds the memory


@dataclass(frozen=True, eq=False)
class Grown:
    """A shop whose catalog has grown, with the encoder trained before.

    Attributes:
        catalog: all items.
        vectors: of these, float32 `[N, D]`.
        rows: row of each item in the catalog of before, int64 `[N]`, -1 for a new one.
        old: SIDs of that catalog's items.
        measured: validation searches, the same in every repetition.
        queries: their vectors, float32 `[M, D]`.
        temperature: of the look-ahead.
    """

    catalog: Catalog
    vectors: NDArray[np.float32]
    rows: NDArray[np.int64]
    old: SidTable
    measured: Searches
    queries: NDArray[np.float32]
    temperature: float


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of the SIDs in one way.

    Attributes:
        figures: by name.
        curve: relevant items and items behind more and more SIDs, of each search.
    """

    figures: Mapping[str, float]
    curve: BeamCurve


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all repetitions and print the table."""
    parser = argparse.ArgumentParser(prog="stability", description=__doc__.splitlines()[0])
    add_arguments(parser, out="runs/stability")
    given = parser.parse_args(arguments)
    config = read_config(given)
    searches: Searches | None = None
    repetitions = []
    for number in range(given.seeds):
        judged, searches = repeat(config, number, share=given.share, out=given.out)
        repetitions.append(judged)
    assert searches is not None
    result = summarize(repetitions, query_keys(searches.queries))
    result["settings"] = settings_of(given, config) | {
        "quantize.training.epochs": config.quantize.training.epochs,
        "quantize.warm.epochs": config.quantize.warm.epochs,
        "quantize.warm.margin": config.quantize.warm.margin,
    }
    print_result(result)
    write_figures(given, result)


def repeat(
    config: Config, number: int, *, share: float, out: Path
) -> tuple[dict[str, Judged], Searches]:
    """Hide, train, let the catalog grow, and judge every way; and the searches it is judged on."""
    folder = out / f"seed-{number}"
    holdout = hide_items(config.data, folder / "tables", share=share, seed=number)
    whole, reduced = Outputs(folder / "whole"), Outputs(folder / "reduced")
    run(repetition(config, number), whole, last="data")
    run(repetition(config, number, data=holdout.data), reduced, last="quantize")
    before = reduced.open_stage("quantize")
    sids = load_sids(before)
    encoder = load_views(reduced.open_stage("embed"))

    data = whole.open_stage("data")
    shop = load_shop(data)
    catalog, searches = shop.catalog, shop.searches
    others = texts_beside(catalog.frame, encoder.beside.fields)
    vectors = encoder.encode_items(catalog.titles, others)
    known = ~is_hidden(catalog.item_ids, share=share, seed=number)
    measured = _sample(searches, config.evaluate.searches)
    grown = Grown(
        catalog=catalog,
        vectors=vectors,
        rows=np.where(known, np.cumsum(known) - 1, -1),
        old=sids.table,
        measured=measured,
        queries=encoder.encode(measured.queries),
        temperature=config.generator.temperature,
    )

    query_vectors = encoder.encode(shop.queries)
    settings = config.quantize.model_dump(mode="json")
    inputs = content_hash([__version__, data.digest, before.digest, settings])

    def retrain(way: str, previous: Previous | None) -> SidTable:
        path = folder / way
        found, _ = find_artifact(path, kind="quantize")
        if found is None or found.inputs != inputs:
            found = quantize_stage.run(
                config.quantize,
                quantize_stage.QuantizeInputs(
                    vectors, catalog.categories, query_vectors, shop.pairs, previous
                ),
                Work(path, inputs, seed=config.seed + number, log=FileLog(folder / "log.jsonl")),
            )
        return load_table(found)

    tables = {
        "frozen": freeze(sids, vectors, catalog.categories, known),
        "cold": retrain("cold", None),
        "warm": retrain("warm", Previous(sids, grown.rows)),
    }
    return {way: judge(table, grown) for way, table in tables.items()}, measured


def freeze(
    sids: FrozenSids,
    vectors: NDArray[np.float32],
    categories: Sequence[CategoryPath | None],
    known: NDArray[np.bool_],
) -> SidTable:
    """Known items keep their SIDs, new ones take SIDs that are there."""
    codes = np.empty((len(known), 3), dtype=np.int32)
    codes[known] = sids.table.codes
    paths = [categories[row] for row in np.flatnonzero(~known).tolist()]
    codes[~known] = sids.assign_new(vectors[~known], paths)
    return SidTable(sids.table.space, codes)


def _sample(searches: Searches, count: int) -> Searches:
    """Validation searches of the whole shop, at most `count`, the same whatever is hidden."""
    every = searches.of("validation")
    if not len(every):
        raise DataError("no validation search has a relevant item, so there is nothing to measure.")
    chosen = np.random.default_rng(0).permutation(len(every))[:count]
    return Searches(every.frame[np.sort(chosen)])


def judge(table: SidTable, grown: Grown) -> Judged:
    """Measure one way.

    Args:
        table: SIDs of all items.
        grown: the shop.
    """
    stability = sid_stability(grown.old.codes, table.codes, grown.rows)
    sizes = ItemsPerSid.of(table.sizes)
    figures = {
        "moved": stability.moved,
        "regrouped": stability.regrouped,
        "error": quantization_error(table, grown.vectors),
        "SIDs": float(len(table.packed)),
        "items per SID": sizes.mean,
        "items per SID, weighted": sizes.weighted,
        "items per SID, most": float(sizes.max),
    }
    beams = look_ahead_beams(table, grown)
    targets = [table.sid_of_item[rows] for rows in grown.measured.positives]
    return Judged(figures, beam_curve(beams, targets, table.sizes))


def look_ahead_beams(table: SidTable, grown: Grown) -> NDArray[np.int64]:
    """The SIDs with the largest log-sum-exp of query-item similarity, best first: `[M, B]`."""
    items = LiveItems(grown.catalog, table, grown.vectors)
    counts = log_sizes(table.sizes)
    look_ahead = LookAhead(items.trie, items.means, counts, None, temperature=grown.temperature)
    width = min(_WIDEST, len(table.packed))
    best = [
        Ahead.of_queries(look_ahead, queries).of_sids().topk(width, dim=1).indices.numpy()
        for queries in torch.split(torch.from_numpy(grown.queries), _AT_ONCE)
    ]
    return np.concatenate(best)


def quantization_error(table: SidTable, vectors: NDArray[np.float32]) -> float:
    """Mean squared distance of an item's vector to the mean of its SID's."""
    means = group_means(vectors, table.sid_of_item, len(table.packed))
    return float(np.square(vectors - means[table.sid_of_item]).sum(axis=1).mean())


def summarize(
    repetitions: Sequence[Mapping[str, Judged]], queries: Sequence[str]
) -> dict[str, Any]:
    """Figures of every way: those of the SIDs by repetition, those of searches with intervals.

    Args:
        repetitions: by way.
        queries: key of the query of each search.
    """
    bootstrap = Bootstrap(len(queries), groups=numbered(queries))
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    ways: dict[str, Any] = {}
    for way in repetitions[0]:
        judged = [repetition[way] for repetition in repetitions]
        ways[way] = {name: [one.figures[name] for one in judged] for name in judged[0].figures}
        found[way] = {}
        for beams in _BEAMS:
            ways[way][f"items behind {beams}"] = [_items(one.curve, beams) for one in judged]
            found[way][f"hit@{beams}"] = np.stack([_found(one.curve, beams) for one in judged])
            equal = [
                at_items(one.curve, min(_items(other["frozen"].curve, beams), _items(one.curve)))
                for one, other in zip(judged, repetitions, strict=True)
            ]
            found[way][f"hit@{beams}, equal items"] = np.stack(equal)
    for way, figures in estimates(found, bootstrap.mean_over_runs).items():
        ways[way] |= figures
    pairs = ((way, other) for other, way in combinations(found, 2))
    paired = estimates(differences(found, pairs), bootstrap.mean_over_runs, paired=True)
    return {"ways": ways, "paired": paired}


def _found(curve: BeamCurve, beams: int) -> NDArray[np.float64]:
    return curve.found[:, min(beams, curve.found.shape[1] - 1)]


def _items(curve: BeamCurve, beams: int = _WIDEST) -> float:
    return float(curve.items[:, min(beams, curve.items.shape[1] - 1)].mean())


def print_result(result: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Print settings and the table."""
    console = console or Console(width=100, highlight=False)
    console.print(f"settings: {say_all(result['settings'])}", markup=False)
    table = figure_table(["in brackets: 95 % interval", *result["ways"]])
    for name in result["ways"]["frozen"]:
        table.add_row(name, *(_cell(figures[name]) for figures in result["ways"].values()))
    console.print(table)
    measures = next(iter(result["paired"].values()))
    table = figure_table(["difference", *(name.replace(", ", ",\n") for name in measures)])
    for pair, figures in result["paired"].items():
        table.add_row(pair, *(_cell(figure, "+") for figure in figures.values()))
    console.print(table)


def _cell(figure: Mapping[str, Any] | Sequence[float], sign: str = "") -> str:
    if isinstance(figure, Mapping):
        return say_figure(figure, sign)
    mean = float(np.mean(figure))
    return f"{mean:,.0f}" if mean >= 100 else f"{mean:.3f}"


if __name__ == "__main__":
    main()
