"""The SIDs in use as a tree in flat arrays.

Level `l` (0, 1, 2) has `n_l` nodes, the distinct prefixes of `l + 1` codes, sorted; `n_2 = S`. The
children of a node are a contiguous range of the next level's nodes, so a prefix check is two array
look-ups and a prefix sum is a segment reduction, whatever the size of the catalog.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import ragged_offsets, ragged_owners, ragged_ranges, run_starts
from genrecall.foundation.sid import LEVELS, Codes, SidSpace


class Children(NamedTuple):
    """The children of several nodes, one after another.

    Attributes:
        parent: which of the asked nodes each child belongs to, int64 `[total]`.
        node: the child's node number in the next level, int64 `[total]`.
        code: the child's code, int64 `[total]`.
    """

    parent: NDArray[np.int64]
    node: NDArray[np.int64]
    code: NDArray[np.int64]


class Trie:
    """A tree of SIDs.

    Args:
        space: the codebook sizes.
        packed: the SIDs as sorted distinct numbers (`SidTable.packed`), int64 `[S]`, not empty.
    """

    def __init__(self, space: SidSpace, packed: NDArray[np.int64]) -> None:
        self.space = space
        self.packed = packed
        _, k2, k3 = space.sizes
        first, second = (packed // below for below in (k2 * k3, k3))  # as sorted as the SIDs are
        prefixes = [first[run_starts(first)], second[run_starts(second)], packed]
        codes = [prefixes[0], prefixes[1] % k2, packed % k3]
        self.codes: tuple[NDArray[np.int64], ...] = tuple(codes)
        self.offsets: tuple[NDArray[np.int64], ...] = (
            np.array([0, len(prefixes[0])]),
            np.searchsorted(prefixes[1], np.append(prefixes[0], space.sizes[0]) * k2),
            np.searchsorted(prefixes[2], np.append(prefixes[1], space.sizes[0] * k2) * k3),
        )
        """`offsets[l][p]` is where the children of node `p` of level `l - 1` start in level `l`;
        level 0 has the root as its only parent."""
        self._keys = tuple(
            ragged_owners(np.diff(starts)) * size + of_level
            for starts, size, of_level in zip(self.offsets, space.sizes, codes, strict=True)
        )

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def n_nodes(self) -> tuple[int, int, int]:
        """Nodes per level."""
        n1, n2, n3 = (len(codes) for codes in self.codes)
        return n1, n2, n3

    @property
    def sids(self) -> Codes:
        """The SIDs in sorted order, int32 `[S, 3]`."""
        return self.space.unpack(self.packed)

    def n_children(self, level: int, parents: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many nodes of `level` are under each of the given nodes of the level above."""
        starts = self.offsets[level]
        return starts[parents + 1] - starts[parents]

    def children(self, level: int, parents: NDArray[np.int64]) -> Children:
        """Nodes of `level` under the given nodes of the level above (0 for the root)."""
        counts = self.n_children(level, parents)
        node = ragged_ranges(self.offsets[level][parents], counts)
        return Children(parent=ragged_owners(counts), node=node, code=self.codes[level][node])

    def places(
        self,
        level: int,
        parents: NDArray[np.int64],
        row: NDArray[np.int64],
        nodes: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Where nodes stand in `children(level, parents)`.

        Args:
            level: of the nodes.
            parents: nodes of the level above.
            row: which of these each node is a child of, `[n]`.
            nodes: `[n]`.
        """
        before = ragged_offsets(self.n_children(level, parents))[:-1]
        return before[row] + nodes - self.offsets[level][parents[row]]

    def child(
        self, level: int, parents: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Node of `level` that continues each parent by its code; -1 where no SID does."""
        keys, size = self._keys[level], self.space.sizes[level]
        wanted = parents * size + codes
        # Within a level, (parent, code) pairs are sorted: one binary search finds all.
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        possible = (parents >= 0) & (codes >= 0) & (codes < size)
        return np.where(possible & (keys[at] == wanted), at, -1)

    def path(self, leaves: NDArray[np.int64]) -> NDArray[np.int64]:
        """Nodes on the way to the given leaves, one column a level: `[...]` to `[..., 3]`."""
        level_1 = np.searchsorted(self.offsets[2], leaves, side="right") - 1
        level_0 = np.searchsorted(self.offsets[1], level_1, side="right") - 1
        return np.stack([level_0, level_1, leaves], axis=-1)

    def spread(self, alive: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
        """Which nodes of each level have a living leaf: bool `[S]` to one bool array per level."""
        level_1 = np.logical_or.reduceat(alive, self.offsets[2][:-1])
        level_0 = np.logical_or.reduceat(level_1, self.offsets[1][:-1])
        return level_0, level_1, alive


assert LEVELS == 3, "the arrays above are written for three levels"
