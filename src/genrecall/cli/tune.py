"""Commands that fit how a bundle searches: `tune beams`."""

from __future__ import annotations

from typing import Annotated

import typer

from genrecall.cli.group import add_command
from genrecall.cli.shared import BundleFolder, DataFolder, JsonFile, whole_numbers, write_result

tune = typer.Typer(no_args_is_help=True, help="Fit how a bundle searches.")


def beams(
    bundle: BundleFolder,
    k: Annotated[int, typer.Option("-k", help="Items of an answer.")] = 100,
    widths: Annotated[str, typer.Option(help="Beams, as 20,50,100.")] = "20,50,100",
    loss: Annotated[float, typer.Option(help="Of recall that is allowed, relative.")] = 0.005,
    data: DataFolder = None,
    json_file: JsonFile = None,
) -> None:
    """Find the fewest beams that keep the recall, by how sure the generator is of the first code.

    Tuned on the validation searches. What it is worth on searches that it was not tuned on is told
    beside it: each half of the queries with the rule of the other half.
    """
    from genrecall.cli.terminal import terminal
    from genrecall.evaluate.table_cells import make_table
    from genrecall.pipeline.tune import tune_beams_of

    numbers = whole_numbers("--widths", widths, such_as="20,50,100")
    found = tune_beams_of(bundle, data=data, k=k, widths=numbers, loss=loss)
    table = make_table(f"{found['settings']['searches']:,} searches", ("beams", f"recall@{k}"))
    for width, kept, recall in zip(numbers, found["fixed_beams"], found["fixed"], strict=True):
        table.add_row(f"always {width}", f"{kept:.1f}", f"{recall:.4f}")
    table.add_row("by the rule", f"{found['beams']:.1f}", f"{found['recall']:.4f}")
    apart = (f"{found['held_out_beams']:.1f}", f"{found['held_out']:.4f}")
    table.add_row("by the rule of the other half", *apart)
    console, rule = terminal(), found["rule"]
    console.print(table)
    entropies = [round(entropy, 4) for entropy in rule["entropies"]]
    console.print("In the config, and run again (only evaluation is made anew):")
    console.print(
        f"channels:\n  generative:\n    beams: {{widths: {rule['widths']}, entropies: {entropies}}}"
    )
    write_result(json_file, found)


add_command(tune, beams, "tune beams")
