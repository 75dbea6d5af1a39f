"""How long single requests take."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Channel, Request
from genrecall.foundation.threads import one_thread
from genrecall.text.normalize import normalize

_WARM_UP = 10


def measure_latency(
    channels: Sequence[Channel], requests: Sequence[Request], *, count: int, k: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of single requests on one thread, after a warm-up.

    Args:
        channels: are asked, one after another.
        requests: some of them are asked.
        count: how many at most.
        k: items of an answer at most.
        seed: which of them.

    Returns:
        By channel, float64 `[count]`; none where there is nothing to ask.
    """
    if not requests or not count:
        return {}
    drawn = np.random.default_rng(seed).permutation(len(requests))[:count]
    chosen = [requests[i] for i in drawn.tolist()]
    with one_thread():
        return {channel.name: _milliseconds(channel, chosen, k) for channel in channels}


def _milliseconds(channel: Channel, requests: Sequence[Request], k: int) -> NDArray[np.float64]:
    for request in requests[:_WARM_UP]:
        channel.rank([request], k)
    normalize.cache_clear()  # another channel may have read the same
    ends = [time.perf_counter()]
    for request in requests:
        channel.rank([request], k)
        ends.append(time.perf_counter())
    return np.diff(ends) * 1e3
