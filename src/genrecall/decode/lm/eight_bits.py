"""Products of matrices in whole numbers of eight bits, where the library in C is not there.

A matrix has a scale for each of its rows, and so has what it reads: a row gives the same whatever
it is computed with.

Shapes: `n` rows, `in` and `out` numbers of one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genrecall.decode.lm.weights import Linear

_ZERO = 128
"""What stands for 0 in bytes without a sign."""


def in_int8(weight: Tensor, bias: Tensor | None) -> Linear:
    """A matrix `[out, in]` and its bias, made ready for products; see `LayOut`."""
    bias = None if bias is None else bias.detach()
    rounded, scale = rounded_rows(weight.detach())
    zeros = torch.zeros(len(weight), dtype=torch.int64)
    packed = torch.ops.onednn.qlinear_prepack(rounded, None)

    def product(rows: Tensor) -> Tensor:
        read, steps = to_bytes(rows)
        made: Tensor = torch.ops.onednn.qlinear_pointwise(
            read, 1.0, _ZERO, packed, scale, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        made *= steps
        return made if bias is None else made.add_(bias)

    return product


def rounded_rows(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Rows in whole numbers up to 127, int8 `[n, in]`, and what a step of each is worth, `[n]`.

    A step is no number where one of its row is none.
    """
    steps = _steps(numbers)
    return (numbers / steps[:, None]).round().to(torch.int8), steps


def to_bytes(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Rows as bytes, 128 for 0, and what a step of each is worth: `[n, in]` and `[n, 1]`."""
    steps = _steps(numbers)[:, None]
    return (numbers / steps).round().add_(_ZERO).to(torch.uint8), steps


def _steps(numbers: Tensor) -> Tensor:
    return numbers.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / 127
