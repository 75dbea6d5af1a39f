"""What it is worth to know the shopper: by profile, and by the last 1, 5 and 20 clicks.

    python -m benchmarks.personalisation [--steps N] [--batch B] [--seeds N] [--out DIR]

The pipeline runs on the synthetic shop of `genrecall demo` with stage user+query→SID. Then the same
validation searches are answered again and again, each time with more or less of what was known of
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
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.command import (
    SUPERVISED,
    add_shop_arguments,
    changed,
    positive,
    repetition,
    write_figures,
)
from benchmarks.figures import figure_table, say_all, say_figure
from genrecall import __version__
from genrecall.bundle import OpenBundle
from genrecall.channels.base import Request
from genrecall.channels.popularity import PopularityChannel
from genrecall.config import Config
from genrecall.data.histories import shoppers_at
from genrecall.data.load import load_shop
from genrecall.data.shop_data import ShopData
from genrecall.data.shoppers import Shopper
from genrecall.data.tables import Catalog, Searches
from genrecall.evaluate.bootstrap import Bootstrap, numbered
from genrecall.evaluate.figures import Measures, differences, estimates
from genrecall.evaluate.measures import IntArray, recall_at
from genrecall.evaluate.names import BEAM_WIDTHS, K
from genrecall.foundation.errors import DataError
from genrecall.generator.load import QUERY_TO_SID, USER_QUERY_TO_SID
from genrecall.offline.folds import FoldedChannel
from genrecall.offline.generated import answer_searches
from genrecall.offline.requests import DistinctRequests
from genrecall.pipeline.demo import SHOPPERS, make_demo
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run
from genrecall.pipeline.stages import open_made
from genrecall.quantize.health.figures import ItemsPerSid
from genrecall.shop.config import ShopConfig
from genrecall.shop.make import Shop, make_shop
from genrecall.shop.oracle import ExpectedClicks, expected_clicks
from genrecall.text.normalize import query_key

CLICKS: Final = (1, 5, 20)
"""How many of the latest clicks are known."""

STAGE_2: Final = "stage 2, nothing known"
POPULARITY: Final = "popularity after the query"
NOTHING: Final = "nothing known"
ORACLE: Final = "oracle, nothing known"
ORACLE_TASTE: Final = "oracle, taste known"


class Known(NamedTuple):
    """How much of a shopper is known.

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


_SHORT: Final = {"steps": 4, "batch": 32}
_QUICK: Final[Mapping[str, Any]] = {
    "embed": {
        "subwords": {"vocabulary": 500, "pair_buckets": 64},
        "in_domain": {"width": 16, "dim": 8, **_SHORT, "steps": 10},
        "static": {"dim": 8},
    },
    "quantize": {"training": {"epochs": 1}},
    "generator": {
        **{"width": 16, "item_to_sid": _SHORT, "query_to_sid": _SHORT},
        **{"pseudo_queries": 100, "teacher_items": 4},
    },
    "threads": 1,
}
"""Training that teaches nothing."""


class Measured(NamedTuple):
    """The searches that are measured.

    Attributes:
        searches: `M` of them.
        shoppers: who made each, with all that is ever known.
    """

    searches: Searches
    shoppers: list[Shopper]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the pipeline, measure, and print the table."""
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
    stage = {"steps": given.steps, "batch": given.batch}
    stage_3 = {"generator": {"user_query_to_sid": stage, "history": max(CLICKS)}}
    config = changed(config, _QUICK if given.quick else {}, stage_3, SUPERVISED)
    result = study(config, ShopConfig(**size), seeds=given.seeds, out=given.out)
    result["settings"] = _settings(given, config)
    print_result(result)
    write_figures(given, result)


def _settings(given: argparse.Namespace, config: Config) -> dict[str, Any]:
    stage = config.generator.user_query_to_sid
    return {
        "version": __version__,
        "items": given.items,
        "searches": given.searches,
        "shoppers": given.shoppers,
        "seeds": given.seeds,
        "quick": given.quick,
        "embed.in_domain.steps": config.embed.in_domain.steps,
        "generator.query_to_sid.steps": config.generator.query_to_sid.steps,
        "generator.user_query_to_sid": f"at most {stage.steps} steps of {stage.batch}",
        "generator.shopper_passes": config.generator.shopper_passes,
    }


def study(config: Config, shop_config: ShopConfig, *, seeds: int, out: Path) -> dict[str, Any]:
    """Run the pipeline with each seed and measure.

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
    shop = load_shop(first.open_stage("data"))
    measured = choose(shop)
    oracle = _oracle_of(make_shop(shop_config), shop_config, shop.catalog, measured)
    runs, sids = [], []
    for number in range(seeds):
        outputs = Outputs(out / f"seed-{number}")
        run(repetition(config, number), outputs, last="calibrate")
        parts = open_made(outputs, config.channels)
        of_controls = controls(parts, measured, train=shop.searches.of("train"), oracle=oracle)
        runs.append(generated(parts, measured) | of_controls)
        sizes = ItemsPerSid.of(parts.items.table.sizes)
        of_sids = {"SIDs": len(parts.items.table.sizes), "items per SID": sizes.mean}
        sids.append(of_sids | {"the same weighted by size": sizes.weighted})
    return summarize(runs, measured.searches.frame["user_id"]) | {
        "counts": _counts(shop.searches, measured),
        "sids": sids,
    }


def _oracle_of(
    shop: Shop, config: ShopConfig, catalog: Catalog, measured: Measured
) -> ExpectedClicks:
    # Rows are in the simulation what they are in the catalog.
    assert catalog.titles == [draft.title for draft in shop.catalog.drafts]
    numbers = [int(name.removeprefix("s")) for name in measured.searches.frame["search_id"]]
    return expected_clicks(shop, config, numbers)


def choose(shop: ShopData) -> Measured:
    """The validation searches of shoppers who had chosen enough before.

    Raises:
        DataError: there is none.
    """
    every, length = shop.searches.of("validation"), max(CLICKS)
    shoppers = shoppers_at(shop, every, "validation", length=length)
    places = [place for place, shopper in enumerate(shoppers) if len(shopper.history) == length]
    if not places:
        raise DataError(
            f"none of {len(every):,} validation searches has a shopper who chose {length} items "
            "before it, so histories of different length cannot be compared. Give more --searches, "
            "or fewer --shoppers."
        )
    return Measured(Searches(every.frame[places]), [shoppers[place] for place in places])


def cut(shopper: Shopper, known: Known) -> Shopper:
    """A shopper of whom only so much is known."""
    unknown = max(len(shopper.history) - known.clicks, 0)
    return Shopper(shopper.profile if known.profile else (), shopper.history[unknown:])


def generated(parts: OpenBundle, measured: Measured) -> dict[str, Measures]:
    """What the generator finds, by how much of the shopper it reads."""
    served, stage_2 = (
        FoldedChannel(parts.of_folds(stage)) for stage in (USER_QUERY_TO_SID, QUERY_TO_SID)
    )
    channels = {STAGE_2: (stage_2, KNOWN[NOTHING])} | {row: (served, KNOWN[row]) for row in KNOWN}
    found = {}
    for row, (channel, known) in channels.items():
        pairs = zip(measured.searches.queries, measured.shoppers, strict=True)
        requests = DistinctRequests([Request(query, cut(who, known)) for query, who in pairs])
        answers = answer_searches(channel, requests, K, max(BEAM_WIDTHS))
        items = [ranking.rows for ranking in answers.rankings]
        found[row] = _measures(items, list(answers.sids), measured, parts)
    return found


def controls(
    parts: OpenBundle, measured: Measured, *, train: Searches, oracle: ExpectedClicks
) -> dict[str, Measures]:
    """What is found without the generator: by popularity, and by who knows the simulation."""
    sid_of_item, live = parts.items.table.sid_of_item, parts.items.available
    requests = [Request(query) for query in measured.searches.queries]
    popularity = PopularityChannel(train, parts.items)
    popular = [ranking.rows for ranking in popularity.rank(requests, K)]
    beams = popularity.generate(requests, max(BEAM_WIDTHS))
    found = {POPULARITY: _measures(popular, list(beams), measured, parts)}
    for row, clicks in ((ORACLE, oracle.by_anyone), (ORACLE_TASTE, oracle.by_shopper)):
        items = [_best(of_item if live is None else of_item * live, K) for of_item in clicks]
        by_sid = (np.bincount(sid_of_item, weights=of_item) for of_item in clicks)
        leaves = [_best(of_sid, max(BEAM_WIDTHS)) for of_sid in by_sid]
        found[row] = _measures(items, leaves, measured, parts)
    return found


def _best(clicks: NDArray[np.number[Any]], k: int) -> NDArray[np.int64]:
    """The first `k` by their clicks, without those that get none."""
    order = np.argsort(-clicks, kind="stable")[:k]
    return order[clicks[order] > 0]


def _measures(
    items: Sequence[IntArray], beams: Sequence[IntArray], measured: Measured, parts: OpenBundle
) -> Measures:
    """By measure a value a search, from items and from SIDs, both best first."""
    positives, sid_of_item = measured.searches.positives, parts.items.table.sid_of_item
    hits = recall_at(beams, [sid_of_item[rows] for rows in positives], BEAM_WIDTHS, name="hit@beam")
    return hits | recall_at(items, positives, (10,))


def summarize(runs: Sequence[Mapping[str, Measures]], shoppers: pl.Series) -> dict[str, Any]:
    """Means over searches and runs, with intervals over shoppers and runs.

    Args:
        runs: rows of the table as each run found them, on the same searches.
        shoppers: who made each search, `[M]`.
    """
    bootstrap = Bootstrap(len(shoppers), groups=numbered(shoppers.to_list()))
    values = {
        row: {
            measure: np.stack([found[row][measure] for found in runs]) for measure in runs[0][row]
        }
        for row in ROWS
    }
    return {
        "rows": estimates(values, bootstrap.mean_over_runs),
        "paired": estimates(
            differences(values, LESS.items()), bootstrap.mean_over_runs, paired=True
        ),
    }


def _counts(searches: Searches, measured: Measured) -> dict[str, int]:
    every, chosen = searches.of("validation").frame, measured.searches
    trained = {query_key(query) for query in set(searches.of("train").queries)}
    return {
        "validation searches with a relevant item": len(every),
        "with a known shopper": int(every["user_id"].is_not_null().sum()),
        f"with {max(CLICKS)} items chosen before": len(chosen),
        "their shoppers": chosen.frame["user_id"].n_unique(),
        "their queries": chosen.frame["query"].n_unique(),
        "searches whose query training knew": sum(
            query_key(query) in trained for query in chosen.queries
        ),
    }


def print_result(result: Mapping[str, Any], *, console: Console | None = None) -> None:
    """Print settings, counts and the table."""
    console = console or Console(width=120, highlight=False)
    console.print(f"settings: {say_all(result['settings'])}", markup=False)
    console.print(f"searches: {say_all(result['counts'], ',')}", markup=False)
    for number, sids in enumerate(result["sids"]):
        console.print(f"seed {number}: {say_all(sids, ',.4g')}", markup=False)
    measures = next(iter(result["rows"].values()))
    table = figure_table(["95 % interval in brackets", *measures], padding=(0, 1, 0, 0))
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
