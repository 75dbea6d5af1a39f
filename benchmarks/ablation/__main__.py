"""Run the cells that are not there yet, then print the tables.

    python -m benchmarks.ablation --shop homedepot
    python -m benchmarks.ablation --shop synthetic --cells cq_sid,rq_vae --seeds 2
    python -m benchmarks.ablation --shop homedepot --cells cq_sid,rq_vae --full
    python -m benchmarks.ablation --shop homedepot --tables     # nothing new, only the tables

A cell that was measured with the same settings is not run again, so the command may be stopped and
started at will; two of them may work on different cells of one shop once its vectors are there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.ablation.cell import run_cell, settings_hash
from benchmarks.ablation.cells import CELLS
from benchmarks.ablation.markdown import as_markdown
from benchmarks.ablation.printing import print_tables
from benchmarks.ablation.results import Results
from benchmarks.ablation.shops import SHOPS, make_shop
from benchmarks.ablation.tables import build_tables
from benchmarks.command import choose_cells, write_page
from genrecall.foundation.files import write_json
from genrecall.foundation.progress import SilentLog
from genrecall.learning.threads import set_threads


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shop", choices=SHOPS, required=True)
    parser.add_argument("--cells", help="names, comma-separated; all by default")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the group `parts`")
    parser.add_argument("--other-seeds", type=int, default=1, help="seeds of the other groups")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--full", action="store_true", help="train generators as long as `genrecall run` does"
    )
    parser.add_argument("--tables", action="store_true", help="run nothing, print the tables")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file, too")
    options = parser.parse_args()

    cells = choose_cells(options.cells, {cell.name: cell for cell in CELLS})
    shop = make_shop(options.shop, options.out, threads=options.threads, full=options.full)
    set_threads(options.threads)
    trained = "-full" if options.full else ""
    results = Results(options.out / shop.name / f"cells{trained}")
    wanted = [
        (cell, seed)
        for seed in range(max(options.seeds, options.other_seeds))
        for cell in cells
        if seed < (options.seeds if cell.group == "parts" else options.other_seeds)
    ]
    for number, (cell, seed) in enumerate(wanted, start=1):
        config = cell.applied_to(shop.config)
        inputs = settings_hash(shop, config, seed)
        name = f"[{number}/{len(wanted)}] {shop.name} {cell.name} seed {seed}"
        if results.has(cell.name, seed, inputs) or options.tables:
            continue
        with results.claim(cell.name, seed) as scratch:
            if scratch is None:
                print(f"{name}: another process is at it", flush=True)
                continue
            if results.has(cell.name, seed, inputs):  # by another process, meanwhile
                continue
            measured = run_cell(shop, config, seed, scratch=scratch, log=SilentLog())
            results.write(cell.name, seed, inputs, measured)
        print(f"{name}: {measured.summary()}", flush=True)
    tables = build_tables(shop, [cell for cell in CELLS if cell in cells], results)
    print_tables(tables)
    path = options.out / shop.name / f"ablation{trained}.json"
    write_json(path, tables)
    print(f"wrote {path}")
    write_page(options.markdown, as_markdown(tables))


if __name__ == "__main__":
    main()
