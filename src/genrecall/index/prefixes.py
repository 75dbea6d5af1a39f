"""Prefix vectors: what the items under a prefix of the SID tree have in common.

Shapes: `N` items, `S` SIDs, `D` vector size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import bags_by_group
from genrecall.foundation.unit import scale_to_unit
from genrecall.index.item_views import ItemViews
from genrecall.native.arrays import Numbers


def mean_vectors(
    sid_of_item: NDArray[np.int64], vectors: Numbers | ItemViews, n_sids: int
) -> NDArray[np.float32]:
    """Normalized mean item vector of each SID: `[N]`, `[N, D]` to `[S, D]`."""
    views = vectors if isinstance(vectors, ItemViews) else ItemViews.alone(vectors)
    means = views.means(bags_by_group(sid_of_item, n_sids))
    scale_to_unit(means)
    return means
