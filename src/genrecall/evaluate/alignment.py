"""The figures of an aligned generator beside those of the stage before and of controls.

Shapes: `M` searches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.evaluate.bootstrap import Bootstrap, Estimate
from genrecall.evaluate.figures import Measures, differences, estimates
from genrecall.evaluate.measures import Floats, IntArray
from genrecall.evaluate.slices import Masks

STAGE_3: Final = "stage3"
"""The last supervised stage, which alignment starts from."""

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
        "align": estimates(arms, _Means(groups, every, seed)),
        "paired_align": estimates(differences(arms, pairs), _Means(groups, every, seed)),
        "slices_align": {
            name: estimates(arms, _Means(groups, mask, seed))
            for name, mask in slices.items()
            if mask.any()
        },
    }


class _Means:
    """Means of measures over those searches of a slice that have what a measure counts."""

    def __init__(self, groups: IntArray, mask: NDArray[np.bool_], seed: int) -> None:
        self._groups, self._mask, self._seed = groups, mask, seed
        self._drawn: dict[bytes, Bootstrap] = {}

    def __call__(self, values: Floats) -> Estimate:
        counted = self._mask & ~np.isnan(values)
        n = int(counted.sum())
        if not n:
            return Estimate(0.0, 0.0, 0.0, 0)
        key = counted.tobytes()
        if key not in self._drawn:
            self._drawn[key] = Bootstrap(n, groups=self._groups[counted], seed=self._seed)
        return self._drawn[key].mean(values[counted])
