"""The engine of the compact family: a walk down the tree for each prompt.

It gives what the reference gives, up to the rounding of a float: the log-probabilities are the
generator's, and equal scores are ordered by SID. Without the library in C the walk is NumPy's.

Shapes: `Q` prompts, `B` beams, `S` SIDs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrecall.decode.base import BeamRule, Beams, check_beams, check_valid, damaged_weights
from genrecall.decode.walk.native import NativeWalk, Work
from genrecall.decode.walk.plain import Alive, PlainWalk
from genrecall.decode.walk.tables import WalkTables
from genrecall.generator.base import Reading
from genrecall.generator.compact.generator import CompactGenerator, CompactRead
from genrecall.native.library import library


class WalkEngine:
    """Searches what a compact generator has read; see `Engine`.

    The weights are those that the generator has when the engine is made.

    Args:
        generator: whose SIDs.
        native: whether the library in C searches, if it was built.
    """

    def __init__(self, generator: CompactGenerator, *, native: bool = True) -> None:
        self._trie, self._temperature = generator.trie, np.float32(generator.serving.temperature)
        tables, found = WalkTables.of(generator), library() if native else None
        self._walk = PlainWalk(tables) if found is None else NativeWalk(tables, found)

    def search(
        self,
        reading: Reading[CompactRead],
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
        check_valid(valid, len(self._trie), len(searched))
        leaves = np.full((len(searched), rule.widest), -1, dtype=np.int64)
        logprob = np.full((len(searched), rule.widest), -np.inf, dtype=np.float32)
        hidden, scaled = reading.state.hidden, reading.state.queries / self._temperature
        if not (np.isfinite(scaled).all() and np.isfinite(hidden).all()):
            raise damaged_weights()
        shared = valid is None or valid.ndim == 1 or len(valid) == 1
        alive = self._alive(None if valid is None else np.atleast_2d(valid)[0]) if shared else None
        for place, row in enumerate(searched.tolist()):
            if not shared:
                assert valid is not None
                alive = self._alive(valid[place])
            node, told = self._walk.search(
                scaled[row], hidden[row], alive=alive, rule=rule, min_level1=min_level1
            )
            leaves[place, : len(node)], logprob[place, : len(node)] = node, told
        return Beams(leaves, logprob)

    @property
    def work(self) -> Work | None:
        """What this thread's last search of one prompt has done; None where NumPy searches."""
        return self._walk.work if isinstance(self._walk, NativeWalk) else None

    def _alive(self, valid: NDArray[np.bool_] | None) -> Alive:
        """Which nodes of each level may be visited; None for all."""
        return None if valid is None or valid.all() else self._trie.spread(valid)
