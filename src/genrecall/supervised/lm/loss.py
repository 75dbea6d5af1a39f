"""What a language model is trained on: cross entropy over each level's codes.

Shapes: `n` prompts of a part, `T` targets a prompt, `W` width.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from genrecall.foundation.sid import LEVELS
from genrecall.generator.lm.model import LmModel
from genrecall.supervised.lm.packing import Packed


class LevelLosses(NamedTuple):
    """Cross entropies in nats, each summed over the prompts and targets of a part.

    Attributes:
        level_1: of the first code.
        level_2: of the second, the first given.
        level_3: of the third, both given.
    """

    level_1: Tensor
    level_2: Tensor
    level_3: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimized: the cross entropy of the SIDs."""
        return self.level_1 + self.level_2 + self.level_3


class SidLoss(nn.Module):
    """The loss of a model as a module, which several processes can wrap.

    Args:
        lm: whose loss it is.
    """

    def __init__(self, lm: LmModel) -> None:
        super().__init__()
        self.lm = lm

    def forward(self, packed: Packed) -> LevelLosses:
        """Cross entropy of a part, with the codes before each code given (teacher forcing)."""
        hidden = self.lm.hidden(packed.ids, packed.positions, mask=packed.mask()).flatten(0, 1)
        levels = []
        for level in range(LEVELS):
            logprobs = self.lm.logprobs(level, hidden[packed.at[level]])
            codes = packed.codes[:, :, level]  # (n, T)
            # Targets share the first step: (n, K) there, (n, T, K) in the others.
            at = codes if logprobs.ndim == 2 else codes[..., None]
            levels.append(-logprobs.gather(-1, at).sum())
        return LevelLosses(*levels)
