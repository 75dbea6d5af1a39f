"""Warm start: when the catalog grows, items keep their SIDs. Ours, not in the paper.

A generator knows an item by its SID, so a SID that moves is knowledge lost. The quantizer goes on
from its old weights and codes (`continued`), then `keep_sids` places the items: those known before
stay unless another SID is clearly nearer, new ones take the SIDs that are there. The SID space only
grows, and what a code means stays.

A SID is known by its items: its mean latent is that of the items that had it, in today's vectors.
So SIDs are kept when the text encoder was trained anew, too, except where items that were together
have come apart. The codebooks are of the old vectors then, and fit new categories less well.

Shapes: `N` items, `D` width of the item vectors, `d` width of the latents, `S` SIDs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.groups import group_means
from genrecall.foundation.ragged import ragged_offsets
from genrecall.foundation.sid import LEVELS, Codes, SidSpace, SidTable
from genrecall.quantize.categories import UNKNOWN, CategoryCodes
from genrecall.quantize.config import QuantizeConfig
from genrecall.quantize.load import Previous
from genrecall.quantize.quantizer import Quantizer, Vectors, sid_centroids
from genrecall.quantize.training.sizes import balanced_k_means, control_sizes, scopes

_MAX_SCOPE: Final = 8192
"""Items of a category that are compared with all its SIDs at once."""


class KeptSids(NamedTuple):
    """The SIDs of a grown catalog.

    Attributes:
        table: SID of each item; its space holds that of before.
        n_outgrown: SIDs that outgrew `t_max`.
        n_new: SIDs with items that had none before.
        n_recategorized: known items that moved because their category has another code.
        n_nearer: known items that moved because another SID is clearly nearer.
    """

    table: SidTable
    n_outgrown: int
    n_new: int
    n_recategorized: int
    n_nearer: int


def continued(
    previous: Previous, codes: CategoryCodes, vectors: Vectors, categories: NDArray[np.int32]
) -> Quantizer:
    """The quantizer of before, with codes for new categories at the mean of their items.

    Args:
        previous: what was before.
        codes: the level-1 codes, grown from those of before.
        vectors: item vectors, float32 `[N, D]`.
        categories: category code of each item, int32 `[N]`, -1 where unknown.

    Raises:
        ConfigError: the vectors have another width than before.
    """
    before = previous.sids.quantizer
    if vectors.shape[1] != before.dim:
        raise ConfigError(
            f"quantize.warm_start: its SIDs are of item vectors of width {before.dim}, these have "
            f"{vectors.shape[1]}. Set embed.dim as it was, or leave quantize.warm_start out."
        )
    state = before.state_dict()
    old = state["codebook_1"]
    first = old.new_zeros(codes.n_codes, before.latent)
    first[: len(old)] = old
    paths = set(previous.sids.categories.paths)
    new = [code for code, path in enumerate(codes.paths) if path is not None and path not in paths]
    of_new = np.isin(categories, new)
    means = group_means(
        before.encode(vectors[of_new]), categories[of_new].astype(np.int64), codes.n_codes
    )
    first[new] = torch.from_numpy(means[new])
    _, k2, k3 = before.sizes
    quantizer = Quantizer(
        dim=before.dim, hidden=before.hidden, latent=before.latent, sizes=(codes.n_codes, k2, k3)
    )
    quantizer.load_state_dict({**state, "codebook_1": first})
    return quantizer


def keep_sids(
    quantizer: Quantizer,
    latents: Vectors,
    categories: NDArray[np.int32],
    *,
    previous: Previous,
    config: QuantizeConfig,
    seed: int,
) -> KeptSids:
    """Place the items of a grown catalog.

    1. An item that was there keeps its SID, unless its category is forced and has another code.
    2. It moves to another SID of the same level-1 code that has room if it is nearer to that one's
       mean latent by the share `config.warm.margin`.
    3. A new item takes the SID in use that is nearest, as `assign_populated` does. Items of a
       category without a SID get theirs from the quantizer and cluster size control.
    4. Where a SID then has more than `t_max` items, its known items and the nearest new ones stay;
       the others form groups with third codes that nothing uses, `c3 + K3 · g`. They may be small,
       with room for what comes next: joined to the next SIDs with room they would blur these.

    Args:
        quantizer: level 1 as large as now, levels 2 and 3 as before.
        latents: of the items, float32 `[N, d]`.
        categories: category code of each item, int32 `[N]`, -1 where unknown.
        previous: the SIDs of before and which item had which.
        config: cluster size control, and `warm`.
        seed: of the split.
    """
    before, t_max = previous.sids.table, config.t_max
    k1, k2, k3 = quantizer.sizes
    known = previous.rows >= 0
    codes = np.full((len(latents), LEVELS), UNKNOWN, dtype=np.int32)
    codes[known] = before.codes[previous.rows[known]]
    stays = known.copy()
    if quantizer.category_penalty is None:
        stays &= (categories == UNKNOWN) | (codes[:, 0] == categories)
    kept = codes[stays]
    codes[stays] = _move_nearer(kept, latents[stays], t_max=t_max, margin=config.warm.margin)
    placed = _place_others(
        quantizer,
        latents,
        categories,
        codes,
        stays,
        k3=before.space.sizes[2],
        config=config,
        seed=seed,
    )
    g_max = config.clusters.g_max
    split = _split_outgrown(
        placed, latents, stays, before=before, k3=k3, t_max=t_max, g_max=g_max, seed=seed
    )
    groups = int(split[:, 2].max()) // k3 + 1
    table = SidTable(SidSpace((k1, k2, max(before.space.sizes[2], k3 * groups))), split)
    return KeptSids(
        table=table,
        n_outgrown=int((np.unique(placed, axis=0, return_counts=True)[1] > t_max).sum()),
        n_new=int((before.find(table.sids) < 0).sum()),
        n_recategorized=int((known & ~stays).sum()),
        n_nearer=int((codes[stays] != kept).any(1).sum()),
    )


def _place_others(
    quantizer: Quantizer,
    latents: Vectors,
    categories: NDArray[np.int32],
    codes: Codes,
    stays: NDArray[np.bool_],
    *,
    k3: int,
    config: QuantizeConfig,
    seed: int,
) -> Codes:
    """Give SIDs to the items that have none: those in use, or new ones for a new category."""
    placed, proposed = codes.copy(), quantizer.assign(latents, categories)
    alone = ~stays & ~np.isin(categories, codes[stays, 0]) & (proposed[:, 0] == categories)
    if not stays.any():
        alone = ~stays
    near = ~stays & ~alone
    if near.any():
        k1, k2, _ = quantizer.sizes
        table = SidTable(SidSpace((k1, k2, k3)), codes[stays])
        means = sid_centroids(latents[stays], table)
        placed[near] = quantizer.assign_populated(
            latents[near], categories[near], table=table, centroids=means
        )
    if alone.any():
        placed[alone] = control_sizes(
            proposed[alone],
            latents[alone],
            codebooks=quantizer.code_vectors,
            config=config,
            seed=seed,
        ).table.codes
    return placed


def _move_nearer(codes: Codes, latents: Vectors, *, t_max: int, margin: float) -> Codes:
    """Move items that another SID of their level-1 code with room fits clearly better."""
    new = codes.copy()
    for rows in scopes(codes, _MAX_SCOPE) if len(codes) else ():
        sids, at, size = np.unique(codes[rows], axis=0, return_inverse=True, return_counts=True)
        points, means = latents[rows], group_means(latents[rows], at, len(sids))
        own = np.square(points - means[at]).sum(1)
        distance = np.square(points).sum(1)[:, None] + np.square(means).sum(1)
        distance -= 2 * points @ means.T  # (rows, SIDs)
        distance[np.arange(len(rows)), at] = np.inf
        distance[:, size >= t_max] = np.inf
        other, share = distance.argmin(1), distance.min(1) / np.maximum(own, 1e-12)
        better = np.flatnonzero(share < (1 - margin) ** 2)
        for item in better[np.argsort(share[better], kind="stable")].tolist():
            if size[other[item]] < t_max:
                size[other[item]] += 1
                new[rows[item]] = sids[other[item]]
    return new


def _split_outgrown(
    codes: Codes,
    latents: Vectors,
    stays: NDArray[np.bool_],
    *,
    before: SidTable,
    k3: int,
    t_max: int,
    g_max: int,
    seed: int,
) -> Codes:
    """Give new items that a SID has no room for third codes of their own."""
    new = codes.copy()
    sids, at, size = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(at, kind="stable"), ragged_offsets(size)[1:-1])
    taken = {tuple(sid) for sid in [*before.sids.tolist(), *sids.tolist()]}
    for sid in np.flatnonzero(size > t_max).tolist():
        rows, (c1, c2, c3) = members[sid], sids[sid].tolist()
        firm, come = rows[stays[rows]], rows[~stays[rows]]
        mean = latents[firm if len(firm) else rows].mean(0)
        come = come[np.argsort(np.square(latents[come] - mean).sum(1), kind="stable")]
        out = come[max(0, t_max - len(firm)) :]
        free = [c3 % k3 + k3 * group for group in range(g_max)]
        free = [code for code in free if (c1, c2, code) not in taken]
        groups = min(-(-len(out) // t_max), len(free))
        if groups:
            capacity = -(-len(out) // groups)
            group = balanced_k_means(latents[out], groups, capacity, seed=seed)
            new[out, 2] = np.array(free, dtype=np.int32)[group]
            taken |= {(c1, c2, code) for code in free[:groups]}
    return new
