"""Products of matrices in whole numbers of eight bits, several times as fast where VNNI is.

A matrix has a scale for each of its rows; what it reads has one for all of it, found each time.

Shapes: `n` rows, `in` and `out` numbers of one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genrecall.decode.lm.native import at
from genrecall.decode.lm.weights import Linear
from genrecall.native.arrays import size
from genrecall.native.library import library

_ZERO = 128
"""What stands for 0 in bytes without a sign."""


def in_int8(weight: Tensor, bias: Tensor | None) -> Linear:
    """A matrix `[out, in]` and its bias, made ready for products; see `LayOut`."""
    weight, bias = weight.detach(), None if bias is None else bias.detach()
    largest = weight.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    scale = largest / 127  # no number where one of the row is none, and so are its products
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    rounded = (weight / scale[:, None]).round().to(torch.int8)
    packed = torch.ops.onednn.qlinear_prepack(rounded, None)

    def product(rows: Tensor) -> Tensor:
        read, step = to_bytes(rows)
        made: Tensor = torch.ops.onednn.qlinear_pointwise(
            read, step, _ZERO, packed, scale, zeros, bias, 1.0, 0, torch.float32, "none", [], ""
        )
        return made

    return product


def to_bytes(numbers: Tensor) -> tuple[Tensor, float]:
    """Numbers as bytes, 128 for 0, and what a step of them is worth: `[n, in]` to `[n, in]`."""
    found = library()
    if found is None:
        step = max(numbers.abs().max().item() / 127, torch.finfo(torch.float32).tiny)
        return (numbers / step).round().add_(_ZERO).to(torch.uint8), step
    rounded = torch.empty(numbers.shape, dtype=torch.uint8)
    step = found.to_bytes(at(numbers), size(numbers.numel()), at(rounded))
    return rounded, step
