"""The figures of an aligned generator beside those of the stage before and of controls.

Shapes: `M` searches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.evaluate.bootstrap import Bootstrap, Bounds, Estimate
from genrecall.evaluate.figures import Measures, clear, differences, estimates
from genrecall.evaluate.measures import Floats, IntArray
from genrecall.evaluate.slices import Masks

STAGE_3: Final = "stage3"
"""The last supervised stage, which alignment starts from."""

COMPARED: Final = ("clk@1", "clk@10", "exp@1", "exp@10", "pvr@10")
"""The measures of table 5 of arXiv 2605.14434."""

TOLERANCE: Final = 0.01
"""A collapse loses more than this share of clk@10."""

ENTROPY: Final = "entropy_1"
"""Entropy of the first code, in nats, averaged over searches."""

LEAST_ENTROPY: Final = 0.5
"""A collapse keeps less than this share of it."""

STEP: Final = "align"
"""Event in a run's log of the means over some steps: `arm`, `step`, and the figures of a step."""

VALIDATED: Final = "align_validation"
"""Event of a measurement: `arm`, `step`, `measured`, `gain`."""

Metrics = dict[str, Any]


def alignment_metrics(
    arms: Mapping[str, Measures], *, groups: IntArray, slices: Masks, seed: int
) -> Metrics:
    """Figures of every arm: with intervals over the units, each drawn with all its searches.

    Args:
        arms: by arm its measures of each search, NaN where a search has nothing to count; `stage3`
            first, then the one that serves, then controls.
        groups: a number for the unit of each search, `[M]`.
        slices: parts of the searches; empty ones are left out.
        seed: of the bootstrap.

    Returns:
        - `align_served`: the arm that serves; None where stage 3 stands alone
        - `align`: arm → measure → figure, over the searches that have what the measure counts
        - `paired_align`: `arm - other` → measure → difference, for every arm and stage 3, and for
          the one that serves and every control
        - `slices_align`: slice → arm → measure → figure
    """
    first, served, *controls = arms if len(arms) > 1 else (*arms, STAGE_3)
    pairs = [(arm, first) for arm in arms if arm != first]
    pairs += [(served, control) for control in controls]
    every = np.ones(len(groups), dtype=np.bool_)
    return {
        "align_served": served if len(arms) > 1 else None,
        "align": estimates(arms, _Means(groups, every, seed)),
        "paired_align": estimates(
            differences(arms, pairs), _Means(groups, every, seed), paired=True
        ),
        "slices_align": {
            name: estimates(arms, _Means(groups, mask, seed))
            for name, mask in slices.items()
            if mask.any()
        },
    }


def arm_order(metrics: Metrics) -> list[str]:
    """Stage 3, the arm that serves, then controls by name.

    >>> arms = dict.fromkeys(("a", "eg_grpo_k2", "stage3"))
    >>> arm_order({"align": arms, "align_served": "eg_grpo_k2"})
    ['stage3', 'eg_grpo_k2', 'a']
    """
    first = (STAGE_3, metrics.get("align_served"))
    return sorted(
        metrics.get("align", {}),
        key=lambda arm: (first.index(arm) if arm in first else len(first), arm),
    )


def collapses(measured: Mapping[str, float], start: Mapping[str, float]) -> bool:
    """Whether exposure has risen at the cost of clicks or of entropy: the collapse of the paper.

    Args:
        measured: `clk@10`, `exp@1` and, where it was measured, the entropy of the first code.
        start: the same of the start.

    >>> collapses({"clk@10": 0.49, "exp@1": 0.31}, {"clk@10": 0.5, "exp@1": 0.3})
    True
    """
    if not all(name in found for name in ("clk@10", "exp@1") for found in (measured, start)):
        return False
    clicks_fell = measured["clk@10"] < start["clk@10"] * (1.0 - TOLERANCE)
    known = ENTROPY in measured and ENTROPY in start
    repeats = known and measured[ENTROPY] < start[ENTROPY] * LEAST_ENTROPY
    return (clicks_fell or repeats) and measured["exp@1"] > start["exp@1"]


def collapsed_arms(metrics: Metrics) -> list[str]:
    """Arms whose figures show a collapse against stage 3."""
    values = {
        arm: {name: figure["value"] for name, figure in figures.items() if figure["n"]}
        for arm, figures in metrics.get("align", {}).items()
    }
    start = values.get(STAGE_3, {})
    return [arm for arm in arm_order(metrics) if collapses(values[arm], start)]


def served_against(metrics: Metrics) -> list[tuple[str, str]]:
    """In a sentence each, what the arm that serves has more or less of than every other arm.

    Returns:
        `(arm, sentence)`, stage 3 first; nothing where nothing is aligned.
    """
    served = metrics.get("align_served")
    found = []
    for arm in arm_order(metrics):
        figures = metrics.get("paired_align", {}).get(f"{served} - {arm}", {})
        counted = {name: figures[name] for name in COMPARED if figures.get(name, {}).get("n")}
        parts = [
            f"{told} {', '.join(names)}"
            for told, tone in (("more", "up"), ("less", "down"))
            if (names := [name for name, figure in counted.items() if clear(figure) == tone])
        ]
        if metrics["align"][arm] == metrics["align"].get(served):
            parts = ["the very same figures"]
        if counted:
            found.append((arm, "; ".join(parts) or "no difference that is clear of chance"))
    return found


class _Means:
    """Means of measures over those searches of a slice that have what a measure counts."""

    def __init__(self, groups: IntArray, mask: NDArray[np.bool_], seed: int) -> None:
        self._groups, self._mask, self._seed = groups, mask, seed
        self._drawn: dict[bytes, Bootstrap] = {}

    def __call__(self, values: Floats, /, *, bounds: Bounds | None) -> Estimate:
        counted = self._mask & ~np.isnan(values)
        n = int(counted.sum())
        if not n:
            return Estimate(0.0, 0.0, 0.0, 0)
        key = counted.tobytes()
        if key not in self._drawn:
            self._drawn[key] = Bootstrap(n, groups=self._groups[counted], seed=self._seed)
        return self._drawn[key].mean(values[counted], bounds=bounds)
