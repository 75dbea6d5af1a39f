"""The tables of the ablation as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.ablation.cell import HIT_AT, RECALL_AT
from benchmarks.ablation.cells import BASELINE, REFERENCE
from genrecall.generator.load import ITEM_TO_SID, QUERY_TO_SID

_MEASURES: Final = (
    *(f"hit@{width} equal" for width in HIT_AT),
    *(f"recall@{k}" for k in RECALL_AT),
    *(f"hit@{width}" for width in HIT_AT),
)


def print_tables(tables: Mapping[str, Any]) -> None:
    """The tables as text."""
    console = Console(width=180)
    generator = tables["generator"]
    steps = ", ".join(
        f"{name} {generator[name]['steps']:,}" for name in (ITEM_TO_SID, QUERY_TO_SID)
    )
    console.print(
        f"settings: version {tables['version']}, steps of the generator {steps}, "
        f"pseudo-queries {generator['pseudo_queries']:,}"
    )
    console.print(
        f"{tables['shop']}: {tables['searches']:,} validation searches. Under each figure: "
        f"{REFERENCE} less the cell on the same searches; * where the 95 % interval is clear of "
        "zero."
    )
    if outdated := tables["outdated"]:
        console.print(f"left out, since measured with other settings: {', '.join(outdated)}")
    for mode, of_mode in tables["modes"].items():
        groups = dict.fromkeys(cell["group"] for cell in of_mode["variants"].values())
        for group in groups:
            console.print(_table(tables, mode, group))
        if BASELINE in of_mode["variants"]:
            console.print(_gains(of_mode["variants"][BASELINE]["less_than_reference"]))
        console.print(_cut_table(mode, of_mode["cut"]))


def _gains(differences: Mapping[str, Any]) -> str:
    """In per cent of the baseline, as the paper gives them."""
    gains = [
        f"{measure} {differences[measure]['relative']:+.1%}"
        for measure in _MEASURES
        if differences.get(measure, {}).get("relative") is not None
    ]
    return f"{REFERENCE} over {BASELINE}: {', '.join(gains)}"


def _cut_table(mode: str, cut: Mapping[str, Any]) -> Table:
    saved = cut.get("saved")
    said = (
        f"; {BASELINE} finds most, {saved['hit']:.3f}, with {saved[BASELINE]} beams, {REFERENCE} "
        f"as much with {saved[REFERENCE] or 'no number of them'}"
        if saved
        else ""
    )
    title = f"{mode} · hit rate by beams, cut to {cut['items']:,} items by efficiency{said}"
    table = Table(title=title, title_justify="left")
    table.add_column("beams")
    for width in cut["beams"]:
        table.add_column(str(width), justify="right")
    for name, found in cut["hit"].items():
        table.add_row(name, *(f"{figure['value']:.3f}" for figure in found))
    if "difference" in cut:
        table.add_row("difference", *(signed(figure) for figure in cut["difference"]))
    return table


def _table(tables: Mapping[str, Any], mode: str, group: str) -> Table:
    of_mode = tables["modes"][mode]
    budgets = ", ".join(f"{items:.0f}" for items in of_mode["candidates"].values())
    table = Table(
        title=f"{mode} · {group} · equal candidates: {budgets} items", title_justify="left"
    )
    headings = ["cell", "seeds", "SIDs", "items per SID", "weighted", "items @100", *_MEASURES]
    for heading in (text.replace(" ", "\n") for text in headings):
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for name, cell in of_mode["variants"].items():
        if cell["group"] != group and name != REFERENCE:
            continue
        sids = tables["sids"][name]
        per_sid = sids["items_per_sid"]
        table.add_row(
            name,
            str(cell["seeds"]),
            f"{sids['sids']:,.0f}",
            f"{per_sid['mean']:.2f}",
            f"{per_sid['weighted']:.2f}",
            f"{cell['candidates@100']:.0f}",
            *(say_figure(cell, measure) for measure in _MEASURES),
        )
    return table


def say_figure(cell: Mapping[str, Any], measure: str, *, both: str = "{}\n{}") -> str:
    """The value, and by how much the reference is better; `both` is how they stand together."""
    figure = cell["figures"].get(measure)
    if figure is None:
        return "–"
    difference = cell["less_than_reference"].get(measure)
    text = f"{figure['value']:.3f}"
    return text if difference is None else both.format(text, signed(difference))


def signed(difference: Mapping[str, Any]) -> str:
    """The difference, starred where its interval is clear of zero."""
    lo, hi = difference["ci"]
    mark = "*" if lo > 0 or hi < 0 else ""
    return f"{difference['value']:+.3f}{mark}"
