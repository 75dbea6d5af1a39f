"""Prefixes of SIDs as a beam search keeps them, what continues them, and the best of those.

Shapes: `Q` prompts, `B` beams, `R` live prefixes of all prompts together, `C` their children.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.decode.base import BeamRule, Beams, check_valid
from genrecall.foundation.ragged import rank_in_run
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie


class Prefixes(NamedTuple):
    """Prefixes of all prompts, ordered by prompt.

    Attributes:
        prompt: of each, int64 `[R]`.
        first: node of the first code, int64 `[R]`.
        node: node in the trie, int64 `[R]`.
        logprob: float32 `[R]`.
        parent: row of the generator's state that it continues, int64 `[R]`.
    """

    prompt: NDArray[np.int64]
    first: NDArray[np.int64]
    node: NDArray[np.int64]
    logprob: NDArray[np.float32]
    parent: NDArray[np.int64]

    @classmethod
    def roots(cls, n_prompts: int) -> Prefixes:
        """The empty prefix of each prompt."""
        zeros = np.zeros(n_prompts, dtype=np.int64)
        every = np.arange(n_prompts)
        return cls(every, first=zeros, node=zeros, logprob=zeros.astype(np.float32), parent=every)

    def take(self, rows: NDArray[np.int64]) -> Prefixes:
        """Some of them, `[R']`."""
        return Prefixes(
            prompt=self.prompt[rows],
            first=self.first[rows],
            node=self.node[rows],
            logprob=self.logprob[rows],
            parent=self.parent[rows],
        )


def alive_nodes(
    trie: Trie, valid: NDArray[np.bool_] | None, n_prompts: int
) -> list[NDArray[np.bool_] | None]:
    """Per level, which nodes may be visited: bool `[1 or Q, n_l]`; None for all."""
    if valid is None:
        return [None] * LEVELS
    check_valid(valid, len(trie), n_prompts)
    per_prompt = [trie.spread(row) for row in np.atleast_2d(valid)]
    return [np.stack(level) for level in zip(*per_prompt, strict=True)]


def expand(
    prefixes: Prefixes,
    trie: Trie,
    level: int,
    alive: NDArray[np.bool_] | None,
    step: NDArray[np.float32],
) -> Prefixes:
    """All allowed children; `step` holds the log-probabilities of all, `[C]`."""
    children = trie.children(level, prefixes.node)
    prompt = prefixes.prompt[children.parent]
    grown = Prefixes(
        prompt=prompt,
        first=children.node if level == 0 else prefixes.first[children.parent],
        node=children.node,
        logprob=prefixes.logprob[children.parent] + step,
        parent=children.parent,
    )
    if alive is None:
        return grown
    shared = len(alive) == 1
    return grown.take(np.flatnonzero(alive[0 if shared else prompt, children.node]))


def widths_of(rule: BeamRule, first: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many prefixes are kept of each prompt, by log-probabilities of first codes `[Q, n_0]`."""
    entropies = -(np.exp(first) * first).sum(axis=1)
    return np.array([rule.width(entropy) for entropy in entropies.tolist()], dtype=np.int64)


def best(prefixes: Prefixes, widths: NDArray[np.int64], *, min_level1: int) -> Prefixes:
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


def _leads_first_code(prefixes: Prefixes, n_first: int) -> NDArray[np.bool_]:
    """Whether each prefix is the best of its first code, and that code among the best `n_first`."""
    group = prefixes.prompt * (int(prefixes.first.max(initial=0)) + 1) + prefixes.first
    _, best_rows = np.unique(group, return_index=True)  # prefixes are sorted: first is best
    best_rows = np.sort(best_rows)
    rank = rank_in_run(prefixes.prompt[best_rows])
    leads = np.zeros(len(group), dtype=np.bool_)
    leads[best_rows[rank < n_first]] = True
    return leads


def as_beams(prefixes: Prefixes | None, n_prompts: int, beam: int) -> Beams:
    """Prefixes of full length as beams; None for none."""
    leaves = np.full((n_prompts, beam), -1, dtype=np.int64)
    logprob = np.full((n_prompts, beam), -np.inf, dtype=np.float32)
    if prefixes is not None:
        rank = rank_in_run(prefixes.prompt)
        leaves[prefixes.prompt, rank] = prefixes.node
        logprob[prefixes.prompt, rank] = prefixes.logprob
    return Beams(leaves=leaves, logprob=logprob)
