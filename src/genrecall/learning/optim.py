"""The optimizer of small models with large embedding tables.

A dense Adam step over a table of 80,000 rows costs more than the rest of the model; embedding bags
with sparse gradients and SparseAdam touch only the rows of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class LinearDecay(NamedTuple):
    """A learning rate that falls linearly from `peak` to 5 % of it over `steps`."""

    peak: float
    steps: int

    def at(self, step: int) -> float:
        """Rate at a step."""
        return self.peak * (1.0 - 0.95 * step / max(self.steps, 1))


class SparseDenseAdam:
    """AdamW for the dense weights of a model that are trained, SparseAdam for its embedding bags.

    Args:
        model: whose `nn.EmbeddingBag` modules with `sparse=True` have sparse gradients.
        dense: rate of the dense weights.
        sparse: rate of the embedding bags.
    """

    def __init__(self, model: nn.Module, *, dense: LinearDecay, sparse: LinearDecay) -> None:
        bags = [m.weight for m in model.modules() if isinstance(m, nn.EmbeddingBag) and m.sparse]
        in_bag = {id(weight) for weight in bags}
        others = [w for w in model.parameters() if id(w) not in in_bag and w.requires_grad]
        self._rates = {"dense": dense, "sparse": sparse}
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            "dense": torch.optim.AdamW(others, lr=dense.peak)
        }
        if bags:
            self._optimizers["sparse"] = torch.optim.SparseAdam(bags, lr=sparse.peak)

    def step(self, losses: Iterable[Tensor], step: int) -> None:
        """Follow the gradient of the sum of `losses` at the rates of `step`.

        Each is forgotten before the next one is made.
        """
        for name, optimizer in self._optimizers.items():
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = self._rates[name].at(step)
        for loss in losses:
            loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self._optimizers.values():
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """State of each optimizer."""
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state[name])


class FallingAdam:
    """AdamW for all weights of a model, at a rate that falls linearly.

    Args:
        model: the weights.
        peak: first rate.
        end: last one, as a share of the first.
        steps: after which it is reached.
    """

    def __init__(self, model: nn.Module, *, peak: float, end: float, steps: int) -> None:
        self._adam = torch.optim.AdamW(model.parameters(), lr=peak)
        self._fall = torch.optim.lr_scheduler.LinearLR(
            self._adam, start_factor=1.0, end_factor=end, total_iters=max(steps, 1)
        )

    def step(self, loss: Tensor) -> None:
        """Follow the gradient of a loss."""
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        self._fall.step()

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer, and its rate, which torch makes of the one before."""
        (group,) = self._adam.param_groups
        rate = torch.tensor(group["lr"], dtype=torch.float64)
        taken = torch.tensor(self._fall.last_epoch)
        return {
            "dense": self._adam.state_dict(),
            "rate": {"state": {0: {"now": rate, "taken": taken}}},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._adam.load_state_dict(state["dense"])
        rate = state["rate"]["state"][0]
        (group,) = self._adam.param_groups
        group["lr"] = rate["now"].item()
        self._fall.last_epoch = int(rate["taken"])
