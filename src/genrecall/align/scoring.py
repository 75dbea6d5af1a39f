"""Log-probabilities of given SIDs, with gradients: one reading of a prompt, two passes for all.

They equal those of a beam search over the same reading. Shapes: `Q` prompts, `M` places of a group,
`R` places that are taken, `K_l` codes of level `l`.
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
        levels: log-probabilities of all codes after each prefix on the way, float32 `[Q, K_1]`,
            `[R, K_2]` and `[R, K_3]`.
        place: which place of `[Q, M]`, counted row by row, each of the `R` prefixes has, int64
            `[R]`.
    """

    logprob: Tensor
    levels: tuple[Tensor, Tensor, Tensor]
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
    prompt = torch.from_numpy(place // leaves.shape[1])  # (R,)
    path = trie.path(leaves.reshape(-1)[place])  # (R, 3)
    codes = [torch.from_numpy(trie.codes[level][path[:, level]]) for level in range(LEVELS)]
    state, first = policy.begin(prompts)
    state, second = policy.append(state, prompt, codes[0])
    _, third = policy.append(state, torch.arange(len(place)), codes[1])
    logprob = (
        first[prompt, codes[0]]
        + second.gather(1, codes[1][:, None])[:, 0]
        + third.gather(1, codes[2][:, None])[:, 0]
    )
    at = torch.from_numpy(place)
    spread = torch.zeros(leaves.size).index_put((at,), logprob).view(leaves.shape)
    return Scored(spread, (first, second, third), at)
