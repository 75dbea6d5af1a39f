"""How many threads training and evaluation use."""

from __future__ import annotations

import os

import faiss
import torch


def set_threads(threads: int | None) -> None:
    """Let training and evaluation use so many threads; None for one per core."""
    if threads is None:
        # The cores that this process may use, where the system tells them.
        affinity = getattr(os, "sched_getaffinity", None)
        threads = len(affinity(0)) if affinity else os.cpu_count() or 1
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
