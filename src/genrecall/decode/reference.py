"""Reference constrained beam search: plain and exact, the oracle of every faster engine.

A SID is generated only if it is valid for the request: it exists and at least one live item that
passes the filters stands behind it. Log-probabilities are the generator's own, masked and not
renormalized. Equal scores are ordered by SID.

Shapes: `Q` prompts, `B` beams, `R` live prefixes of all prompts together, `C` their children.
"""

from __future__ import annotations

from typing import Generic, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.decode.base import BeamRule, Beams, check_beams, check_valid
from genrecall.foundation.ragged import rank_in_run
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Generator, Reading, State


class _Prefixes(NamedTuple):
    """Prefixes of all prompts, ordered by prompt."""

    prompt: NDArray[np.int64]  # (C,)
    first: NDArray[np.int64]  # (C,) node of the first code
    node: NDArray[np.int64]  # (C,) node in the trie
    logprob: NDArray[np.float32]  # (C,)
    parent: NDArray[np.int64]  # (C,) row of the generator's state that it continues

    def take(self, rows: NDArray[np.int64]) -> _Prefixes:
        return _Prefixes(
            prompt=self.prompt[rows],
            first=self.first[rows],
            node=self.node[rows],
            logprob=self.logprob[rows],
            parent=self.parent[rows],
        )


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
            return _as_beams(None, n_prompts, rule.widest)
        alive = _alive(self._trie, valid, n_prompts)
        roots = np.zeros(n_prompts, dtype=np.int64)
        prefixes = _Prefixes(
            prompt=np.arange(n_prompts),
            first=roots,
            node=roots,
            logprob=roots.astype(np.float32),
            parent=roots,
        )
        state, step = reading.state, reading.step if rows is None else reading.step[rows]
        widths = _widths(rule, step)
        for level in range(LEVELS):
            logprobs = step.reshape(-1).numpy()
            prefixes = _expand(prefixes, self._trie, level, alive[level], logprobs)
            prefixes = _best(prefixes, widths, min_level1=min_level1)
            if level < LEVELS - 1:
                # What is searched may be a part of what was read.
                parent = prefixes.parent if level else searched[prefixes.parent]
                state, step = self._generator.advance(
                    state, torch.from_numpy(parent), torch.from_numpy(prefixes.node)
                )
        return _as_beams(prefixes, n_prompts, rule.widest)


def _alive(trie: Trie, valid: NDArray[np.bool_] | None, n_prompts: int) -> list[NDArray[np.bool_]]:
    """Per level, which nodes may be visited: bool `[1 or Q, n_l]`."""
    if valid is None:
        return [np.ones((1, n), dtype=np.bool_) for n in trie.n_nodes]
    check_valid(valid, len(trie), n_prompts)
    per_prompt = [trie.spread(row) for row in np.atleast_2d(valid)]
    return [np.stack(level) for level in zip(*per_prompt, strict=True)]


def _expand(
    prefixes: _Prefixes,
    trie: Trie,
    level: int,
    alive: NDArray[np.bool_],
    step: NDArray[np.float32],
) -> _Prefixes:
    """All allowed children; `step` holds the log-probabilities of all, `[C]`."""
    children = trie.children(level, prefixes.node)
    prompt = prefixes.prompt[children.parent]
    grown = _Prefixes(
        prompt=prompt,
        first=children.node if level == 0 else prefixes.first[children.parent],
        node=children.node,
        logprob=prefixes.logprob[children.parent] + step,
        parent=children.parent,
    )
    shared = len(alive) == 1
    return grown.take(np.flatnonzero(alive[0 if shared else prompt, children.node]))


def _widths(rule: BeamRule, first: torch.Tensor) -> NDArray[np.int64]:
    """How many prefixes are kept of each prompt, by what is said of first codes: `[Q, n_0]`."""
    entropies = -(first.exp() * first).sum(dim=1)
    return np.array([rule.width(entropy) for entropy in entropies.tolist()], dtype=np.int64)


def _best(prefixes: _Prefixes, widths: NDArray[np.int64], *, min_level1: int) -> _Prefixes:
    """The most probable prefixes of each prompt, best first, as many as `widths` says, `[Q]`."""
    order = np.lexsort((prefixes.node, -prefixes.logprob, prefixes.prompt))
    prefixes = prefixes.take(order)
    if min_level1 > 1:
        # The best prefix of each of the leading first codes is moved to the front before the cut.
        leads = _leads_first_code(prefixes, min_level1)
        front = np.lexsort((~leads, prefixes.prompt))  # stable: scores stay in order
        kept = np.sort(front[rank_in_run(prefixes.prompt) < widths[prefixes.prompt]])
        return prefixes.take(kept)
    return prefixes.take(np.flatnonzero(rank_in_run(prefixes.prompt) < widths[prefixes.prompt]))


def _leads_first_code(prefixes: _Prefixes, n_first: int) -> NDArray[np.bool_]:
    """Whether each prefix is the best of its first code, and that code among the best `n_first`."""
    group = prefixes.prompt * (int(prefixes.first.max(initial=0)) + 1) + prefixes.first
    _, best_rows = np.unique(group, return_index=True)  # prefixes are sorted: first is best
    best_rows = np.sort(best_rows)
    rank = rank_in_run(prefixes.prompt[best_rows])
    leads = np.zeros(len(group), dtype=np.bool_)
    leads[best_rows[rank < n_first]] = True
    return leads


def _as_beams(prefixes: _Prefixes | None, n_prompts: int, beam: int) -> Beams:
    leaves = np.full((n_prompts, beam), -1, dtype=np.int64)
    logprob = np.full((n_prompts, beam), -np.inf, dtype=np.float32)
    if prefixes is not None:
        rank = rank_in_run(prefixes.prompt)
        leaves[prefixes.prompt, rank] = prefixes.node
        logprob[prefixes.prompt, rank] = prefixes.logprob
    return Beams(leaves=leaves, logprob=logprob)
