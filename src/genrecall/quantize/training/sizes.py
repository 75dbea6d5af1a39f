"""How many SIDs there are and how large they get: codebook sizes and cluster size control.

The paper's Algorithm 1 (CQ-SID, arXiv 2605.14434) splits SIDs with too many items; `overflow`,
`merge_small` and `refine` are ours. All of it happens once, after training and before the SID
space is frozen. Level 1 never changes. Shapes: `N` items, `d` width of the latents.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.groups import group_means
from genrecall.foundation.sid import Codes, SidSpace, SidTable
from genrecall.quantize.config import QuantizeConfig
from genrecall.quantize.quantizer import Vectors
from genrecall.quantize.training.joining import join_small
from genrecall.quantize.training.kmeans import assign_within, k_means
from genrecall.quantize.training.overflow import overflow

SplitMethod = Literal["kmeans", "random"]

MAX_CODES: Final = 1024
"""The paper's K2 and K3."""

_MAX_SCOPE: Final = 1 << 17
"""Items of a category that are merged and refined together: bounds the copy of their latents."""

_MAX_DISTANCES: Final = 1 << 24
"""Distances between these items and their SIDs: 64 MB."""

_BALANCE_ROUNDS: Final = 5
_MOST_SECOND: Final = 64  # codes of level 2; see `codebook_sizes`


def codebook_sizes(n_items: int, n_categories: int, items_per_sid: int) -> tuple[int, int]:
    """K2 and K3 for a catalog.

    With `m = n_items / (n_categories · items_per_sid)` wanted SIDs in a mean category,
    `K3 = 6 · m^(2/3)`, rounded to a power of two, from 4 to 1024, and K2 is the same up to 64. That
    gives the paper's K3 of 1024 for its 21 M items and 2,048 codes, and leaves tens of cells per
    wanted SID: categories differ in size and shape, and most cells stay empty. Cells that are too
    small or too large are then the business of cluster size control, after which quality hardly
    depends on K2 and K3. A search looks at all second codes below each first code that it keeps:
    with the paper's K2 of 1024 nearly every SID would be a node of level 2 by itself, and a search
    would cost what the catalog is large.

    Args:
        n_items: items in the catalog.
        n_categories: codes of level 1.
        items_per_sid: wanted items per SID.

    >>> codebook_sizes(21_000_000, 2048, 5)
    (64, 1024)
    >>> codebook_sizes(54_667, 1129, 5)
    (32, 32)
    """
    wanted = n_items / (n_categories * items_per_sid)
    power = round(math.log2(6 * wanted ** (2 / 3)))
    size = min(max(2**power, 4), MAX_CODES)
    return min(size, _MOST_SECOND), size


class ControlledSizes(NamedTuple):
    """The frozen SIDs after cluster size control.

    Attributes:
        table: SID of each item; level 3 holds `K3 · groups` codes.
        n_split: SIDs that were too large.
        n_merged: SIDs that joined another.
        n_moved: items that `refine` moved to another SID.
    """

    table: SidTable
    n_split: int
    n_merged: int
    n_moved: int


def control_sizes(
    codes: Codes,
    latents: Vectors,
    *,
    codebooks: tuple[Vectors, Vectors, Vectors],
    config: QuantizeConfig,
    seed: int,
) -> ControlledSizes:
    """Bring SIDs that are too large to size, merge those that are too small, then refine.

    Args:
        codes: SIDs from the quantizer, int32 `[N, 3]`.
        latents: of the same items, float32 `[N, d]`.
        codebooks: the quantizer's code vectors of each level, float32 `[K_l, d]`.
        config: `t_max`, `merge_below` and `clusters`.
        seed: of the split.
    """
    first, second, third = codebooks
    k3, t_max, g_max = len(third), config.t_max, config.clusters.g_max
    method = config.clusters.method
    if method == "overflow":
        residuals = latents - first[codes[:, 0]] - second[codes[:, 1]]
        split = overflow(codes, residuals, third, t_max=t_max, g_max=g_max)
    else:
        split = split_large(
            codes, latents, k3=k3, t_max=t_max, g_max=g_max, method=method, seed=seed
        )
    merged = merge_small(split, latents, below=config.merge_below, t_max=t_max)
    refined = refine(merged, latents, t_max=t_max, rounds=config.clusters.refine)
    groups = int(refined[:, 2].max()) // k3 + 1
    return ControlledSizes(
        SidTable(SidSpace((len(first), len(second), k3 * groups)), refined),
        n_split=int((_counts(codes) > t_max).sum()),
        n_merged=len(_counts(split)) - len(_counts(merged)),
        n_moved=int((refined != merged).any(1).sum()),
    )


def split_large(
    codes: Codes,
    latents: Vectors,
    *,
    k3: int,
    t_max: int,
    g_max: int,
    method: SplitMethod = "kmeans",
    seed: int = 0,
) -> Codes:
    """Split each SID with `c > t_max` items into `G = min(⌈c / t_max⌉, g_max)` groups.

    The group number `g` is appended to the third code, `c3 + k3 · g`, so the first two stay and
    level 3 grows (paper, Algorithm 1). No group has more than `⌈c / G⌉` items: `t_max`, unless
    `g_max` binds.

    Args:
        codes: int32 `[N, 3]`, third codes below `k3`.
        latents: float32 `[N, d]`.
        k3: codes of level 3.
        t_max: most items of a SID.
        g_max: most groups of a SID.
        method: `"kmeans"` keeps near items together; `"random"` is the paper's.
        seed: of the random choices.

    Returns:
        The new codes, int32 `[N, 3]`.
    """
    new = codes.copy()
    for rows in _members(codes, np.arange(len(codes))):
        if len(rows) <= t_max:
            continue
        groups = min(-(-len(rows) // t_max), g_max)
        capacity = -(-len(rows) // groups)
        if method == "random":
            random = np.random.default_rng([seed, int(rows[0])])
            group = random.permutation(len(rows)) // capacity
        else:
            group = balanced_k_means(latents[rows], groups, capacity, seed=seed)
        new[rows, 2] += (k3 * group).astype(np.int32)
    return new


def merge_small(codes: Codes, latents: Vectors, *, below: int, t_max: int) -> Codes:
    """Let SIDs with fewer than `below` items join the nearest SID of their category. Ours.

    Smallest first; a joined SID takes the code of its larger part and never exceeds `t_max` items.
    One that finds no room stays small.

    Args:
        codes: int32 `[N, 3]`.
        latents: float32 `[N, d]`.
        below: least size that stands alone; 0 or 1 changes nothing.
        t_max: most items of a joined SID.
    """
    new = codes.copy()
    for rows in scopes(codes, _MAX_SCOPE) if below > 1 else ():
        sids, at = np.unique(codes[rows], axis=0, return_inverse=True)
        into = join_small(latents[rows], at, len(sids), below=below, t_max=t_max)
        new[rows] = sids[into[at]]
    return new


def refine(codes: Codes, latents: Vectors, *, t_max: int, rounds: int) -> Codes:
    """Move every item to the nearest SID of its category with room, `rounds` times. Ours.

    Codes that all categories share cannot fit each of them; this fits the SIDs to their category
    and agrees with how an item that arrives later is assigned. No new SID is made; one may empty.

    Args:
        codes: int32 `[N, 3]`.
        latents: float32 `[N, d]`.
        t_max: most items of a SID; SIDs that are larger already set the limit of their category.
        rounds: k-means rounds; 0 changes nothing.
    """
    new = codes.copy()
    for rows in scopes(codes, _MAX_SCOPE) if rounds else ():
        points = latents[rows]
        sids, at = np.unique(codes[rows], axis=0, return_inverse=True)
        capacity = max(t_max, int(np.bincount(at).max()))
        for _ in range(rounds):
            used, at = np.unique(at, return_inverse=True)
            sids = sids[used]
            at = assign_within(points, group_means(points, at, len(sids)), capacity)
        new[rows] = sids[at]
    return new


def balanced_k_means(
    points: Vectors, groups: int, capacity: int, *, seed: int
) -> NDArray[np.int64]:
    """Group of each point, `[n, d]` to int64 `[n]`; none has more than `capacity` points."""
    centers = k_means(points, groups, seed=seed)
    group = assign_within(points, centers, capacity)
    for _ in range(_BALANCE_ROUNDS):
        filled = np.unique(group)
        centers[filled] = group_means(points, group, groups)[filled]
        group = assign_within(points, centers, capacity)
    return group


def _counts(codes: Codes) -> NDArray[np.int64]:
    return np.unique(codes, axis=0, return_counts=True)[1]


def scopes(codes: Codes, most: int) -> Iterator[NDArray[np.int64]]:
    """Rows of each category; of each (c1, c2) prefix where it has more than `most` items.

    Of a prefix that is too large even so, as where many vectors are equal: of neighbouring SIDs.
    """
    for in_category in _members(codes[:, :1], np.arange(len(codes))):
        if len(in_category) <= most:
            yield in_category
            continue
        for in_prefix in _members(codes[in_category, :2], in_category):
            yield from _bounded(_members(codes[in_prefix], in_prefix))


def _bounded(sids: Sequence[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    """The rows of SIDs, of as many together as their distances to these SIDs have room."""
    first, n_rows = 0, 0
    for place, rows in enumerate(sids):
        if place > first and (n_rows + len(rows)) * (place + 1 - first) > _MAX_DISTANCES:
            yield np.concatenate(sids[first:place])
            first, n_rows = place, 0
        n_rows += len(rows)
    yield np.concatenate(sids[first:])


def _members(keys: NDArray[np.int32], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """`rows` grouped by equal `keys` `[len(rows), …]`, in the order of the keys."""
    order = np.lexsort(keys.T[::-1])
    changes = (keys[order[1:]] != keys[order[:-1]]).any(1)
    return np.split(rows[order], np.flatnonzero(changes) + 1)
