"""The three terms of the CQ-SID loss (CQ-SID, arXiv 2605.14434, §3.1) as pure functions.

Loss = reconstruction + β · commitment + γ · contrastive. Shapes: `B` examples in the batch,
`D` width of the item vectors, `d` width of the latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class ContrastiveLoss(NamedTuple):
    """Bidirectional InfoNCE.

    Attributes:
        loss: scalar; 0 for a batch without a query.
        n_pairs: how many examples had a query.
    """

    loss: Tensor
    n_pairs: int


class QuantizeLoss(NamedTuple):
    """The weighted sum and its terms, all scalars."""

    total: Tensor
    reconstruction: Tensor
    commitment: Tensor
    contrastive: Tensor


def reconstruction_loss(decoded: Tensor, vectors: Tensor) -> Tensor:
    """Squared error `‖x̂ − x‖²`, summed over the width, averaged over the batch.

    Args:
        decoded: x̂, `[B, D]`.
        vectors: x, `[B, D]`.
    """
    return (decoded - vectors).square().sum(-1).mean()


def commitment_loss(residuals: Sequence[Tensor], chosen: Sequence[Tensor]) -> Tensor:
    """Sum over levels of `‖z_l − sg[ẑ_l]‖²`, averaged over the batch.

    It pulls the latents to their codes; the codes move by EMA and get no gradient.

    Args:
        residuals: z_l, what is left of the latent at level `l`, `[B, d]` each.
        chosen: ẑ_l, the code chosen at level `l`, `[B, d]` each.
    """
    levels = zip(residuals, chosen, strict=True)
    return torch.stack([(z - code.detach()).square().sum(-1).mean() for z, code in levels]).sum()


def contrastive_loss(
    items: Tensor,
    queries: Tensor,
    *,
    item_ids: Tensor,
    query_ids: Tensor,
    temperature: float,
) -> ContrastiveLoss:
    """Bidirectional InfoNCE over the batch with cosine similarity.

    Example `i` is the pair (item `i`, query `i`); the others are its negatives, except those with
    the same item or the same query, which are left out of its denominator. Examples without a
    query take no part.

    Args:
        items: item latents, `[B, d]`.
        queries: query latents, `[B, d]`; rows without a query are ignored.
        item_ids: which item each row is, int64 `[B]`.
        query_ids: which query each row has, int64 `[B]`; -1 for none.
        temperature: τ; the paper's is 0.1.
    """
    paired = query_ids >= 0
    n_pairs = int(paired.sum())
    if n_pairs == 0:
        return ContrastiveLoss(items.sum() * 0.0, 0)
    item_ids, query_ids = item_ids[paired], query_ids[paired]
    items = F.normalize(items[paired], dim=-1)
    queries = F.normalize(queries[paired], dim=-1)
    logits = items @ queries.T / temperature  # (P, P): item by query
    same = (item_ids[:, None] == item_ids) | (query_ids[:, None] == query_ids)
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, float("-inf"))
    target = torch.arange(n_pairs)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return ContrastiveLoss(loss, n_pairs)


def quantize_loss(
    *,
    reconstruction: Tensor,
    commitment: Tensor,
    contrastive: Tensor,
    commitment_weight: float,
    contrastive_weight: float,
) -> QuantizeLoss:
    """Weigh the terms: reconstruction + β · commitment + γ · contrastive."""
    total = reconstruction + commitment_weight * commitment + contrastive_weight * contrastive
    return QuantizeLoss(total, reconstruction, commitment, contrastive)
