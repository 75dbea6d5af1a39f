"""How many threads compute in this process: those of torch, and those of the BLAS behind NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

_BLAS = "blas"
"""Of NumPy, SciPy and faiss: each brings its own, which starts a thread for each core."""


def compute_with(threads: int) -> None:
    """Let torch and each BLAS that is loaded use so many threads from now on."""
    torch.set_num_threads(threads)
    threadpool_limits(limits=threads, user_api=_BLAS)


@contextmanager
def one_thread() -> Iterator[None]:
    """While inside, this thread computes alone, as it does where a bundle is served."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1, user_api=_BLAS):
            yield
    finally:
        torch.set_num_threads(before)
