"""Groups of SIDs: what is under a prefix, as a few vectors instead of one for each SID.

The SIDs under a first code fall into up to 16 groups by k-means over their mean vectors, those
under a second-level node into up to 4, or 2 where there are very many SIDs. Which SID is in which
group is settled once, when a generator has been trained; the vectors of the groups follow from the
items of the moment.

Shapes: `S` SIDs, `D` vector size, `n_l` nodes of trie level `l`, `G` groups of one level.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.artifact import Artifact
from genrecall.foundation.blocks import list_blocks
from genrecall.foundation.errors import ArtifactError
from genrecall.foundation.ragged import bags_by_group, rank_in_run, run_starts
from genrecall.foundation.trie import Trie
from genrecall.native.bags import bag_means

Vectors = NDArray[np.float32]

GROUPS: Final = (16, 4)
"""Groups at most under a first code, and under a second-level node."""

_MANY_SIDS: Final = 250_000
"""From here on a second-level node has half as many: more cost time, and find nothing more."""

_FILE: Final = "groups.npy"
_ROUNDS: Final = 8  # of k-means; later ones move next to nothing


def most_groups(n_sids: int) -> tuple[int, int]:
    """How many groups a node of either level has at most, where so many SIDs are in use."""
    first, second = GROUPS
    return first, second if n_sids < _MANY_SIDS else second // 2


@dataclass(frozen=True, eq=False)
class SidGroups:
    """The groups of the SIDs under each prefix, the first two levels.

    Groups are numbered through in the order of the nodes that they are under.

    Attributes:
        of_sid: group of each SID at either level, int64 `[2, S]`.
        offsets: where the groups of each node start, int64 `[n_l + 1]` of either level.
    """

    of_sid: NDArray[np.int64]
    offsets: tuple[NDArray[np.int64], NDArray[np.int64]]

    @classmethod
    def of(cls, trie: Trie, of_sid: NDArray[np.int64]) -> SidGroups:
        """From the group of each SID."""
        first, second = (
            _offsets(groups, _node_of_sid(trie, level)) for level, groups in enumerate(of_sid)
        )
        return cls(of_sid, (first, second))

    @classmethod
    def alone(cls, trie: Trie) -> SidGroups:
        """Each SID in a group of its own."""
        return cls.of(trie, np.tile(np.arange(len(trie)), (2, 1)))

    @classmethod
    def by_means(cls, trie: Trie, means: Vectors, counts: NDArray[np.int64]) -> SidGroups:
        """By k-means.

        Args:
            trie: the SIDs.
            means: mean vector of each, float32 `[S, D]`.
            counts: items of each, int64 `[S]`.
        """
        grouped = [
            _grouped(means, counts.astype(np.float32), _node_of_sid(trie, level), most)
            for level, most in enumerate(most_groups(len(trie)))
        ]
        return cls.of(trie, np.stack(grouped))

    @classmethod
    def load(cls, artifact: Artifact, trie: Trie) -> SidGroups:
        """Read what `save` wrote.

        Raises:
            ArtifactError: it is of other SIDs.
        """
        of_sid = np.load(artifact.file(_FILE), allow_pickle=False).astype(np.int64)
        if of_sid.shape != (2, len(trie)):
            raise ArtifactError(
                f"{artifact.path} groups {of_sid.shape[1]:,} SIDs; the catalog has {len(trie):,}. "
                "Run the generator stage again."
            )
        groups = cls.of(trie, of_sid)
        for level, (of_level, offsets) in enumerate(zip(of_sid, groups.offsets, strict=True)):
            node = _node_of_sid(trie, level)
            inside = (offsets[node] <= of_level) & (of_level < offsets[node + 1])
            if not inside.all() or (np.diff(offsets) < 1).any():
                raise ArtifactError(
                    f"{artifact.path} groups other SIDs than the catalog's. "
                    "Run the generator stage again."
                )
        return groups

    def save(self, folder: Path) -> None:
        """Write them into a folder."""
        np.save(folder / _FILE, self.of_sid.astype(np.int32))


def _node_of_sid(trie: Trie, level: int) -> NDArray[np.int64]:
    """The node of a level that each SID is under, int64 `[S]`."""
    return trie.path(np.arange(len(trie)))[:, level]


def _offsets(groups: NDArray[np.int64], node: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the groups of each node start."""
    return np.append(np.minimum.reduceat(groups, run_starts(node)), groups.max() + 1)


def _grouped(
    means: Vectors, counts: NDArray[np.float32], node: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """Group of each SID, numbered through: `[S, D]`, `[S]`, `[S]` to int64 `[S]`.

    Args:
        means: mean vectors of the SIDs.
        counts: of their items.
        node: that each is under, not decreasing.
        most: groups of a node at most.
    """
    rank, size = rank_in_run(node), np.bincount(node)[node]
    # Siblings that stand together in the tree are alike: groups start as runs of them.
    group = node * most + rank * np.minimum(most, size) // size
    starts = np.append(run_starts(node), len(node))
    for nodes in list_blocks(starts, means.shape[1]):
        rows = slice(int(starts[nodes.start]), int(starts[nodes.stop]))
        if size[rows].max() > most:
            first = node[rows.start]
            some = group[rows] - first * most
            group[rows] = first * most + _k_means(
                means[rows], counts[rows], node[rows] - first, some, most
            )
    return np.unique(group, return_inverse=True)[1].reshape(-1)


def _k_means(
    means: Vectors,
    counts: NDArray[np.float32],
    node: NDArray[np.int64],
    group: NDArray[np.int64],
    most: int,
) -> NDArray[np.int64]:
    """Groups after a few rounds; those of node `n` are `n · most …`."""
    n_groups = (int(node[-1]) + 1) * most
    weighed = means * counts[:, None]
    for _ in range(_ROUNDS):
        n = np.bincount(group, counts, minlength=n_groups)
        bags = bags_by_group(group, n_groups)
        each = bags.counts / np.maximum(n, 1e-12)  # SIDs an item
        centers = bag_means(weighed, *bags) * each[:, None].astype(np.float32)
        # Squared distance, less what all centers have in common; an empty group draws nobody.
        far = np.where(n > 0, np.square(centers).sum(1), np.inf)
        near = np.stack(
            [
                far[node * most + k] - 2 * (means * centers[node * most + k]).sum(1)
                for k in range(most)
            ],
            axis=1,
        )
        moved = node * most + near.argmin(1)
        if np.array_equal(moved, group):
            break
        group = moved
    return group
