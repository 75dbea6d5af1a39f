"""Log-probabilities of given SIDs, with gradients: one reading of a prompt, two passes for all.

They equal those of a beam search over the same reading. SIDs of a prompt that begin alike share
what is computed. Shapes: `Q` prompts, `M` places of a group, `R` places that are taken, `U_l`
distinct prefixes of them at level `l` (`U_0 = Q`), `C_l` their children.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.foundation.sid import LEVELS
from genrecall.generator.base import Policy
from genrecall.generator.prompts import Prompt


class Scored(NamedTuple):
    """SIDs of prompts as a policy scores them.

    Attributes:
        logprob: of each SID, 0 at empty places, float32 `[Q, M]`.
        levels: log-probabilities of the children of each distinct prefix, float32 `[C_l]`.
        lengths: how many children each prefix has, int64 `[U_l]`.
        rows: which prefix each SID takes its code from, int64 `[R]` each.
        place: which place of `[Q, M]`, counted row by row, each SID has, int64 `[R]`.
    """

    logprob: Tensor
    levels: tuple[Tensor, ...]
    lengths: tuple[Tensor, ...]
    rows: tuple[Tensor, ...]
    place: Tensor


def score(policy: Policy[Any], prompts: Sequence[Prompt], leaves: NDArray[np.int64]) -> Scored:
    """Score SIDs.

    Args:
        policy: scores codes level by level.
        prompts: `[Q]`.
        leaves: positions of the SIDs in the trie, int64 `[Q, M]`; -1 is an empty place.
    """
    trie, place = policy.trie, np.flatnonzero(leaves >= 0)
    path = trie.path(leaves.reshape(-1)[place])  # (R, 3)
    state, step = policy.begin(prompts)
    row, parents = place // leaves.shape[1], np.zeros(len(prompts), dtype=np.int64)
    levels, lengths, rows = [], [], []
    total = torch.zeros(len(place))
    for level in range(LEVELS):
        at = trie.places(level, parents, row, path[:, level])
        total = total + step.reshape(-1)[torch.from_numpy(at)]
        levels.append(step.reshape(-1))
        lengths.append(torch.from_numpy(trie.n_children(level, parents)))
        rows.append(torch.from_numpy(row))
        if level < LEVELS - 1:
            # Of the SIDs that have a prefix in common the first one stands for all.
            key = row * trie.n_nodes[level] + path[:, level]
            _, first, shared = np.unique(key, return_index=True, return_inverse=True)
            parents = path[first, level]
            state, step = policy.append(
                state, torch.from_numpy(row[first]), torch.from_numpy(parents)
            )
            row = shared.reshape(-1)
    where = torch.from_numpy(place)
    spread = torch.zeros(leaves.size).index_put((where,), total)
    return Scored(spread.view(leaves.shape), tuple(levels), tuple(lengths), tuple(rows), where)
