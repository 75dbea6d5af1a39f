"""What every channel does with its requests first: refuse what cannot be answered, apply filters.

Shapes: `N` items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Request
from genrecall.errors import RequestError
from genrecall.index.filters import ItemFilters


def check_requests(requests: Sequence[Request], k: int) -> None:
    """Refuse what no channel can answer.

    Raises:
        RequestError: an empty query, or `k < 1`.
    """
    if k < 1:
        raise RequestError(f"k={k} asks for no item; give k of at least 1.")
    for place, request in enumerate(requests):
        if not request.query.strip():
            raise RequestError(
                f"the query {request.query!r} of request {place} is empty; give at least one word."
            )


class Eligible:
    """Which items a request may be answered with: the live ones that pass its filters.

    Args:
        filters: of the catalog.
        live: which items can be answered with, bool `[N]`; None for all.
    """

    def __init__(self, filters: ItemFilters, live: NDArray[np.bool_] | None = None) -> None:
        self._filters = filters
        self.live = live

    def mask(self, request: Request) -> NDArray[np.bool_] | None:
        """Items of one request, bool `[N]`; None where that is every item.

        Raises:
            FilterError: an unknown field or unusable condition.
        """
        if not request.filters:
            return self.live
        passing = self._filters.mask(request.filters)
        return passing if self.live is None else passing & self.live
