"""Supervised stages of the `lm` family.

A step depends on nothing but the weights, the seed and its number, so a run that resumes from a
checkpoint ends in the weights of an uninterrupted one.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from genrecall.foundation.errors import ConfigError
from genrecall.foundation.interrupt import until_step_ends
from genrecall.foundation.progress import Progress, RunLog, SilentLog
from genrecall.foundation.sid import LEVELS
from genrecall.generator.config import StageConfig
from genrecall.generator.lm.config import LmConfig
from genrecall.generator.lm.model import LmModel
from genrecall.generator.prompts import WrittenPrompt
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.processes import compute_dtype, join_processes
from genrecall.supervised.lm.lora import add_adapters, merge_adapters
from genrecall.supervised.lm.loss import SidLoss
from genrecall.supervised.lm.optimizer import WarmupAdamW, WarmupDecay
from genrecall.supervised.lm.packing import Packed, pack
from genrecall.supervised.lm.utilization import Speed, peak


class PromptBatch(NamedTuple):
    """What one step learns from.

    Attributes:
        prompts: as written by `write_prompt`, `B` of them.
        codes: SIDs to generate, int64 `[B, T, 3]`.
    """

    prompts: Sequence[WrittenPrompt]
    codes: NDArray[np.int64]


def train_lm_stage(
    lm: LmModel,
    draw: Callable[[int], PromptBatch],
    stage: StageConfig,
    config: LmConfig,
    *,
    name: str,
    seed: int,
    checkpoints: Checkpoints,
    log: RunLog,
) -> None:
    """Train one stage in place, and say what speed it had.

    All processes of a launch call it alike, and end in the same weights; the main one keeps the
    checkpoints.

    Args:
        lm: the weights to train; they stay on the device of the training.
        draw: the batch of a step, the same whenever it is asked for. It is called from another
            thread, a step ahead.
        stage: steps, batch and learning rate.
        config: precision, memory, adapters and the shape of the learning rate.
        name: for progress and checkpoints.
        seed: of dropout and of the adapters: same seed, same weights.
        checkpoints: where to save and to resume from.
        log: where to report.

    Raises:
        ConfigError: a batch has fewer prompts than there are processes, or the device is missing.
    """
    accelerator = join_processes(config.device)
    if stage.batch < accelerator.num_processes:
        raise ConfigError(
            f"{name}: a batch of {stage.batch} cannot be shared by {accelerator.num_processes} "
            "processes. Raise batch, or start fewer processes."
        )
    if not accelerator.is_main_process:
        log = SilentLog()
    with torch.random.fork_rng(devices=[]), _ready(lm, config, seed):
        lm.dtype = compute_dtype(config.precision, accelerator.device)
        module = accelerator.prepare(SidLoss(lm))
        rate = WarmupDecay(stage.learning_rate, stage.steps, config.warmup)
        optimizer = WarmupAdamW(
            lm, rate=rate, weight_decay=config.weight_decay, clip_norm=config.clip_norm
        )
        first = checkpoints.resume(name, optimizer.weights, optimizer)
        accelerator.wait_for_everyone()  # before the main process writes or removes checkpoints
        if first:
            log.say(f"  {name}: resumes at step {first:,}")
        speed = Speed(lm, peak(accelerator.device, lm.dtype))
        progress = Progress(
            log, name, total=(stage.steps - first) * stage.batch, before=first * stage.batch
        )
        shown: dict[str, float] = {}
        steps = range(first, stage.steps)
        with until_step_ends():
            for step, parts in _prepared(lm, draw, config, accelerator, steps):
                torch.manual_seed(_mix(seed, step, accelerator.process_index))
                shown = {"loss": _follow(module, parts, stage.batch, accelerator)}
                optimizer.step(step)
                speed.count(stage.batch, parts)
                progress.update(stage.batch, **shown)
                checkpoints.save(name, step + 1, optimizer.weights, optimizer, steps=stage.steps)
        progress.finish(**shown)
    speed.report(log, name, processes=accelerator.num_processes)


@contextmanager
def _ready(lm: LmModel, config: LmConfig, seed: int) -> Iterator[None]:
    """The model in training, with adapters where they are wanted; a plain one in the end."""
    torch.manual_seed(seed)
    adapted = None if config.lora is None else add_adapters(lm, config.lora)
    if config.checkpointing:
        lm.causal.activation_checkpointing_enable({"use_reentrant": False})
    lm.train()
    try:
        yield
    finally:
        lm.eval()
        lm.dtype = torch.float32
        if config.checkpointing:
            lm.causal.activation_checkpointing_disable()
        if adapted is not None:
            merge_adapters(lm, adapted)


def _prepared(
    lm: LmModel,
    draw: Callable[[int], PromptBatch],
    config: LmConfig,
    accelerator: Any,
    steps: Sequence[int],
) -> Iterator[tuple[int, list[Packed]]]:
    """The packed share of this process in the batch of each step, prepared a step ahead."""

    def prepare(step: int) -> list[Packed]:
        batch = draw(step)
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        return pack_batch(lm, PromptBatch(batch.prompts[mine], batch.codes[mine]), config)

    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming = ahead.submit(prepare, steps[0]) if len(steps) else None
        for step in steps:
            assert coming is not None
            parts = coming.result()
            coming = ahead.submit(prepare, step + 1) if step + 1 in steps else None
            yield step, parts


def pack_batch(lm: LmModel, batch: PromptBatch, config: LmConfig) -> list[Packed]:
    """Token ids and codes of a batch, in parts that fit into memory."""
    first = [lm.token(level, torch.tensor(0)).item() for level in range(LEVELS - 1)]
    return list(
        pack(
            lm.encode(batch.prompts),
            batch.codes[..., :-1] + np.array(first),
            batch.codes,
            row_tokens=config.row_tokens,
            micro_tokens=config.micro_tokens,
        )
    )


def _follow(module: Any, parts: Sequence[Packed], batch: int, accelerator: Any) -> float:
    """Add up the gradients of a batch.

    Returns:
        The mean loss of this process's targets, in nats per SID.
    """
    # Gradients of the processes are averaged, and each has its share of the batch.
    scale = accelerator.num_processes / batch
    total = torch.zeros((), device=accelerator.device)
    for number, part in enumerate(parts, start=1):
        last = number == len(parts)
        with nullcontext() if last else accelerator.no_sync(module):
            loss = module(part.to(accelerator.device)).total / part.codes.shape[1]
            accelerator.backward(loss * scale)
        total += loss.detach()
    return total.item() / sum(len(part.codes) for part in parts)


def _mix(*numbers: int) -> int:
    """One seed out of several."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
