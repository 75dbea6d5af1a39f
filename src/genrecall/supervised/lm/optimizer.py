"""AdamW for language models: warmup, linear decay, and no weight decay where it harms."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from genrecall.generator.lm.model import LmModel

_FUSED = ("cpu", "cuda")  # where one kernel updates all weights


class WarmupDecay(NamedTuple):
    """A learning rate that rises linearly to `peak`, then falls linearly to 5 % of it.

    >>> rate = WarmupDecay(peak=1.0, steps=10, warmup=0.2)
    >>> [round(rate.at(step), 3) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.169]
    """

    peak: float
    steps: int
    warmup: float
    """Share of the steps over which it rises."""

    def at(self, step: int) -> float:
        """Rate at a step."""
        rising = int(self.steps * self.warmup)
        if step < rising:
            return self.peak * (step + 1) / rising
        return self.peak * (1.0 - 0.95 * (step - rising) / max(self.steps - rising, 1))


class WarmupAdamW:
    """AdamW over the trained weights of a model.

    Attributes:
        weights: those that it trains.

    Args:
        lm: the model, already on its device.
        rate: learning rate.
        weight_decay: of the matrices of the layers.
        clip_norm: longest gradient.
    """

    def __init__(
        self, lm: LmModel, *, rate: WarmupDecay, weight_decay: float, clip_norm: float
    ) -> None:
        tables = {id(weight) for weight in lm.tables()}
        self.weights = nn.ParameterList(p for p in lm.parameters() if p.requires_grad)
        decayed = [p for p in self.weights if p.ndim > 1 and id(p) not in tables]
        rest = [p for p in self.weights if p.ndim <= 1 or id(p) in tables]
        groups = [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        fused = self.weights[0].device.type in _FUSED
        self._adamw = torch.optim.AdamW(groups, lr=rate.peak, fused=fused)
        self._rate = rate
        self._clip_norm = clip_norm

    def step(self, step: int) -> None:
        """Follow the gradients at the rate of a step, and forget them."""
        torch.nn.utils.clip_grad_norm_(self.weights, self._clip_norm)
        for group in self._adamw.param_groups:
            group["lr"] = self._rate.at(step)
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer."""
        return {"dense": self._adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._adamw.load_state_dict(state["dense"])
