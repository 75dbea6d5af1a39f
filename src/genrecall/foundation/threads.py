"""How many threads compute in this process: those of torch, and those of the BLAS behind NumPy."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_BLAS = "blas"
"""Of NumPy, SciPy and faiss: each brings its own, which starts a thread for each core."""

_threads: int | None = None
"""As last asked for; None before."""


def compute_with(threads: int) -> None:
    """Let torch and each BLAS that is loaded use so many threads from now on."""
    global _threads
    _threads = threads
    limit_torch()
    threadpool_limits(limits=threads, user_api=_BLAS)


def threads_asked() -> int:
    """How many were last asked for; without that, one for each core."""
    return _threads or os.cpu_count() or 1


def limit_torch() -> None:
    """Let torch use as many threads as were last asked for; to be called once it is imported.

    What serves the compact family never imports it.
    """
    if _threads is not None and "torch" in sys.modules:
        import torch

        torch.set_num_threads(_threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """While inside, this thread computes alone, as it does where a bundle is served."""
    with threadpool_limits(limits=1, user_api=_BLAS):
        if "torch" not in sys.modules:
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
