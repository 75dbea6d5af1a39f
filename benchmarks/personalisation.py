"""What it is worth to know the shopper: by profile, and by the last 1, 5 and 20 clicks.

    python -m benchmarks.personalisation [--steps N] [--batch B] [--seeds N] [--out DIR]

The pipeline runs on the synthetic shop of `genrecall demo` with stage user+query→SID. Then the same
validation searches are asked again and again, each time with more or less of what was known of
their shoppers: only searches of shoppers who had chosen at least 20 items before, so that every
history can be cut to every length. Since the shop is a simulation, its oracle says how much there
was to gain.

Every repetition trains with another seed. Runs are kept in DIR and resumed. Shapes: `M` searches.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from genrecall.offline.asked import Asked, shoppers_of
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.command import add_shop_arguments, positive, repetition, say_figure, write_figures
from genrecall import __version__
from genrecall.bundle import OpenBundle, assemble
from genrecall.channels.base import Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.channels.popularity import PopularityChannel
from genrecall.config import Config
from genrecall.data import stage as data_stage
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import Catalog, Searches
from genrecall.embed.config import EmbedConfig
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.measures import Floats, IntArray, recall, target_ranks
from genrecall.evaluate.metrics import BEAM_WIDTHS, K
from genrecall.foundation.artifact import open_artifact
from genrecall.foundation.errors import DataError
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.load import QUERY_TO_SID, USER_QUERY_TO_SID
from genrecall.pipeline.demo import SHOPPERS, make_demo
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import open_served
from genrecall.shop.config import ShopConfig
from genrecall.shop.make import Shop, make_shop
from genrecall.shop.oracle import ExpectedClicks, expected_clicks
from genrecall.text.normalize import normalize

CLICKS: Final = (1, 5, 20)
"""How many of the latest clicks are told."""

STAGE_2: Final = "stage 2, nothing known"
POPULARITY: Final = "popularity after the query"
NOTHING: Final = "nothing known"
ORACLE: Final = "oracle, nothing known"
ORACLE_TASTE: Final = "oracle, taste known"


class Known(NamedTuple):
    """How much of a shopper is told.

    Attributes:
        profile: whether the profile is.
        clicks: how many of the latest clicks are.
    """

    profile: bool
    clicks: int


def _latest(clicks: int) -> str:
    return "last click" if clicks == 1 else f"last {clicks} clicks"


KNOWN: Final[Mapping[str, Known]] = {
    NOTHING: Known(profile=False, clicks=0),
    "profile": Known(profile=True, clicks=0),
    **{_latest(n): Known(profile=False, clicks=n) for n in CLICKS},
    **{f"profile, {_latest(n)}": Known(profile=True, clicks=n) for n in CLICKS},
}
"""By row of the table."""

ROWS: Final = (POPULARITY, STAGE_2, *KNOWN, ORACLE, ORACLE_TASTE)
LESS: Final = {row: NOTHING for row in ROWS if row not in (NOTHING, ORACLE)} | {
    ORACLE_TASTE: ORACLE
}
"""What is subtracted from each row: the same without the shopper."""

Measures = Mapping[str, Floats]
"""By measure a value for each search, float64 `[M]`."""


class Measured(NamedTuple):
    """The searches that are asked.

    Attributes:
        searches: `M` of them.
        shoppers: who made each, with all that is ever told.
    """

    searches: Searches
    shoppers: list[Shopper]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the pipeline, ask, and print the table."""
    parser = argparse.ArgumentParser(prog="personalisation", description=__doc__.splitlines()[0])
    out = "runs/personalisation"
    add_shop_arguments(parser, out=out, seeds="each trains with another seed")
    parser.add_argument("--shoppers", type=positive, default=SHOPPERS, help=f"({SHOPPERS})")
    parser.add_argument("--steps", type=positive, default=2000, help="of stage 3 at most (2000)")
    parser.add_argument("--batch", type=positive, default=512, help="of stage 3 (512)")
    parser.add_argument("--quick", action="store_true", help="train next to nothing: does it run?")
    given = parser.parse_args(arguments)
    size = {"items": given.items, "searches": given.searches, "shoppers": given.shoppers, "seed": 0}
    config = make_demo(given.out.resolve() / "shop", **size)
    config = _quick(config) if given.quick else config
    stage = config.generator.user_query_to_sid.model_copy(
        update={"steps": given.steps, "batch": given.batch}
    )
    changes = {"user_query_to_sid": stage, "history": max(CLICKS)}
    config = config.model_copy(update={"generator": config.generator.model_copy(update=changes)})
    result = study(config, ShopConfig(**size), seeds=given.seeds, out=given.out)
    result["settings"] = _settings(given, config)
    print_result(result)
    write_figures(given, result)


def _quick(config: Config) -> Config:
    """Training that teaches nothing."""
    short = StageConfig(steps=4, batch=32)
    generator = GeneratorConfig(
        width=16, item_to_sid=short, query_to_sid=short, pseudo_queries=100, teacher_items=4
    )
    embed = EmbedConfig(vocabulary=500, pair_buckets=64, width=16, dim=8, steps=10, batch=32)
    training = config.quantize.training.model_copy(update={"epochs": 1})
    quantize = config.quantize.model_copy(update={"training": training})
    sections = {"embed": embed, "quantize": quantize, "generator": generator}
    return config.model_copy(update=sections | {"threads": 1})


def _settings(given: argparse.Namespace, config: Config) -> dict[str, Any]:
    stage = config.generator.user_query_to_sid
    return {
        "version": __version__,
        "items": given.items,
        "searches": given.searches,
        "shoppers": given.shoppers,
        "seeds": given.seeds,
        "quick": given.quick,
        "embed.steps": config.embed.steps,
        "generator.query_to_sid.steps": config.generator.query_to_sid.steps,
        "generator.user_query_to_sid": f"at most {stage.steps} steps of {stage.batch}",
        "generator.shopper_passes": config.generator.shopper_passes,
    }


def study(config: Config, shop_config: ShopConfig, *, seeds: int, out: Path) -> dict[str, Any]:
    """Run the pipeline with each seed and ask.

    Args:
        config: of the pipeline, on the tables of the shop.
        shop_config: what the shop was made with.
        seeds: how many.
        out: where the runs are kept.

    Raises:
        DataError: no validation search has a shopper with enough clicks.
    """
    first = Outputs(out / "seed-0")
    run(config, first, last="data")
    tables = open_artifact(first.stage("data"), kind="data")
    catalog, searches = data_stage.load(tables)
    known = data_stage.load_shoppers(tables)
    measured = choose(searches, catalog, None if known is None else known.users)
    oracle = _ask_oracle(make_shop(shop_config), shop_config, catalog, measured)
    runs, sids = [], []
    for number in range(seeds):
        outputs = Outputs(out / f"seed-{number}")
        run(repetition(config, number), outputs, last="generator")
        stages = open_served(outputs)
        parts = assemble(stages, channels=config.channels)
        of_controls = controls(parts, measured, train=searches.of("train"), oracle=oracle)
        runs.append(ask(parts, measured) | of_controls)
        sids.append(_describe_sids(parts.table.sizes))
    return summarize(runs, measured.searches.frame["user_id"]) | {
        "counts": _counts(searches, measured),
        "sids": sids,
    }


def _describe_sids(sizes: IntArray) -> dict[str, float]:
    return {
        "SIDs": len(sizes),
        "items per SID": float(sizes.mean()),
        "the same weighted by size": float((sizes**2).sum() / sizes.sum()),
    }


def _ask_oracle(
    shop: Shop, config: ShopConfig, catalog: Catalog, measured: Measured
) -> ExpectedClicks:
    # Rows are in the simulation what they are in the catalog.
    assert catalog.titles == [draft.title for draft in shop.catalog.drafts]
    numbers = [int(name.removeprefix("s")) for name in measured.searches.frame["search_id"]]
    return expected_clicks(shop, config, numbers)


def choose(searches: Searches, catalog: Catalog, users: pl.DataFrame | None) -> Measured:
    """The validation searches of shoppers who had chosen enough before.

    Raises:
        DataError: there is none.
    """
    every, length = searches.of("validation"), max(CLICKS)
    shoppers = shoppers_of(searches, "validation", catalog=catalog, users=users, length=length)
    places = [place for place, told in enumerate(shoppers) if len(told.history) == length]
    if not places:
        raise DataError(
            f"none of {len(every):,} validation searches has a shopper who chose {length} items "
            "before it, so histories of different length cannot be compared. Give more --searches, "
            "or fewer --shoppers."
        )
    return Measured(Searches(every.frame[places]), [shoppers[place] for place in places])


def cut(shopper: Shopper, known: Known) -> Shopper:
    """A shopper of whom only so much is told."""
    untold = max(len(shopper.history) - known.clicks, 0)
    return Shopper(shopper.profile if known.profile else (), shopper.history[untold:])


def ask(parts: OpenBundle, measured: Measured) -> dict[str, Measures]:
    """What the generator finds, by how much it is told."""
    served = parts.generative(USER_QUERY_TO_SID)
    stage_2 = parts.generative(QUERY_TO_SID)
    nobody = [cut(shopper, KNOWN[NOTHING]) for shopper in measured.shoppers]
    found = {STAGE_2: _ask(stage_2, measured.searches, nobody)}
    for row, known in KNOWN.items():
        told = [cut(shopper, known) for shopper in measured.shoppers]
        found[row] = _ask(served, measured.searches, told)
    return found


def _ask(channel: GenerativeChannel, searches: Searches, shoppers: Sequence[Shopper]) -> Measures:
    pairs = zip(searches.queries, shoppers, strict=True)
    asked = Asked([Request(query, shopper) for query, shopper in pairs])
    answers = asked.spread(channel.rank(asked.distinct, K))
    beams = channel.generate(asked.distinct, max(BEAM_WIDTHS)).leaves[asked.place]
    sid_of_item = channel.postings.table.sid_of_item
    return _measures([answer.rows for answer in answers], list(beams), searches, sid_of_item)


def controls(
    parts: OpenBundle, measured: Measured, *, train: Searches, oracle: ExpectedClicks
) -> dict[str, Measures]:
    """What is found without the generator: by popularity, and by who knows the simulation."""
    sid_of_item, live = parts.table.sid_of_item, parts.eligible.live
    requests = [Request(query) for query in measured.searches.queries]
    popularity = PopularityChannel(train, eligible=parts.eligible)
    popular = [ranking.rows for ranking in popularity.rank(requests, K)]
    beams = popularity.generate(requests, max(BEAM_WIDTHS), sid_of_item)
    found = {POPULARITY: _measures(popular, list(beams), measured.searches, sid_of_item)}
    for row, clicks in ((ORACLE, oracle.by_anyone), (ORACLE_TASTE, oracle.by_shopper)):
        items = [_best(of_item if live is None else of_item * live, K) for of_item in clicks]
        by_sid = (np.bincount(sid_of_item, weights=of_item) for of_item in clicks)
        leaves = [_best(of_sid, max(BEAM_WIDTHS)) for of_sid in by_sid]
        found[row] = _measures(items, leaves, measured.searches, sid_of_item)
    return found


def _best(clicks: NDArray[np.number[Any]], k: int) -> NDArray[np.int64]:
    """The first `k` by their clicks, without those that get none."""
    order = np.argsort(-clicks, kind="stable")[:k]
    return order[clicks[order] > 0]


def _measures(
    items: Sequence[IntArray],
    beams: Sequence[IntArray],
    searches: Searches,
    sid_of_item: NDArray[np.int64],
) -> Measures:
    """By measure a value a search, from items and from SIDs, both best first."""
    of_sids = target_ranks(beams, [sid_of_item[rows] for rows in searches.positives])
    hits = {f"hit@beam{width}": recall(of_sids, width) for width in BEAM_WIDTHS}
    return hits | {"recall@10": recall(target_ranks(items, searches.positives), 10)}


def summarize(runs: Sequence[Mapping[str, Measures]], shoppers: pl.Series) -> dict[str, Any]:
    """Means over searches and runs, with intervals over shoppers and runs.

    Args:
        runs: rows of the table as each run found them, on the same searches.
        shoppers: who made each search, `[M]`.
    """
    groups = np.unique(shoppers.to_numpy(), return_inverse=True)[1]
    bootstrap = Bootstrap(len(groups), groups=groups)
    values = {
        row: {
            measure: np.stack([found[row][measure] for found in runs]) for measure in runs[0][row]
        }
        for row in ROWS
    }
    return {
        "rows": {
            row: {
                measure: bootstrap.mean_over_runs(of_runs).to_json()
                for measure, of_runs in measures.items()
            }
            for row, measures in values.items()
        },
        "paired": {
            f"{row} - {less}": {
                measure: bootstrap.mean_over_runs(of_runs - values[less][measure]).to_json()
                for measure, of_runs in values[row].items()
            }
            for row, less in LESS.items()
        },
    }


def _counts(searches: Searches, measured: Measured) -> dict[str, int]:
    every, asked = searches.of("validation").frame, measured.searches
    trained = {normalize(query) for query in set(searches.of("train").queries)}
    return {
        "validation searches with a good item": len(every),
        "with a known shopper": int(every["user_id"].is_not_null().sum()),
        f"with {max(CLICKS)} items chosen before": len(asked),
        "their shoppers": asked.frame["user_id"].n_unique(),
        "their queries": asked.frame["query"].n_unique(),
        "searches whose query training knew": sum(
            normalize(query) in trained for query in asked.queries
        ),
    }


def print_result(result: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Print settings, counts and the table."""
    console = console or Console(width=120, highlight=False)
    settings = ", ".join(f"{name} {value}" for name, value in result["settings"].items())
    console.print(f"settings: {settings}", markup=False)
    counts = ", ".join(f"{name} {value:,}" for name, value in result["counts"].items())
    console.print(f"searches: {counts}", markup=False)
    for number, sids in enumerate(result["sids"]):
        told = ", ".join(f"{name} {value:,.4g}" for name, value in sids.items())
        console.print(f"seed {number}: {told}", markup=False)
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("95 % interval in brackets", no_wrap=True)
    for measure in next(iter(result["rows"].values())):
        table.add_column(measure, justify="right", no_wrap=True)
    for row, figures in result["rows"].items():
        table.add_row(row, *(say_figure(figure) for figure in figures.values()))
    for less in dict.fromkeys(LESS.values()):
        table.add_row(f"less {less}:")
        for row in (row for row, other in LESS.items() if other == less):
            figures = result["paired"][f"{row} - {less}"]
            table.add_row(f"  {row}", *(say_figure(figure, "+") for figure in figures.values()))
    console.print(table)


if __name__ == "__main__":
    main()
