"""How long single requests take."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.channels.base import Channel, Request
from genrecall.channels.generative import GenerativeChannel
from genrecall.evaluate.config import EvaluateConfig


def _latencies(
    channel: GenerativeChannel, requests: Sequence[Request], config: EvaluateConfig, seed: int
) -> NDArray[np.float64] | None:
    """Milliseconds of single requests on one thread, after a warm-up."""
    if not requests or not config.latency_searches:
        return None
    drawn = np.random.default_rng(seed).permutation(len(requests))[: config.latency_searches]
    chosen = [requests[i] for i in drawn.tolist()]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for request in chosen[:10]:
            channel.rank([request], config.latency_k)
        return np.array([_milliseconds(channel, request, config.latency_k) for request in chosen])
    finally:
        torch.set_num_threads(threads)


def _milliseconds(channel: Channel, request: Request, k: int) -> float:
    start = time.perf_counter()
    channel.rank([request], k)
    return (time.perf_counter() - start) * 1e3
