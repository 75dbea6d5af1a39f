"""Low-rank adapters (LoRA) on a transformer, by the peft library."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any, Protocol

from torch import nn


class Adapters(Protocol):
    """Sizes of adapters; a section of the config that has these is one."""

    @property
    def rank(self) -> int:
        """Of the product that is added to a weight."""

    @property
    def alpha(self) -> float:
        """How strongly it counts: `alpha / rank` times."""


def adapt(
    peft: ModuleType,
    model: nn.Module,
    adapters: Adapters,
    *,
    dropout: float,
    task: str | None = None,
) -> Any:
    """Freeze a model of transformers, and train adapters on all its linear layers from here on.

    They start at random, by torch's global generator, and change nothing before the first step.

    Args:
        peft: the library.
        model: to adapt.
        adapters: their sizes.
        dropout: share of what they read that is left out in training.
        task: what peft calls what the model does; None for nothing in particular.

    Returns:
        The adapted model, whose `merge_and_unload` makes it a plain one again.
    """
    config = peft.LoraConfig(
        r=adapters.rank,
        lora_alpha=adapters.alpha,
        lora_dropout=dropout,
        target_modules="all-linear",
        task_type=task,
    )
    with warnings.catch_warnings():
        # peft asks transformers a question by its old name.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return peft.get_peft_model(model, config)
