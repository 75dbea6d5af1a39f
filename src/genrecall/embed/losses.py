"""The contrastive loss of queries and items.

Shapes: `B` pairs of a batch, `D` vector size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def in_batch_loss(
    queries: Tensor, items: Tensor, *, query_ids: Tensor, item_ids: Tensor, temperature: float
) -> Tensor:
    """Softmax of each query over the items of the batch, `[B, D]` and `[B, D]` to a scalar.

    Items that are the same as, or belong to the same query as the positive are no negatives.
    """
    logits = queries @ items.T / temperature  # (B, B)
    same = (query_ids[:, None] == query_ids) | (item_ids[:, None] == item_ids)
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
