"""EG-GRPO against stage 3, cross entropy, plain GRPO and experts alone; options; fewer clicks.

    python -m benchmarks.alignment                              # everything: many hours
    python -m benchmarks.alignment --tables paper --seeds 1 --policies bm25+dense
    python -m benchmarks.alignment --tables paper --clicks 5,20,100      # of fewer searches

Shops and logs are synthetic, shoppers simulated. Stage 3 is trained once for each shop and seed and
shared by all arms; weights are chosen by validation searches and measured on test searches. What is
finished with the same settings is read, an interrupted cell goes on where it stopped, so the
command may be stopped and started at will; `--seeds-from` lets several processes share the work.
The table `search` tries the same settings for every arm: its `gain` is on validation searches.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.alignment.cell import Bench, Measured, Plan
from benchmarks.alignment.cells import SECOND, START, TABLES
from benchmarks.alignment.printing import as_markdown, summary
from benchmarks.alignment.tables import build_table
from benchmarks.alignment.worlds import POLICIES, SHOPPERS, Size, World
from benchmarks.command import choose_cells, positive, write_figures, write_page
from genrecall import __version__
from genrecall.foundation.progress import TerminalLog


def main(arguments: Sequence[str] | None = None) -> None:
    """Finish all cells, and print each world's tables as soon as they are complete."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tables", help=f"comma-separated, of {', '.join(TABLES)}; all by default")
    parser.add_argument("--cells", help="names, comma-separated; all of the tables by default")
    parser.add_argument("--policies", help=f"comma-separated, of {', '.join(POLICIES)}")
    parser.add_argument("--shoppers", help=f"comma-separated, of {', '.join(SHOPPERS)}")
    parser.add_argument(
        "--clicks",
        type=_counts,
        default=(1,),
        help="comma-separated; a log for each, in which one search in so many keeps its clicks (1)",
    )
    parser.add_argument("--seeds", type=positive, default=5, help="of stage 3 and arms (5)")
    parser.add_argument("--seeds-from", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--items", type=positive, default=32_000, help="of the shop (32000)")
    parser.add_argument("--searches", type=positive, default=200_000, help="of a log (200000)")
    parser.add_argument("--shop-users", type=positive, default=10_000, help="shoppers (10000)")
    parser.add_argument("--page", type=positive, default=5, help="items shown to a search (5)")
    parser.add_argument("--personal", type=float, default=0.3, help="of the ranker (0.3)")
    parser.add_argument("--steps", type=positive, default=400, help="of every cell (400)")
    parser.add_argument("--validation", type=positive, default=10_000, help="searches (10000)")
    parser.add_argument("--test", type=positive, default=20_000, help="searches measured (20000)")
    parser.add_argument("--ranked", type=positive, default=1000, help="with their items (1000)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a second of training; for tests, with a small shop (--items, --searches)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/alignment"))
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file, too")
    given = parser.parse_args(arguments)

    torch.set_num_threads(1)
    size = Size(
        given.items, given.searches, given.shop_users, given.page, given.personal, given.quick
    )
    base: dict[str, Any] = {"steps": given.steps}
    if given.quick:
        base = {"steps": 2, "searches": 8, "group": 8, "validate_every": 1}
    plan = Plan(base, given.validation, given.test, given.ranked)
    policies = tuple(choose_cells(given.policies, {name: name for name in POLICIES}))
    shoppers = tuple(choose_cells(given.shoppers, {name: name for name in SHOPPERS}))
    tables = choose_cells(given.tables, {name: name for name in TABLES})
    every = {cell.name: cell for table in tables for cell in TABLES[table]}
    only = {cell.name for cell in choose_cells(given.cells, every)}
    seeds = range(given.seeds_from, given.seeds_from + given.seeds)
    result: dict[str, Any] = {"settings": _settings(given), "worlds": {}}
    for policy, model, kept in product(policies, shoppers, given.clicks):
        world = World(policy, model, size, given.out.resolve(), kept)
        made = _measure(world, seeds, plan, tables, only)
        result["worlds"][world.name] = made
        print(as_markdown(result | {"worlds": {world.name: made}}), flush=True)
    print(summary(result))
    write_figures(given, result)
    write_page(given.markdown, as_markdown(result))


def _measure(
    world: World, seeds: Sequence[int], plan: Plan, tables: Sequence[str], only: set[str]
) -> dict[str, Any]:
    """The tables of a world, of the cells that are asked for."""
    world.prepare(TerminalLog())
    runs: dict[str, dict[str, list[Measured]]] = {table: {} for table in tables}
    groups = None
    for seed in seeds:
        world.train(seed)
        bench = Bench(world, seed, plan)
        groups = bench.groups  # the same searches with every seed
        for table in tables:
            runs[table].setdefault(START, []).append(bench.finish(None))
            for cell in (cell for cell in TABLES[table] if cell.name in only):
                runs[table].setdefault(cell.name, []).append(bench.finish(cell))
    assert groups is not None
    return {table: build_table(found, groups, _pairs(list(found))) for table, found in runs.items()}


def _pairs(names: list[str]) -> list[tuple[str, str]]:
    """Every cell and stage 3; K = 2 and every other one."""
    pairs = [(name, START) for name in names if name != START]
    if SECOND in names:
        pairs += [(SECOND, name) for name in names if name not in (START, SECOND)]
    return pairs


def _counts(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    names = (
        "seeds",
        "steps",
        "items",
        "searches",
        "page",
        "personal",
        "validation",
        "test",
        "ranked",
    )
    return {"version": __version__, "threads": 1} | {name: getattr(given, name) for name in names}


if __name__ == "__main__":
    main()
