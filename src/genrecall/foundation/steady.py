"""Operations of torch whose gradients depend on the number of threads, in a form that does not.

Torch adds some gradients up in as many parts as there are threads, or in the order in which threads
come. What is added in another order differs in the last bits, and training makes more of it with
every step.

Shapes: `n` rows, `R` rows that are read from them, `W` width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm(nn.LayerNorm):
    """Torch's, with weight and bias applied behind it: their gradients are summed row by row."""

    def forward(self, x: Tensor) -> Tensor:
        """`[..., W]` to `[..., W]`."""
        return F.layer_norm(x, self.normalized_shape, eps=self.eps) * self.weight + self.bias


def rows_of(x: Tensor, at: Tensor) -> Tensor:
    """`x[at]`, `[n, W]` and int64 `[R]` to `[R, W]`: gradients of a row are added in order."""
    return x.index_select(0, at)


def for_columns(weight: Tensor, rows: Tensor) -> Tensor:
    """One weight for each column of `[n, W]`, `[]` to `[W]`: its gradient is summed by columns."""
    return weight.expand(rows.shape[1])
