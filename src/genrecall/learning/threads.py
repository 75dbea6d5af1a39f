"""How many threads compute.

Two OpenMP threads that wait for each other on a core that something else uses make both slow, so
no more are started than the machine has room for, and those of the command line sleep while they
wait.
"""

from __future__ import annotations

import os

from genrecall.foundation.threads import compute_with


def set_threads(threads: int | None) -> None:
    """Let torch, faiss and NumPy use so many threads.

    Args:
        threads: at least 1. None for as many as the environment variable `OMP_NUM_THREADS` says,
            and without it one for each core that this process may use: those of its affinity, and
            no more than a container's CPU quota.
    """
    # Answering queries does not wait for these.
    import faiss
    import joblib
    import torch  # noqa: F401

    if threads is None:
        given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        # 0 and words are none that OpenMP takes either.
        threads = int(given) if given.isdecimal() and int(given) else joblib.cpu_count()
    compute_with(threads)  # faiss brings a BLAS, too
    faiss.omp_set_num_threads(threads)
