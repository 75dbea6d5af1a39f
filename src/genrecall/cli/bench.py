"""Commands that measure how fast something is: `bench decode`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrecall.cli.group import add_command
from genrecall.cli.shared import BundleFolder, DataFolder, JsonFile, whole_numbers, write_result

if TYPE_CHECKING:
    from rich.table import Table

bench = typer.Typer(no_args_is_help=True, help="Measure how fast something is.")


def decode(
    bundle: BundleFolder,
    queries: Annotated[int, typer.Option(help="Validation queries at most.")] = 500,
    beams: Annotated[str, typer.Option(help="Widths, as 50,100.")] = "50,100",
    k: Annotated[int, typer.Option("-k", help="Items of an answer.")] = 1000,
    data: DataFolder = None,
    json_file: JsonFile = None,
) -> None:
    """Measure every decoder, and exact search, HNSW and IVF beside them.

    One thread, one query after another, processor time. An index is searched as widely as it needs
    to find as many of the 100 nearest items as are behind the widest beams. At last answers of 100
    items under a filter that leaves a hundredth of the catalog, drawn by chance. Of the walk in C
    also what share of its time the core would need for its products, or for reading its vectors.
    """
    from genrecall.cli.terminal import terminal
    from genrecall.pipeline.bench import bench_decoding

    widths = whole_numbers("--beams", beams, such_as="50,100")
    found = bench_decoding(bundle, data=data, queries=queries, widths=widths, k=k)
    told = found["settings"]
    console = terminal()
    console.print(
        f"{told['queries']:,} queries, {told['items']:,} items, {told['sids']:,} SIDs, "
        f"{told['dim']:,} numbers a vector; one core: {told['products_per_second'] / 1e9:.1f} "
        f"billion products and {told['bytes_per_second'] / 1e9:.1f} GB read a second"
    )
    console.print(_table(found["paces"]))
    write_result(json_file, found)


def _table(paces: list[dict[str, Any]]) -> Table:
    from genrecall.evaluate.table_cells import make_table

    columns = (
        "width",
        "p50 ms",
        "p99 ms",
        "a second",
        "same",
        "nearest found",
        "items",
        "of the limit",
    )
    table = make_table("Milliseconds of processor time", columns)
    for pace in paces:
        shares = ("" if pace[name] is None else f"{pace[name]:.4f}" for name in ("same", "found"))
        table.add_row(
            f"{pace['step']}: {pace['way']}",
            str(pace["width"] or ""),
            f"{pace['p50']:.2f}",
            f"{pace['p99']:.2f}",
            f"{pace['per_second']:,.0f}",
            *shares,
            "" if pace["returned"] is None else f"{pace['returned']:.1f}",
            "" if pace["limit"] is None else f"{pace['limit']:.0%}",
        )
    return table


add_command(bench, decode, "bench decode")
