"""How many threads compute.

Two OpenMP threads that wait for each other on a core that something else uses make both slow, so
no more are started than the machine has room for, and those of the command line sleep while they
wait.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def set_threads(threads: int | None) -> None:
    """Let torch and faiss use so many threads.

    Args:
        threads: at least 1. None for as many as the environment variable `OMP_NUM_THREADS` says,
            and without it one for each core that this process may use: those of its affinity, and
            no more than a container's CPU quota.
    """
    # Answering queries does not wait for these.
    import faiss
    import joblib

    if threads is None:
        given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        # 0 and words are none that OpenMP takes either.
        threads = int(given) if given.isdecimal() and int(given) else joblib.cpu_count()
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """While inside, torch computes in this thread alone, as it does where a bundle is served."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
