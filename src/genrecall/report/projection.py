"""A flat map of vectors that keeps neighbours together (t-SNE, van der Maaten and Hinton, 2008).

Shapes: `S` vectors, `D` their width.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST: Final = 2000
"""Vectors on a map; more would take too long, and hide each other."""

_PERPLEXITY: Final = 30.0
_STEPS: Final = 400
_FEWEST: Final = 5


def draw_sample(n: int, *, seed: int) -> NDArray[np.int64]:
    """Positions of at most `MOST` of `n` vectors, ascending."""
    if n <= MOST:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=MOST, replace=False))


def project(vectors: NDArray[np.floating[Any]], *, seed: int) -> NDArray[np.float64]:
    """Places on the map, `[S, D]` to `[S, 2]`; the same seed gives the same map.

    Equal vectors have one place. t-SNE ends the process where all are equal, so it sees each once.
    """
    _, first, number = np.unique(vectors, axis=0, return_index=True, return_inverse=True)
    if len(first) < len(vectors):
        shown = np.sort(first)
        found: NDArray[np.float64] = project(vectors[shown], seed=seed)
        return np.asarray(found[np.searchsorted(shown, first[number.ravel()])])
    # scikit-learn takes a second to import, and only this needs it.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    n = len(vectors)
    if n < _FEWEST or vectors.shape[1] < 2:  # too few to be anywhere in particular
        angle = 2 * np.pi * np.arange(n) / max(n, 1)
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    tsne = TSNE(
        perplexity=min(_PERPLEXITY, (n - 1) / 3),
        init="pca",
        learning_rate="auto",
        max_iter=_STEPS,
        random_state=seed,
    )
    with threadpool_limits(limits=1):  # sums of several threads differ from run to run
        places: NDArray[np.float64] = tsne.fit_transform(vectors).astype(np.float64)
    return places
