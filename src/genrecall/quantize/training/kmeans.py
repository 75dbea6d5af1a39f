"""k-means on FAISS, and its capacity-limited assignment."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import rank_in_run

_ITERATIONS = 10  # another ten lower the error by less than another seed does
_POINTS_PER_CENTER = 256


def k_means(points: NDArray[np.float32], k: int, *, seed: int) -> NDArray[np.float32]:
    """Centers of `k` clusters: `[n, d]` to `[k, d]`.

    The same points and seed give the same centers. With `k` or fewer points each point is a
    center, repeated to fill up.

    Args:
        points: `[n, d]`, `n >= 1`.
        k: how many clusters.
        seed: of the random start.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    if len(points) <= k:
        return np.resize(points, (k, points.shape[1]))
    clustering = faiss.Kmeans(
        points.shape[1],
        k,
        niter=_ITERATIONS,
        seed=seed,
        min_points_per_centroid=1,  # otherwise FAISS warns on small catalogs
        max_points_per_centroid=_POINTS_PER_CENTER,
    )
    clustering.train(points)
    return np.asarray(clustering.centroids, dtype=np.float32)


def assign_within(
    points: NDArray[np.float32], centers: NDArray[np.float32], capacity: int
) -> NDArray[np.int64]:
    """Assign each point to a near center that takes at most `capacity` points: int64 `[n]`.

    Every point asks for its nearest center with room. A center that is asked by more than it can
    take keeps those that would lose most by their second choice; the rest ask again.

    Args:
        points: `[n, d]`.
        centers: `[k, d]`, `k * capacity >= n`.
        capacity: most points per center.
    """
    assert len(centers) * capacity >= len(points)
    # ‖p − c‖² without its constant ‖p‖².
    distance = np.square(centers).sum(1) - 2 * points @ centers.T  # (n, k)
    group = np.full(len(points), -1)
    room = np.full(len(centers), capacity)
    todo = np.arange(len(points))
    while len(todo):
        open_centers = np.flatnonzero(room)
        offered = distance[np.ix_(todo, open_centers)]
        best = offered.argmin(1)
        loss = _second_best(offered) - offered.min(1)
        wanted = open_centers[best]
        order = np.lexsort((-loss, wanted))
        asked = wanted[order]
        taken = order[rank_in_run(asked) < room[asked]]
        group[todo[taken]] = wanted[taken]
        room -= np.bincount(wanted[taken], minlength=len(centers))
        todo = np.delete(todo, taken)
    return group


def _second_best(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    if distance.shape[1] == 1:
        return distance[:, 0]
    second: NDArray[np.float32] = np.partition(distance, 1, axis=1)[:, 1]
    return second
