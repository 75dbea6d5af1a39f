"""From finished cells to figures with intervals over queries, or shoppers, and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.families.cell import BASELINES, Finished
from benchmarks.families.cells import PAIRS
from genrecall.evaluate.bootstrap import Bootstrap
from genrecall.evaluate.figures import Measures, differences, estimates
from genrecall.evaluate.names import BEAM_WIDTHS, GENERATIVE, RECALL_AT

MEASURES = (*(f"hit@{b}" for b in BEAM_WIDTHS), *(f"recall@{k}" for k in RECALL_AT))
"""`hit@b`: share of the relevant items whose SID is among the first b beams."""

Seeds = Mapping[int, Finished]
"""One cell by seed."""


def build_table(cells: Mapping[str, Seeds]) -> dict[str, Any]:
    """Figures of one config; its cells have the same seeds and searches."""
    runs = {name: list(seeds.values()) for name, seeds in cells.items() if seeds}
    first = next(iter(runs.values()))  # baselines are the same in all cells
    units = np.array(first[0].units)
    bootstrap = Bootstrap(len(units), groups=units, seed=0)
    rows = {name: _stack(of_cell, GENERATIVE) for name, of_cell in runs.items()}
    rows |= {name: _stack(first, name) for name in BASELINES if name in first[0].values}
    pairs = [(one, other) for one, other in PAIRS if one in runs and other in runs]
    return {
        "searches": len(units),
        "units": int(units.max()) + 1,
        "sids": first[0].health["sids"],
        "items_per_sid": first[0].health["items_per_sid"],
        "cells": {name: _training(of_cell) for name, of_cell in runs.items()},
        "figures": estimates(rows, bootstrap.mean_over_runs),
        "paired": estimates(differences(rows, pairs), bootstrap.mean_over_runs, paired=True),
    }


def _training(runs: list[Finished]) -> dict[str, Any]:
    """Means over seeds; those of the stages are weighted by their time."""
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
    every = [stage for run in runs for stage in run.stages.values()]
    measured = [getattr(stage, speed) for stage in every]
    if None in measured:
        return None
    return float(np.average(measured, weights=[stage.seconds for stage in every]))


def _stack(runs: list[Finished], channel: str) -> Measures:
    """By measure the values of each seed and search, `[T, M]`."""
    values = [run.values[channel] for run in runs]
    return {
        measure: np.array([of_run[measure] for of_run in values])
        for measure in MEASURES
        if measure in values[0]
    }
