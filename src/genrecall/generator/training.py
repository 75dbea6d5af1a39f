"""Supervised stages of the compact family: item→SID, then query→SID.

The loss is the cross entropy over each level's codes with the codes before it given (teacher
forcing). Each step draws its own chance from `(seed, stage, step)`, so a run that resumes from a
checkpoint sees exactly what an uninterrupted one does.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt, `R = B·T`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from genrecall.embed.tokenizer import join_bags
from genrecall.generator.checkpoint import Checkpoints
from genrecall.generator.compact import CompactModel, child_features
from genrecall.generator.config import StageConfig
from genrecall.generator.features import LookAhead
from genrecall.generator.targets import PromptSet
from genrecall.optim import LinearDecay, SparseDenseAdam
from genrecall.progress import Progress, RunLog
from genrecall.sid import LEVELS
from genrecall.trie import Trie


class SidLoss(NamedTuple):
    """Cross entropy of the three codes, in nats per target."""

    total: Tensor
    level_1: Tensor
    level_2: Tensor
    level_3: Tensor


@dataclass(frozen=True)
class Source:
    """Prompts that take part in a stage.

    Attributes:
        prompts: where to draw from.
        share: share of each batch, in 0…1; the shares of a stage sum to one.
    """

    prompts: PromptSet
    share: float


def train_stage(
    model: CompactModel,
    look_ahead: LookAhead,
    sources: Sequence[Source],
    config: StageConfig,
    *,
    name: str,
    number: int,
    targets: int,
    seed: int,
    checkpoints: Checkpoints,
    log: RunLog,
) -> None:
    """Train one stage in place.

    Args:
        model: the weights to train.
        look_ahead: features of the SID tree.
        sources: where prompts come from.
        config: steps, batch and rates.
        name: for progress and checkpoints.
        number: of the stage; gives it a stream of chance of its own.
        targets: SIDs `T` drawn per prompt and step.
        seed: same seed, same weights.
        checkpoints: where to save and to resume from.
        log: where to report.
    """
    optimizer = SparseDenseAdam(
        model,
        dense=LinearDecay(config.learning_rate, config.steps),
        sparse=LinearDecay(config.embedding_learning_rate, config.steps),
    )
    start = checkpoints.resume(name, model, optimizer)
    if start:
        log.say(f"  {name}: resumes at step {start:,}")
    model.train()
    progress = Progress(log, name, total=(config.steps - start) * config.batch)
    shown: dict[str, float] = {}
    for step in range(start, config.steps):
        rng = np.random.default_rng([seed, number, step])
        loss = batch_loss(model, look_ahead, draw_batch(sources, config.batch, targets, rng))
        optimizer.step(loss.total, step)
        shown = {"loss": loss.total.item(), "level 1": loss.level_1.item()}
        progress.update(config.batch, **shown)
        checkpoints.save(name, step + 1, model, optimizer)
    model.eval()
    progress.finish(**shown)


class Batch(NamedTuple):
    """What one step learns from.

    Attributes:
        ids: features of the prompts, int64 `[total]`.
        offsets: where each prompt starts, int64 `[B]`.
        vectors: unit vectors of the prompts, float32 `[B, D]`.
        leaves: SIDs to generate, as positions in the trie, int64 `[B, T]`.
    """

    ids: Tensor
    offsets: Tensor
    vectors: Tensor
    leaves: Tensor


def draw_batch(
    sources: Sequence[Source], size: int, targets: int, rng: np.random.Generator
) -> Batch:
    """Draw prompts and targets of one step."""
    sizes = np.diff(np.round(np.cumsum([0.0, *(s.share for s in sources)]) * size).astype(int))
    drawn = [(s.prompts, s.prompts.draw(int(n), rng)) for s, n in zip(sources, sizes, strict=True)]
    bags = drawn[0][0].bags_of(drawn[0][1])
    for prompts, chosen in drawn[1:]:
        bags = join_bags(bags, prompts.bags_of(chosen))
    vectors = np.concatenate([prompts.vectors[chosen] for prompts, chosen in drawn])
    leaves = np.concatenate([p.targets.draw(chosen, targets, rng) for p, chosen in drawn])
    return Batch(
        ids=torch.from_numpy(bags.ids),
        offsets=torch.from_numpy(bags.offsets[:-1]),
        vectors=torch.from_numpy(vectors),
        leaves=torch.from_numpy(leaves),
    )


def batch_loss(model: CompactModel, look_ahead: LookAhead, batch: Batch) -> SidLoss:
    """Cross entropy of the drawn SIDs, averaged over prompts and targets."""
    trie = look_ahead.trie
    n_prompts, n_targets = batch.leaves.shape
    features = look_ahead(batch.vectors)
    nodes = torch.from_numpy(trie.path(batch.leaves.reshape(-1).numpy()))  # (R, 3)
    prompt = torch.arange(n_prompts).repeat_interleave(n_targets)  # (R)
    hidden = model.encode(batch.ids, batch.offsets)  # (B, W)
    losses = []
    for level in range(LEVELS):
        # All targets of a prompt share the first step: nothing is repeated before it.
        rows = torch.arange(n_prompts) if level == 0 else prompt
        parents = torch.zeros(n_prompts, dtype=torch.long) if level == 0 else nodes[:, level - 1]
        scores = child_features(trie, level, features[level], rows, parents)
        logprobs = model.logprobs(level, hidden, scores)
        codes = _codes(trie, level, nodes)
        losses.append(-logprobs[prompt if level == 0 else torch.arange(len(codes)), codes].mean())
        if level == 0:
            hidden = hidden[prompt]
        if level < LEVELS - 1:
            hidden = model.extend(level, hidden, codes)
    return SidLoss(losses[0] + losses[1] + losses[2], *losses)


def _codes(trie: Trie, level: int, nodes: Tensor) -> Tensor:
    return torch.from_numpy(trie.codes[level])[nodes[:, level]]
