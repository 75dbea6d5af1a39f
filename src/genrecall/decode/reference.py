"""Reference constrained beam search: plain and exact, the oracle of every faster engine.

A SID is generated only if it is valid for the request: it exists and at least one live item that
passes the filters stands behind it. Log-probabilities are the generator's own, masked and not
renormalized. Equal scores are ordered by SID.

Shapes: `Q` prompts.
"""

from __future__ import annotations

from typing import Generic

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.decode.base import BeamRule, Beams, check_beams, damaged_weights
from genrecall.decode.prefixes import Prefixes, alive_nodes, as_beams, best, expand, widths_of
from genrecall.foundation.sid import LEVELS
from genrecall.generator.base import Generator, Reading, State


class ReferenceEngine(Generic[State]):
    """Plain and exact; see `Engine`.

    Args:
        generator: scores codes level by level.
    """

    def __init__(self, generator: Generator[State]) -> None:
        self._generator = generator
        self._trie = generator.trie

    def search(
        self,
        reading: Reading[State],
        *,
        beam: int | BeamRule,
        rows: NDArray[np.int64] | None = None,
        valid: NDArray[np.bool_] | None = None,
        min_level1: int = 1,
    ) -> Beams:
        """See `Engine.search`."""
        rule = BeamRule.of(beam)
        check_beams(rule, min_level1)
        searched = np.arange(len(reading)) if rows is None else rows  # (Q,)
        n_prompts = len(searched)
        if n_prompts == 0:
            return as_beams(None, n_prompts, rule.widest)
        alive = alive_nodes(self._trie, valid, n_prompts)
        prefixes = Prefixes.roots(n_prompts)
        state, step = reading.state, reading.step if rows is None else reading.step[rows]
        widths = widths_of(rule, step.numpy())
        for level in range(LEVELS):
            logprobs = step.reshape(-1).numpy()
            if np.isnan(logprobs).any():
                raise damaged_weights()
            prefixes = expand(prefixes, self._trie, level, alive[level], logprobs)
            prefixes = best(prefixes, widths, min_level1=min_level1)
            if level < LEVELS - 1:
                # What is searched may be a part of what was read.
                parent = prefixes.parent if level else searched[prefixes.parent]
                state, step = self._generator.advance(
                    state, torch.from_numpy(parent), torch.from_numpy(prefixes.node)
                )
        return as_beams(prefixes, n_prompts, rule.widest)
