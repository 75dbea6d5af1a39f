"""How much of a device a training run uses: model FLOPs per second over the device's peak (MFU).

Counted is the work that the model asks for, on tokens and attended pairs that are not padding:
2 FLOPs per weight and token forward, 2 for the gradient of the activations, 2 for that of a trained
weight; 12 per pair of tokens, layer and channel in attention; 6 per weight of the scored codes.
Activations that are computed twice (checkpointing) count once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import torch

from genrecall.foundation.progress import RunLog
from genrecall.generator.lm.model import LmModel
from genrecall.supervised.lm.packing import Packed

_BF16_PEAK: Final = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
}
"""Dense bf16 FLOPs per second by data sheet; the first name that a device's name holds."""

_MATRIX: Final = 1024  # side of the measured product
_REPEATS: Final = 5


class Peak(NamedTuple):
    """What a device can do at most.

    Attributes:
        flops: per second.
        source: where the number is from, for people.
    """

    flops: float
    source: str


class WorkMeter:
    """Counts the work of training a model.

    Args:
        lm: as it is trained, with frozen weights frozen.

    Attributes:
        tokens: read so far, without padding.
        flops: asked for by the model so far.
    """

    def __init__(self, lm: LmModel) -> None:
        self.tokens, self.flops = 0, 0.0
        config = lm.causal.config.get_text_config()
        width, heads = config.hidden_size, config.num_attention_heads
        tables = {id(table) for table in lm.tables()}
        matrices = [p for p in lm.body.parameters() if p.ndim == 2 and id(p) not in tables]
        trained = sum(p.numel() for p in matrices if p.requires_grad)
        self._per_token = 4 * sum(p.numel() for p in matrices) + 2 * trained
        channels = heads * (getattr(config, "head_dim", None) or width // heads)
        self._per_pair = 12 * config.num_hidden_layers * channels
        self._per_prefix = [6 * width * size for size in lm.space.sizes]

    def count(self, packed: Packed) -> None:
        """Count one forward and backward pass."""
        self.tokens += packed.n_tokens
        self.flops += packed.n_tokens * self._per_token + packed.n_pairs * self._per_pair
        for per_prefix, at in zip(self._per_prefix, packed.at, strict=True):
            self.flops += per_prefix * at.numel()


def peak(device: torch.device, dtype: torch.dtype) -> Peak:
    """The most that a device does: by its data sheet, or as a matrix product measures it here."""
    if device.type == "cuda" and dtype == torch.bfloat16:
        name = torch.cuda.get_device_name(device)
        for known, flops in _BF16_PEAK.items():
            if known in name:
                return Peak(flops, f"{name}, bf16 by data sheet")
    return _measure(device, dtype, torch.get_num_threads())


@cache
def _measure(device: torch.device, dtype: torch.dtype, threads: int) -> Peak:
    matrix = torch.ones(_MATRIX, _MATRIX, device=device, dtype=dtype)
    matrix @ matrix  # the first one warms up
    best = min(_seconds(matrix) for _ in range(_REPEATS))
    kind = str(dtype).removeprefix("torch.")
    on = f"{threads} CPU threads" if device.type == "cpu" else str(device)
    size = f"{_MATRIX} × {_MATRIX}"
    return Peak(2 * _MATRIX**3 / best, f"{kind} product of {size} measured on {on}")


def _seconds(matrix: torch.Tensor) -> float:
    _wait(matrix.device)
    start = time.perf_counter()
    matrix @ matrix
    _wait(matrix.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Speed:
    """Measures the speed of a training run.

    Args:
        lm: what is trained.
        peak: the most that the device does.
    """

    def __init__(self, lm: LmModel, peak: Peak) -> None:
        self._peak, self._work = peak, WorkMeter(lm)
        self._start, self._examples = time.monotonic(), 0

    def count(self, examples: int, parts: Sequence[Packed]) -> None:
        """Count a step: the prompts of all processes, and what this one computed."""
        self._examples += examples
        for part in parts:
            self._work.count(part)

    def report(self, log: RunLog, name: str, *, processes: int) -> None:
        """Say examples and tokens per second, and the share of the device that was used."""
        if not self._examples:
            return
        seconds = max(time.monotonic() - self._start, 1e-9)
        examples = self._examples / seconds
        tokens = self._work.tokens * processes / seconds
        used = self._work.flops / seconds / self._peak.flops
        log.say(
            f"  {name}: {examples:,.0f} examples/s  {tokens:,.0f} tokens/s  "
            f"{used:.0%} of {self._peak.flops / 1e12:,.3g} TFLOP/s ({self._peak.source})"
        )
        log.event(
            "utilization",
            stage=name,
            examples_per_second=round(examples, 1),
            tokens_per_second=round(tokens, 1),
            flop_utilization=round(used, 4),
            peak_flops=self._peak.flops,
            peak_source=self._peak.source,
            processes=processes,
        )
