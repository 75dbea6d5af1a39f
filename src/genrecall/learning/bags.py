"""Bags of features as torch takes them."""

from __future__ import annotations

import torch
from torch import Tensor

from genrecall.foundation.ragged import Bags


def bag_tensors(bags: Bags) -> tuple[Tensor, Tensor]:
    """Features `[total]` and where each text starts, `[n]`, as an embedding bag takes them."""
    return torch.from_numpy(bags.ids), torch.from_numpy(bags.offsets[:-1])
