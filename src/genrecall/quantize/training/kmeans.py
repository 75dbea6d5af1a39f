"""k-means on FAISS, and its capacity-limited assignment."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import rank_in_run
from genrecall.learning.near import Near, nearest

_ITERATIONS = 10  # another ten lower the error by less than another seed does
_POINTS_PER_CENTER = 256
_MOST_COMPARED = 1 << 22  # distances, 16 MiB; of more, each point has the nearest centers in view
_IN_VIEW = 16
_LISTED = 4096  # centers from which on those in view are looked for in lists
_SEARCHED = 16


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
    take keeps those that would lose most by their second choice; the rest ask again. Of very many
    centers, a point knows the few nearest to it that have room.

    Args:
        points: `[n, d]`.
        centers: `[k, d]`, `k * capacity >= n`.
        capacity: most points per center.
    """
    assert len(centers) * capacity >= len(points)
    if len(points) * len(centers) > _MOST_COMPARED:
        return _assign_near(points, centers, capacity)
    # ‖p − c‖² without its constant ‖p‖².
    distance = np.square(centers).sum(1) - 2 * points @ centers.T  # (n, k)
    group = np.full(len(points), -1)
    room = np.full(len(centers), capacity)
    todo = np.arange(len(points))
    while len(todo):
        open_centers = np.flatnonzero(room)
        offered = distance[np.ix_(todo, open_centers)]
        wanted = open_centers[offered.argmin(1)]
        taken = _take(wanted, _second_best(offered) - offered.min(1), room)
        group[todo[taken]] = wanted[taken]
        todo = np.delete(todo, taken)
    return group


def _assign_near(
    points: NDArray[np.float32], centers: NDArray[np.float32], capacity: int
) -> NDArray[np.int64]:
    """See `assign_within`; `c` centers of each point are in view at a time."""
    group = np.full(len(points), -1)
    room = np.full(len(centers), capacity)
    todo = np.arange(len(points))
    near, distance = _in_view(points, centers)  # (n, c)
    while len(todo):
        has_room = room[near] > 0
        open_centers = np.flatnonzero(room)
        # Second choices count, too: who sees less than two looks again, at what still has room.
        lost = np.flatnonzero(has_room.sum(1) < min(2, len(open_centers)))
        if len(lost):
            again = _in_view(points[todo[lost]], centers[open_centers])
            c = again.rows.shape[1]
            has_room[lost], has_room[lost, :c] = False, True
            near[lost, :c], distance[lost, :c] = open_centers[again.rows], again.scores
        offered = np.where(has_room, distance, np.float32(np.inf))
        wanted = near[np.arange(len(todo)), offered.argmin(1)]
        taken = _take(wanted, _second_best(offered) - offered.min(1), room)
        group[todo[taken]] = wanted[taken]
        left = np.ones(len(todo), dtype=np.bool_)
        left[taken] = False
        todo, near, distance = todo[left], near[left], distance[left]
    return group


def _in_view(points: NDArray[np.float32], centers: NDArray[np.float32]) -> Near:
    c = min(_IN_VIEW, len(centers))
    return nearest(points, centers, c, by="distance", least=_LISTED, searched=_SEARCHED)


def _take(
    wanted: NDArray[np.int64], loss: NDArray[np.float32], room: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Which points get the center they ask for, those that would lose most; `room` is updated."""
    order = np.lexsort((-loss, wanted))
    asked = wanted[order]
    taken: NDArray[np.int64] = order[rank_in_run(asked) < room[asked]]
    room -= np.bincount(wanted[taken], minlength=len(room))
    return taken


def _second_best(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    if distance.shape[1] == 1:
        return distance[:, 0]
    second: NDArray[np.float32] = np.partition(distance, 1, axis=1)[:, 1]
    return second
