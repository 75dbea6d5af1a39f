"""The walk in NumPy: what `walk.c` computes, where that is not to be had.

Shapes: `B` beams, `D` vector size, `W` width, `n_l` nodes of level `l`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrecall.decode.base import BeamRule
from genrecall.decode.walk.tables import Floats, WalkTables
from genrecall.foundation.ragged import ragged_logsumexp, ragged_ranges
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Children
from genrecall.generator.compact.look_ahead import Told

Alive = Sequence[NDArray[np.bool_]] | None
Nodes = NDArray[np.int64]


class PlainWalk:
    """Searches one prompt after another.

    Args:
        tables: of a generator.
    """

    def __init__(self, tables: WalkTables) -> None:
        self._tables = tables

    def search(
        self, query: Floats, hidden: Floats, *, alive: Alive, rule: BeamRule, min_level1: int
    ) -> tuple[Nodes, Floats]:
        """The best SIDs of a prompt, and their log-probabilities.

        Args:
            query: its views over the temperature, float32 `[D]`.
            hidden: its hidden state, float32 `[W]`.
            alive: which nodes of each level may be visited, bool `[n_l]`; None for all.
            rule: how many SIDs at most.
            min_level1: see `Engine.search`.
        """
        trie = self._tables.trie
        node, above = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.float32)
        first, beam = node, rule.widest
        for level in range(LEVELS):
            children = trie.children(level, node)
            logits = self._logits(level, children, query, hidden)
            mass = ragged_logsumexp(logits, trie.n_children(level, node))
            logprob = above[children.parent] + (logits - mass[children.parent])
            if level == 0:
                beam = rule.width(float(-(np.exp(logprob) @ logprob)))
            first = first[children.parent] if level else children.node
            node = children.node
            if alive is not None:
                kept = alive[level][node]
                node, logprob, first = node[kept], logprob[kept], first[kept]
            best = best_prefixes(node, logprob, first, beam=beam, min_level1=min_level1)
            node, above, first = node[best], logprob[best], first[best]
        return node, above

    def _logits(self, level: int, children: Children, query: Floats, hidden: Floats) -> Floats:
        """Of the children of prefixes, one after another."""
        tables, weights = self._tables, self._tables.weights
        logits = np.zeros(len(children.node), dtype=np.float32)
        if weight := weights.look_ahead[level]:
            logits += np.float32(weight) * self._ahead(level, children.node, query)
        if weight := weights.heads[level]:
            said = tables.heads[level].vectors @ hidden
            of_node = tables.constant[level][children.node]
            logits += np.float32(weight) * (said[children.code] + of_node)
        return logits

    def _ahead(self, level: int, node: Nodes, query: Floats) -> Floats:
        """What the look-ahead says of nodes."""
        told = self._tables.levels[level]
        if level or len(node) <= self._tables.closely:
            return of_nodes(told, node, query)
        said = of_nodes(self._tables.whole, node, query)
        least = np.partition(said, -self._tables.closely)[-self._tables.closely]
        best = said >= least
        said[best] = of_nodes(told, node[best], query)
        return said


def of_nodes(told: Told, node: Nodes, query: Floats) -> Floats:
    """What vectors say of some nodes that they tell, float32 `[n]`."""
    lengths = told.offsets[node + 1] - told.offsets[node]
    rows = ragged_ranges(told.offsets[node], lengths)
    said: Floats = told.vectors[rows] @ query + told.bias[rows]
    if len(said) == len(node):
        return said
    return ragged_logsumexp(said, lengths)


def best_prefixes(
    node: Nodes, logprob: Floats, first: Nodes, *, beam: int, min_level1: int
) -> Nodes:
    """Places of the best prefixes, best first, and of those of the leading first codes."""
    order = np.lexsort((node, -logprob))
    if min_level1 == 1 or len(order) <= beam:
        return order[:beam]
    leaders = np.sort(np.unique(first[order], return_index=True)[1])[:min_level1]
    front = np.zeros(len(order), dtype=np.bool_)
    front[leaders] = True
    kept = np.sort(np.argsort(~front, kind="stable")[:beam])
    return order[kept]
