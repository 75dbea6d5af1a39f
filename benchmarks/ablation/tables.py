"""From measured cells to tables: every figure with its interval over queries and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ablation.cell import (
    BUDGET,
    HIT_AT,
    MODES,
    RECALL_AT,
    WIDTHS,
    Measured,
    sample,
    settings_hash,
)
from benchmarks.ablation.cells import BASELINE, REFERENCE, Cell
from benchmarks.ablation.results import Results
from benchmarks.ablation.shops import SHOPS, Shop
from genrecall import __version__
from genrecall.evaluate.bootstrap import SHARE, Bootstrap, numbered
from genrecall.evaluate.equal import at_items
from genrecall.evaluate.figures import bounds_of, estimates
from genrecall.foundation.errors import DataError
from genrecall.quantize.health.figures import ItemsPerSid
from genrecall.text.normalize import query_keys

Runs = Mapping[int, Measured]
"""One cell by seed."""

Figures = dict[str, NDArray[np.float64]]
"""Measure → value per seed and search, `[T, M]`, or `[T, M, len(WIDTHS)]`."""


def build_tables(shop: Shop, cells: Sequence[Cell], results: Results) -> dict[str, Any]:
    """All figures of the cells that were measured with today's settings.

    Others, which lie in the folder since settings or data were different, are named and left out.

    Raises:
        DataError: the reference was not measured; the others are compared with it.
    """
    runs: dict[str, dict[int, Measured]] = {cell.name: {} for cell in cells}
    outdated = []
    for cell in cells:
        config = cell.applied_to(shop.config)
        for seed in results.seeds(cell.name):
            if results.has(cell.name, seed, settings_hash(shop, config, seed)):
                runs[cell.name][seed] = results.read(cell.name, seed)
            else:
                outdated.append(f"{cell.name} seed {seed}")
    if not runs.get(REFERENCE):
        raise DataError(
            f"cell {REFERENCE} is not measured with these settings, and its candidates are those "
            f"that the others are compared at. Run it, or add {REFERENCE} to --cells."
        )
    searches = sample(shop.tables.searches)
    groups = numbered(query_keys(searches.queries))
    bootstrap = Bootstrap(len(searches), groups=groups, seed=0)
    return {
        "version": __version__,
        "shop": SHOPS[shop.name],
        "searches": len(searches),
        "queries": int(groups.max()) + 1,
        "split": "validation",
        "outdated": outdated,
        "generator": shop.config.generator.model_dump(mode="json"),
        "modes": {mode: _mode(mode, cells, runs, bootstrap) for mode in MODES},
        "sids": {cell.name: _sids(runs[cell.name]) for cell in cells if runs[cell.name]},
    }


def _mode(
    mode: str, cells: Sequence[Cell], runs: Mapping[str, Runs], bootstrap: Bootstrap
) -> dict[str, Any]:
    candidates = {width: _items_behind(runs[REFERENCE], mode, width) for width in HIT_AT}
    figures = {
        name: _figures(mode, of_cell, candidates) for name, of_cell in runs.items() if of_cell
    }
    means = estimates(figures, bootstrap.mean_over_runs)
    table: dict[str, Any] = {
        "candidates": {str(b): n for b, n in candidates.items()},
        "variants": {},
    }
    for cell in (cell for cell in cells if cell.name in figures):
        of_cell, reference = runs[cell.name], runs[REFERENCE]
        common = ([], []) if cell.name == REFERENCE else _common(reference, of_cell)
        table["variants"][cell.name] = {
            "group": cell.group,
            "says": cell.says,
            "seeds": len(of_cell),
            "figures": means[cell.name],
            "candidates@100": _items_behind(of_cell, mode, HIT_AT[-1]),
            "less_than_reference": _differences(
                figures[REFERENCE], figures[cell.name], common=common, bootstrap=bootstrap
            ),
        }
    table["cut"] = _cut(mode, runs, bootstrap)
    return table


def _items_behind(runs: Runs, mode: str, width: int) -> float:
    return float(np.mean([run.modes[mode].items[:, width].mean() for run in runs.values()]))


def _cut(mode: str, runs: Mapping[str, Runs], bootstrap: Bootstrap) -> dict[str, Any]:
    """Hit rate by beams when the answer is cut to `BUDGET` items, and the beams saved."""
    found = {
        name: np.stack(
            [run.modes[mode].truncated.astype(np.float64) for run in runs[name].values()]
        )
        for name in (REFERENCE, BASELINE)
        if runs.get(name)
    }  # (T, M, widths)
    mean = {name: values.mean(axis=(0, 1)) for name, values in found.items()}
    best = {name: int(values.argmax()) for name, values in mean.items()}

    def by_width(values: NDArray[np.float64]) -> list[Any]:
        columns = np.moveaxis(values, 2, 0)
        return [bootstrap.mean_over_runs(column, bounds=SHARE).to_json() for column in columns]

    table: dict[str, Any] = {"items": BUDGET, "beams": list(WIDTHS)}
    table["hit"] = {name: by_width(values) for name, values in found.items()}
    table["best"] = {name: WIDTHS[place] for name, place in best.items()}
    if BASELINE in found:
        goal = mean[BASELINE][best[BASELINE]]
        enough = np.flatnonzero(mean[REFERENCE] >= goal)
        table["saved"] = {
            "hit": float(goal),
            BASELINE: WIDTHS[best[BASELINE]],
            REFERENCE: WIDTHS[enough[0]] if len(enough) else None,
        }
        mine, theirs = _common(runs[REFERENCE], runs[BASELINE])
        if mine:
            table["difference"] = by_width(found[REFERENCE][mine] - found[BASELINE][theirs])
    return table


def _common(one: Runs, other: Runs) -> tuple[list[int], list[int]]:
    """Places of the seeds that both have, in each."""
    common = [seed for seed in one if seed in other]
    return [list(one).index(seed) for seed in common], [list(other).index(s) for s in common]


def _figures(mode: str, runs: Runs, candidates: Mapping[int, float]) -> Figures:
    """Hit rates at the reference's candidates, at equal beams, and item recall."""
    figures: Figures = {}
    decoded = [run.modes[mode] for run in runs.values()]
    curves = [of_run.curve for of_run in decoded]
    for width, items in candidates.items():
        # Absent where all measured beams together hold fewer items.
        if all(curve.items[:, -1].mean() >= items for curve in curves):
            figures[f"hit@{width} equal"] = np.stack([at_items(curve, items) for curve in curves])
    for width in HIT_AT:
        figures[f"hit@{width}"] = np.stack([curve.found[:, width] for curve in curves])
    for column, k in enumerate(RECALL_AT):
        figures[f"recall@{k}"] = np.stack(
            [of_run.recall[:, column].astype(np.float64) for of_run in decoded]
        )
    return figures


def _differences(
    reference: Figures,
    other: Figures,
    *,
    common: tuple[list[int], list[int]],
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Reference less the other, seed by seed and search by search; empty without a common seed."""
    table: dict[str, Any] = {}
    for measure in reference.keys() & other.keys() if common[0] else ():
        mine, theirs = reference[measure][common[0]], other[measure][common[1]]
        estimate = bootstrap.mean_over_runs(mine - theirs, bounds=bounds_of(measure, paired=True))
        table[measure] = estimate.to_json() | {
            "relative": estimate.value / float(theirs.mean()) if theirs.any() else None,
            "seeds": len(mine),
            "seeds_above": int(((mine - theirs).mean(axis=1) > 0).sum()),
        }
    return table


def _sids(runs: Runs) -> dict[str, Any]:
    sizes = [ItemsPerSid.of(run.sizes) for run in runs.values()]
    return {
        "sids": float(np.mean([len(run.sizes) for run in runs.values()])),
        "items_per_sid": {
            "mean": float(np.mean([of_run.mean for of_run in sizes])),
            "weighted": float(np.mean([of_run.weighted for of_run in sizes])),
        },
        "warnings": sorted(
            {text for run in runs.values() for text in run.health.get("warnings", ())}
        ),
    }
