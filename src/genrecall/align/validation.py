"""Measures on validation searches, and how much better they are than at the start.

Shapes: `n` searches, `B` beams.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.align.objective import entropy
from genrecall.align.pages import Pages, PassingSids
from genrecall.decode.reference import ReferenceEngine
from genrecall.evaluate.alignment import COMPARED, ENTROPY
from genrecall.evaluate.exposure import AT, MEASURES, exposure_measures
from genrecall.generator.base import Generator, Reading

_AT_ONCE: Final = 256  # prompts searched together: bounds the memory of the beams

MEASURED: Final = (*MEASURES, ENTROPY)
"""Names of what is measured, in the order of a checkpoint."""

Measured = dict[str, float]
"""Means over the searches by measure."""


class Validation:
    """Measures a generator on the same searches again and again.

    Args:
        generator: is measured with the weights that it has then.
        pages: the searches.
    """

    def __init__(self, generator: Generator[Any], pages: Pages) -> None:
        self._generator, self._pages = generator, pages
        self._engine = ReferenceEngine(generator)
        self._passing = PassingSids(pages, len(generator.items.trie))

    def __call__(self) -> Measured:
        """Means over the searches, with the weights as they are."""
        leaves, entropies = [], []
        for start in range(0, len(self._pages), _AT_ONCE):
            prompts = self._pages.prompts[start : start + _AT_ONCE]
            reading = self._generator.read(prompts)
            leaves.append(self._search(reading, range(start, start + len(prompts))))
            every, first = reading.step.shape
            lengths = torch.full((every,), first)
            entropies.append(entropy(reading.step.reshape(-1), lengths).numpy())
        found = exposure_measures(np.concatenate(leaves), self._pages.shown)
        return {
            name: float(np.nanmean(values))
            for name, values in found.items()
            if not np.isnan(values).all()
        } | {ENTROPY: float(np.concatenate(entropies).mean())}

    def _search(self, reading: Reading[Any], searches: range) -> NDArray[np.int64]:
        """The first beams of searches that were read, under their filters: int64 `[n, B]`."""
        leaves = np.empty((len(searches), AT[-1]), dtype=np.int64)
        for rows, valid in self._passing.alike(searches):
            leaves[rows] = self._engine.search(reading, beam=AT[-1], rows=rows, valid=valid).leaves
        return leaves


def mean_gain(measured: Mapping[str, float], start: Mapping[str, float]) -> float:
    """Mean relative gain over the start in `COMPARED`; 0 at the start itself."""
    gains = [
        measured[name] / start[name] - 1.0
        for name in COMPARED
        if name in measured and start.get(name, 0.0) > 0
    ]
    return float(np.mean(gains)) if gains else 0.0


def as_tensor(measured: Mapping[str, float]) -> torch.Tensor:
    """What was measured in the order of `MEASURED`; NaN for what was not."""
    values = [measured.get(name, float("nan")) for name in MEASURED]
    return torch.tensor(values, dtype=torch.float64)
