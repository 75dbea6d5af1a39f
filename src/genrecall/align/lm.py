"""Alignment of the `lm` family: all weights of the language model, or adapters.

Several processes each roll out their share of a step's searches, and gradients are averaged.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from genrecall.generator.align_config import AlignConfig
from genrecall.generator.lm.config import LmConfig
from genrecall.generator.lm.generator import LmGenerator
from genrecall.generator.lm.model import LmModel
from genrecall.learning.processes import compute_dtype, join_processes, launched
from genrecall.supervised.lm.lora import add_adapters, merge_adapters
from genrecall.supervised.lm.optimizer import WarmupAdamW, WarmupDecay


class LmLearner:
    """See `Learner`.

    Args:
        generator: after its last supervised stage; its weights stay, on the device of the training
            and in its precision.
        config: of the language model.
        seed: of adapters: same seed, same weights.
    """

    def __init__(self, generator: LmGenerator, config: LmConfig, *, seed: int) -> None:
        device = join_processes(config.device).device
        self._config = config
        self._lm: LmModel = copy.deepcopy(generator.lm).to(device)
        self._adapted: Any = None
        if config.lora is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self._adapted = add_adapters(self._lm, config.lora)
        self.policy = generator.with_weights(self._lm)  # without dropout, as it generates
        self.reference = generator.with_weights(generator.lm.to(device))
        for lm in (self._lm, generator.lm):
            lm.dtype = compute_dtype(config.precision, device)
        self.weights: nn.Module = nn.ParameterList(
            weight for weight in self._lm.parameters() if weight.requires_grad
        )

    @property
    def at_once(self) -> int:
        """See `Learner.at_once`: as many prompts as `micro_tokens` allows, codes not counted."""
        return max(self._config.micro_tokens // self._lm.max_tokens, 1)

    def optimizer(self, config: AlignConfig) -> LmOptimizer:
        """See `Learner.optimizer`."""
        return LmOptimizer(self._lm, config, self._config)

    def save(self, folder: Path) -> None:
        """See `Learner.save`."""
        self._lm.dtype = torch.float32
        if self._adapted is not None:
            merge_adapters(self._lm, self._adapted)
            self._adapted = None
        self._lm.save(folder)


class LmOptimizer:
    """AdamW with warmup; gradients of several processes are averaged.

    Args:
        lm: whose weights.
        config: steps and rate.
        training: warmup, decay and clipping.
    """

    def __init__(self, lm: LmModel, config: AlignConfig, training: LmConfig) -> None:
        self._adamw = WarmupAdamW(
            lm,
            rate=WarmupDecay(config.learning_rate, config.steps, training.warmup),
            weight_decay=training.weight_decay,
            clip_norm=training.clip_norm,
        )

    def step(self, losses: Iterable[Tensor], step: int) -> None:
        """Follow the gradient of the sum of `losses` at the rate of `step`."""
        for loss in losses:
            loss.backward()  # type: ignore[no-untyped-call]
        if launched() > 1:
            for weight in self._adamw.weights:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
                distributed.all_reduce(weight.grad)
                weight.grad /= launched()
        self._adamw.step(step)

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer."""
        return self._adamw.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._adamw.load_state_dict(state)
