"""Log-probabilities of given SIDs, with gradients: one reading of a prompt, two passes for all.

They equal those of a beam search over the same reading. SIDs of a prompt that begin alike share
what is computed. Shapes: `Q` prompts, `M` places of a group, `R` places that are taken, `U_l`
distinct prefixes of them at level `l` (`U_0 = Q`), `K_l` codes of level `l`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Policy
from genrecall.generator.prompts import Prompt


class Scored(NamedTuple):
    """SIDs of prompts as a policy scores them.

    Attributes:
        logprob: of each SID, 0 at empty places, float32 `[Q, M]`.
        levels: log-probabilities of all codes after each distinct prefix, float32 `[U_l, K_l]`.
        rows: which of these each SID takes its code from, int64 `[R]` each.
        place: which place of `[Q, M]`, counted row by row, each SID has, int64 `[R]`.
    """

    logprob: Tensor
    levels: tuple[Tensor, ...]
    rows: tuple[Tensor, ...]
    place: Tensor


def score(
    policy: Policy[Any], trie: Trie, prompts: Sequence[Prompt], leaves: NDArray[np.int64]
) -> Scored:
    """Score SIDs.

    Args:
        policy: scores codes level by level.
        trie: the SIDs in use.
        prompts: `[Q]`.
        leaves: positions of the SIDs in the trie, int64 `[Q, M]`; -1 is an empty place.
    """
    place = np.flatnonzero(leaves >= 0)
    path = trie.path(leaves.reshape(-1)[place])  # (R, 3)
    codes = [torch.from_numpy(trie.codes[level][path[:, level]]) for level in range(LEVELS)]
    state, step = policy.begin(prompts)
    row = place // leaves.shape[1]
    levels, rows = [step], [torch.from_numpy(row)]
    for level in range(LEVELS - 1):
        # Of the SIDs that have a prefix in common the first one stands for all.
        key = row * len(trie.codes[level]) + path[:, level]
        _, first, shared = np.unique(key, return_index=True, return_inverse=True)
        state, step = policy.append(state, torch.from_numpy(row[first]), codes[level][first])
        row = shared.reshape(-1)
        levels.append(step)
        rows.append(torch.from_numpy(row))
    taken = [of_level[r, code] for of_level, r, code in zip(levels, rows, codes, strict=True)]
    at = torch.from_numpy(place)
    spread = torch.zeros(leaves.size).index_put((at,), sum(taken, torch.zeros(())))
    return Scored(spread.view(leaves.shape), tuple(levels), tuple(rows), at)
