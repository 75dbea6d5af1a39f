"""What can be answered with now.

Shapes: `N` items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrecall.index.filters import Filters, ItemFilters


class Eligible:
    """Which items a request may be answered with: the live ones that pass its filters.

    Args:
        filters: of the catalog.
        live: which items can be answered with, bool `[N]`; None for all.
    """

    def __init__(self, filters: ItemFilters, live: NDArray[np.bool_] | None = None) -> None:
        self._filters = filters
        self.live = live

    def mask(self, filters: Filters | None) -> NDArray[np.bool_] | None:
        """Items that pass, bool `[N]`; None where that is every item.

        Raises:
            FilterError: an unknown field or unusable condition.
        """
        if not filters:
            return self.live
        passing = self._filters.mask(filters)
        return passing if self.live is None else passing & self.live
