"""From measured cells to tables: every figure with its interval over queries and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.ablation.cell import BUDGET, HIT_AT, MODES, RECALL_AT, WIDTHS, Measured, sample
from benchmarks.ablation.cells import BASELINE, REFERENCE, Cell
from benchmarks.ablation.results import Results
from benchmarks.ablation.shops import SHOPS, Shop
from genrecall.embed.normalize import normalize
from genrecall.errors import DataError
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.equal import at_items

Runs = Sequence[Measured]
"""One cell with several seeds."""

Figures = dict[str, NDArray[np.float64]]
"""Measure → value per seed and search, `[T, M]`."""


def build_tables(shop: Shop, cells: Sequence[Cell], results: Results) -> dict[str, Any]:
    """All figures of the measured cells.

    Raises:
        DataError: the reference was not measured; the others are compared with it.
    """
    runs = {
        cell.name: [results.read(cell.name, seed) for seed in results.seeds(cell.name)]
        for cell in cells
    }
    if not runs.get(REFERENCE):
        raise DataError(
            f"cell {REFERENCE} is not measured, and its candidates are those that the others are "
            f"compared at. Run it, or add {REFERENCE} to --cells."
        )
    searches = sample(shop.tables[1])
    spelled = np.array([normalize(query) for query in searches.queries], dtype=object)
    groups = np.unique(spelled, return_inverse=True)[1]
    bootstrap = Bootstrap(len(searches), groups=groups, seed=0)
    return {
        "shop": SHOPS[shop.name],
        "searches": len(searches),
        "queries": int(groups.max()) + 1,
        "split": "validation",
        "generator": shop.config.generator.model_dump(mode="json"),
        "modes": {mode: _mode(mode, cells, runs, bootstrap) for mode in MODES},
        "sids": {cell.name: _sids(runs[cell.name]) for cell in cells if runs[cell.name]},
    }


def _mode(
    mode: str, cells: Sequence[Cell], runs: Mapping[str, Runs], bootstrap: Bootstrap
) -> dict[str, Any]:
    reference = runs[REFERENCE]
    candidates = {
        width: float(np.mean([run.items[mode][:, width].mean() for run in reference]))
        for width in HIT_AT
    }
    figures = {name: _figures(mode, of_cell, candidates) for name, of_cell in runs.items()}
    table: dict[str, Any] = {
        "candidates": {str(b): n for b, n in candidates.items()},
        "variants": {},
    }
    for cell in cells:
        if not runs[cell.name]:
            continue
        table["variants"][cell.name] = {
            "group": cell.group,
            "says": cell.says,
            "seeds": len(runs[cell.name]),
            "figures": {
                measure: bootstrap.mean_over_runs(values).to_json()
                for measure, values in figures[cell.name].items()
            },
            "candidates@100": float(
                np.mean([run.items[mode][:, HIT_AT[-1]].mean() for run in runs[cell.name]])
            ),
            "less_than_reference": _differences(figures[REFERENCE], figures[cell.name], bootstrap)
            if cell.name != REFERENCE
            else {},
        }
    table["cut"] = _cut(mode, runs)
    return table


def _cut(mode: str, runs: Mapping[str, Runs]) -> dict[str, Any]:
    """Hit rate by beams when the answer is cut to `BUDGET` items, and the beams saved."""
    found = {
        name: np.mean([run.truncated[mode].mean(axis=0) for run in runs[name]], axis=0)
        for name in (REFERENCE, BASELINE)
        if runs.get(name)
    }
    table: dict[str, Any] = {"items": BUDGET, "beams": list(WIDTHS)}
    table["hit"] = {name: values.tolist() for name, values in found.items()}
    if BASELINE in found:
        best = int(found[BASELINE].argmax())
        enough = np.flatnonzero(found[REFERENCE] >= found[BASELINE][best])
        table["saved"] = {
            "hit": float(found[BASELINE][best]),
            BASELINE: WIDTHS[best],
            REFERENCE: WIDTHS[enough[0]] if len(enough) else None,
        }
    return table


def _figures(mode: str, runs: Runs, candidates: Mapping[int, float]) -> Figures:
    """Hit rates at the reference's candidates, at equal beams, and item recall."""
    figures: Figures = {}
    for width, items in candidates.items():
        values = [_at_items(run, mode, items) for run in runs]
        if values and all(value is not None for value in values):
            figures[f"hit@{width} equal"] = np.stack(values)
    for width in HIT_AT:
        if runs:
            figures[f"hit@{width}"] = np.stack(
                [run.found[mode][:, width].astype(np.float64) for run in runs]
            )
    for column, k in enumerate(RECALL_AT):
        if runs:
            figures[f"recall@{k}"] = np.stack(
                [run.recall[mode][:, column].astype(np.float64) for run in runs]
            )
    return figures


def _at_items(run: Measured, mode: str, items: float) -> NDArray[np.float64] | None:
    """None where all measured beams together hold fewer items."""
    curve = run.curve(mode)
    return at_items(curve, items) if curve.items[:, -1].mean() >= items else None


def _differences(reference: Figures, other: Figures, bootstrap: Bootstrap) -> dict[str, Any]:
    """Reference less the other, seed by seed and search by search."""
    table: dict[str, Any] = {}
    for measure in reference.keys() & other.keys():
        seeds = min(len(reference[measure]), len(other[measure]))
        mine, theirs = reference[measure][:seeds], other[measure][:seeds]
        estimate = bootstrap.mean_over_runs(mine - theirs)
        table[measure] = estimate.to_json() | {
            "relative": estimate.value / float(theirs.mean()) if theirs.any() else None,
            "seeds": seeds,
            "seeds_above": int(((mine - theirs).mean(axis=1) > 0).sum()),
        }
    return table


def _sids(runs: Runs) -> dict[str, Any]:
    sizes = [run.sizes for run in runs]
    return {
        "sids": float(np.mean([len(of_run) for of_run in sizes])),
        "items_per_sid": {
            "mean": float(np.mean([of_run.mean() for of_run in sizes])),
            "weighted": float(
                np.mean([np.square(of_run).sum() / of_run.sum() for of_run in sizes])
            ),
        },
        "warnings": sorted({text for run in runs for text in run.health.get("warnings", ())}),
    }


def print_tables(tables: Mapping[str, Any]) -> None:
    """The tables as text."""
    console = Console(width=160)
    console.print(f"{tables['shop']}: {tables['searches']:,} validation searches")
    for mode, of_mode in tables["modes"].items():
        groups = dict.fromkeys(cell["group"] for cell in of_mode["variants"].values())
        for group in groups:
            console.print(_table(tables, mode, group))
        console.print(_cut_table(mode, of_mode["cut"]))


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
        table.add_row(name, *(f"{value:.3f}" for value in found))
    return table


def _table(tables: Mapping[str, Any], mode: str, group: str) -> Table:
    of_mode = tables["modes"][mode]
    budgets = ", ".join(f"{items:.0f}" for items in of_mode["candidates"].values())
    table = Table(
        title=f"{mode} · {group} · equal candidates: {budgets} items", title_justify="left"
    )
    measures = [f"hit@{b} equal" for b in HIT_AT] + [f"recall@{k}" for k in RECALL_AT]
    for heading in ("cell", "seeds", "SIDs", "items/SID", "weighted", "items@100", *measures):
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
            *(_figure(cell, measure) for measure in measures),
        )
    return table


def _figure(cell: Mapping[str, Any], measure: str) -> str:
    """The value, and by how much the reference is better."""
    figure = cell["figures"].get(measure)
    if figure is None:
        return "-"
    difference = cell["less_than_reference"].get(measure)
    text = f"{figure['value']:.3f}"
    if difference is None:
        return text
    lo, hi = difference["ci"]
    mark = "*" if lo > 0 or hi < 0 else ""
    return f"{text}\n{difference['value']:+.3f}{mark}"
