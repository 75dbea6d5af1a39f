"""The ablation's tables as Markdown, for `docs/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.ablation.cells import BASELINE, REFERENCE
from benchmarks.ablation.printing import say_figure
from benchmarks.markdown import markdown_table
from genrecall.generator.load import ITEM_TO_SID, QUERY_TO_SID

_EQUAL = ("hit@1 equal", "hit@10 equal", "hit@100 equal")
_RECALL = ("recall@10", "recall@100", "recall@1000")
_RAW = ("hit@1", "hit@10", "hit@100")


def as_markdown(tables: Mapping[str, Any]) -> str:
    """One shop's tables; under each figure the reference less the cell, as in `print_tables`."""
    generator = tables["generator"]
    lines = [
        f"{tables['shop']}; {tables['searches']:,} {tables['split']} searches; version "
        f"{tables['version']}; generator trained for {generator[ITEM_TO_SID]['steps']:,} and "
        f"{generator[QUERY_TO_SID]['steps']:,} steps.",
        "",
    ]
    for mode, of_mode in tables["modes"].items():
        for group in dict.fromkeys(cell["group"] for cell in of_mode["variants"].values()):
            lines += _group(tables, mode, group)
        lines += _cut(mode, of_mode["cut"])
    return "\n".join(lines)


def _group(tables: Mapping[str, Any], mode: str, group: str) -> list[str]:
    of_mode = tables["modes"][mode]
    budgets = ", ".join(f"{items:.0f}" for items in of_mode["candidates"].values())
    measures = (*_EQUAL, *_RECALL)
    headings = ["", "seeds", "items per SID", *measures, "raw hit@1, 10, 100", "items @100"]
    rows = []
    for name, cell in of_mode["variants"].items():
        if cell["group"] != group and name != REFERENCE:
            continue
        per_sid = tables["sids"][name]["items_per_sid"]
        raw = ", ".join(f"{cell['figures'][measure]['value']:.3f}" for measure in _RAW)
        cells = [
            f"`{name}`: {cell['says']}",
            str(cell["seeds"]),
            f"{per_sid['mean']:.2f} ({per_sid['weighted']:.2f})",
            *(say_figure(cell, measure, both="{} ({})") for measure in measures),
            raw,
            f"{cell['candidates@100']:.0f}",
        ]
        rows.append(cells)
    title = f"**{mode}, {group}**, equal candidates: {budgets} items"
    return [title, "", *markdown_table(headings, rows), ""]


def _cut(mode: str, cut: Mapping[str, Any]) -> list[str]:
    widths = cut["beams"]
    lines = [
        f"**{mode}**, hit rate by beams, cut to {cut['items']:,} items by efficiency",
        "",
        *markdown_table(
            ["beams", *(str(width) for width in widths)],
            [
                [name, *(f"{figure['value']:.3f}" for figure in found)]
                for name, found in cut["hit"].items()
            ],
        ),
    ]
    if saved := cut.get("saved"):
        beams = saved[REFERENCE] or "no number of"
        lines += [
            "",
            f"{BASELINE} finds most, {saved['hit']:.3f}, with {saved[BASELINE]} beams; "
            f"{REFERENCE} as much with {beams} beams.",
        ]
    return [*lines, ""]
