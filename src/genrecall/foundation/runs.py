"""Sums and softmax over runs of neighbouring rows, such as the children of each prefix.

Shapes: `n` rows of `R` runs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genrecall.foundation.steady import rows_of


def run_owners(lengths: Tensor) -> Tensor:
    """Which run each row is in, for runs of the given lengths: int64 `[R]` to `[n]`."""
    return torch.arange(len(lengths)).repeat_interleave(lengths)


def sum_runs(rows: Tensor, lengths: Tensor) -> Tensor:
    """Sums of runs of the given lengths: `[n, …]` to `[R, …]`; 0 of an empty one."""
    return torch.segment_reduce(rows, "sum", lengths=lengths, axis=0, unsafe=True)


def logsumexp_runs(rows: Tensor, lengths: Tensor) -> Tensor:
    """Log of the sum of exponentials of each run, none of them empty: `[n, …]` to `[R, …]`."""
    # What is taken off and added again needs no gradient.
    top = torch.segment_reduce(rows.detach(), "max", lengths=lengths, axis=0, unsafe=True)
    return sum_runs((rows - top[run_owners(lengths)]).exp(), lengths).log() + top


def log_softmax_runs(logits: Tensor, lengths: Tensor) -> Tensor:
    """Log-softmax over each run: `[n]` to `[n]`."""
    return logits - rows_of(logsumexp_runs(logits, lengths), run_owners(lengths))
