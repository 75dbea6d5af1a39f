"""From finished cells to figures with intervals over queries, or shoppers, and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.families.cell import BASELINES, Finished
from benchmarks.families.cells import PAIRS
from benchmarks.families.pace import Stage
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.metrics import BEAM_WIDTHS, GENERATIVE, RECALL_AT

MEASURES = (*(f"hit@{b}" for b in BEAM_WIDTHS), *(f"recall@{k}" for k in RECALL_AT))
"""`hit@b`: share of the good items whose SID is among the first b beams."""

Seeds = Mapping[int, Finished]
"""One cell by seed."""


def build_table(cells: Mapping[str, Seeds]) -> dict[str, Any]:
    """Figures of one config; its cells have the same searches."""
    every = [run for seeds in cells.values() for run in seeds.values()]
    units = np.array(every[0].units)
    bootstrap = Bootstrap(len(units), groups=units, seed=0)
    rows = {name: (seeds, GENERATIVE) for name, seeds in cells.items() if seeds}
    first = next(iter(rows.values()))[0]  # baselines are the same in all cells
    rows |= {name: (first, name) for name in BASELINES if name in every[0].values}
    return {
        "searches": len(units),
        "units": int(units.max()) + 1,
        "sids": every[0].health["sids"],
        "items_per_sid": every[0].health["items_per_sid"],
        "cells": {name: _training(seeds) for name, seeds in cells.items() if seeds},
        "figures": {
            row: {
                measure: bootstrap.mean_over_runs(values).to_json()
                for measure in MEASURES
                if (values := _stack(seeds, channel, measure)) is not None
            }
            for row, (seeds, channel) in rows.items()
        },
        "paired": {
            f"{one} - {other}": _differences(cells[one], cells[other], bootstrap)
            for one, other in PAIRS
            if cells.get(one) and cells.get(other)
        },
    }


def _training(seeds: Seeds) -> dict[str, Any]:
    """Means over seeds; those of the stages are weighted by their time."""
    runs = list(seeds.values())
    of_teacher = [run.teacher_seconds for run in runs if run.teacher_seconds is not None]
    (stages, *_) = (run.stages for run in runs)
    return {
        "seeds": len(runs),
        "parameters": runs[0].parameters,
        "seconds": float(np.mean([run.seconds for run in runs])),
        "examples_per_second": _mean(runs, "examples_per_second"),
        "tokens_per_second": _mean(runs, "tokens_per_second"),
        "utilization": _mean(runs, "utilization"),
        "peak": next((stage.peak for stage in stages.values() if stage.peak), None),
        "teacher_seconds": float(np.mean(of_teacher)) if of_teacher else None,
        "stages": {name: stage._asdict() for name, stage in stages.items()},
    }


def _mean(runs: list[Finished], speed: str) -> float | None:
    every: list[Stage] = [stage for run in runs for stage in run.stages.values()]
    told = [(getattr(stage, speed), stage.seconds) for stage in every]
    if any(value is None for value, _ in told):
        return None
    values, seconds = zip(*told, strict=True)
    return float(np.average(values, weights=seconds))


def _stack(seeds: Seeds, channel: str, measure: str) -> NDArray[np.float64] | None:
    """Values per seed and search, `[T, M]`; None where the measure does not apply."""
    runs = [run.values[channel] for run in seeds.values()]
    if not all(measure in run for run in runs):
        return None
    return np.array([run[measure] for run in runs])


def _differences(one: Seeds, other: Seeds, bootstrap: Bootstrap) -> dict[str, Any]:
    """One less the other, seed by seed and search by search."""
    common = [seed for seed in one if seed in other]
    table: dict[str, Any] = {}
    for measure in MEASURES if common else ():
        mine, theirs = (
            _stack({seed: of[seed] for seed in common}, GENERATIVE, measure) for of in (one, other)
        )
        if mine is not None and theirs is not None:
            table[measure] = bootstrap.mean_over_runs(mine - theirs).to_json()
    return table
