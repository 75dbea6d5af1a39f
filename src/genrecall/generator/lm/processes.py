"""Where a language model is trained: one process, or several that `accelerate launch` started.

Each process computes its share of every batch, and gradients are averaged. One process needs no
setting up.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from genrecall.errors import ConfigError
from genrecall.generator.lm.libraries import library


def join_processes(device: Literal["auto", "cpu", "cuda"]) -> Any:
    """The `Accelerator` of accelerate, which knows this process's device and the others.

    Raises:
        ConfigError: the device is not there, or accelerate is not installed.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device: 'cuda', and torch finds no GPU here. Say device: auto, or install a torch "
            "with CUDA."
        )
    # Precision is the model's own affair; accelerate's would wrap what it returns.
    return library("accelerate").Accelerator(cpu=device == "cpu", mixed_precision="no")


def compute_dtype(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> torch.dtype:
    """Precision of the matrix products on a device."""
    if precision == "auto":
        has_it = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_it else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32
