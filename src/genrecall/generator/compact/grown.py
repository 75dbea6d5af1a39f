"""What a generator has computed of prefixes, for searches that come to them again.

An evaluation searches each query at several widths, and with the weights of controls; most prefixes
are the same, and a hidden state does not depend on the weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.foundation.steady import rows_of
from genrecall.foundation.trie import Trie


class Grown:
    """Hidden states of prefixes, each made once however often their prompts are searched.

    Args:
        prompts: how many there are, `Q`.
        trie: the SIDs in use.
        width: of a hidden state, `W`.
    """

    def __init__(self, prompts: int, trie: Trie, width: int) -> None:
        # Place of each prefix's state among those of its level; -1 where none is made yet.
        self._place = [np.full((prompts, n), -1, dtype=np.int32) for n in trie.n_nodes[:-1]]
        self._states = [torch.empty(0, width) for _ in self._place]

    def states(
        self,
        level: int,
        prompt: NDArray[np.int64],
        node: NDArray[np.int64],
        make: Callable[[NDArray[np.int64]], Tensor],
    ) -> Tensor:
        """Hidden states of distinct prefixes, float32 `[R, W]`.

        Args:
            level: of their last code.
            prompt: of each, int64 `[R]`.
            node: trie node of each, int64 `[R]`.
            make: the states of those at some places among the `R`.
        """
        place = self._place[level]
        missing = np.flatnonzero(place[prompt, node] < 0)
        if len(missing):
            known = len(self._states[level])
            place[prompt[missing], node[missing]] = np.arange(known, known + len(missing))
            self._states[level] = torch.cat([self._states[level], make(missing)])
        return rows_of(self._states[level], torch.from_numpy(place[prompt, node].astype(np.int64)))
