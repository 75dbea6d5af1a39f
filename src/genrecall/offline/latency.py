"""How long single requests take."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Channel, Request
from genrecall.foundation.threads import one_thread

_WARM_UP = 10


def measure_latency(
    channel: Channel, requests: Sequence[Request], *, count: int, k: int, seed: int
) -> NDArray[np.float64] | None:
    """Milliseconds of single requests on one thread, after a warm-up.

    Args:
        channel: is asked.
        requests: some of them are asked.
        count: how many at most.
        k: items of an answer at most.
        seed: which of them.

    Returns:
        Float64 `[count]`; None where there is nothing to ask.
    """
    if not requests or not count:
        return None
    drawn = np.random.default_rng(seed).permutation(len(requests))[:count]
    chosen = [requests[i] for i in drawn.tolist()]
    with one_thread():
        for request in chosen[:_WARM_UP]:
            channel.rank([request], k)
        return np.array([_milliseconds(channel, request, k) for request in chosen])


def _milliseconds(channel: Channel, request: Request, k: int) -> float:
    start = time.perf_counter()
    channel.rank([request], k)
    return (time.perf_counter() - start) * 1e3
