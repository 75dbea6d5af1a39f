"""Prefix vectors: what the items under a prefix of the SID tree have in common.

Shapes: `N` items, `S` SIDs, `D` vector size.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.foundation.groups import group_sums


def mean_vectors(
    sid_of_item: NDArray[np.int64], vectors: NDArray[np.float32], n_sids: int
) -> NDArray[np.float32]:
    """Normalized mean item vector of each SID: `[N]`, `[N, D]` to `[S, D]`."""
    sums = group_sums(vectors, sid_of_item, n_sids, dtype=torch.float32).numpy()  # (S, D)
    means: NDArray[np.float32] = sums / np.maximum(np.linalg.norm(sums, axis=1)[:, None], 1e-12)
    return means
