"""Supervised stages of the compact family: item→SID, then query→SID.

Two losses share the encoder. The cross entropy over each level's codes, with the codes before it
given (teacher forcing), trains the heads; the look-ahead takes no part in it, since on training
queries the dense vectors are too good and the heads would learn only what they leave over. An
in-batch softmax of prompts over their items' titles trains the generator's own vectors.

Each step draws its own chance from `(seed, stage, step)`, so a run that resumes from a checkpoint
sees exactly what an uninterrupted one does.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt, `R = B·T`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.checkpoint import Checkpoints
from genrecall.embed.encoder import bag_tensors
from genrecall.embed.fragments import drop_words
from genrecall.embed.losses import in_batch_loss
from genrecall.embed.tokenizer import Bags, SubwordTokenizer, Words, join_bags
from genrecall.generator.compact import CompactModel, child_features
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.targets import PromptSet
from genrecall.loop import train_steps
from genrecall.progress import RunLog
from genrecall.sid import LEVELS
from genrecall.trie import Trie


@dataclass(frozen=True, eq=False)
class Shop:
    """What every stage knows of the catalog.

    Attributes:
        tokenizer: cuts titles into features.
        titles: of the items.
        trie: the SIDs in use.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
    """

    tokenizer: SubwordTokenizer
    titles: Words
    trie: Trie
    sid_of_item: NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """Prompts that take part in a stage.

    Attributes:
        prompts: where to draw from.
        share: share of each batch, in 0…1; the shares of a stage sum to one.
    """

    prompts: PromptSet
    share: float


class Batch(NamedTuple):
    """What one step learns from.

    Attributes:
        bags: features of the prompts, `B` texts.
        leaves: SIDs to generate, as positions in the trie, int64 `[B, T]`.
        titles: features of one good item of each prompt, `B` texts.
        prompt: same number, same prompt, int64 `[B]`.
        item: catalog rows of those items, int64 `[B]`.
    """

    bags: Bags
    leaves: Tensor
    titles: Bags
    prompt: Tensor
    item: Tensor


class GeneratorLoss(NamedTuple):
    """Losses of a batch, in nats.

    Attributes:
        total: what is minimized, the sum of the others.
        level_1: cross entropy of the first code, per target.
        level_2: of the second.
        level_3: of the third.
        match: cross entropy of each prompt's title among those of the batch, per prompt.
    """

    total: Tensor
    level_1: Tensor
    level_2: Tensor
    level_3: Tensor
    match: Tensor


def train_stage(
    model: CompactModel,
    shop: Shop,
    sources: Sequence[Source],
    stage: StageConfig,
    config: GeneratorConfig,
    *,
    name: str,
    number: int,
    seed: int,
    checkpoints: Checkpoints,
    log: RunLog,
) -> None:
    """Train one stage in place.

    Args:
        model: the weights to train.
        shop: the catalog.
        sources: where prompts come from.
        stage: steps, batch and rates.
        config: targets, dropout and temperature.
        name: for progress and checkpoints.
        number: of the stage; gives it a stream of chance of its own.
        seed: same seed, same weights.
        checkpoints: where to save and to resume from.
        log: where to report.
    """

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([seed, number, step])
        batch = draw_batch(shop, sources, stage.batch, config, rng)
        loss = batch_loss(model, shop.trie, batch, temperature=config.match_temperature)
        return {"loss": loss.total, "match": loss.match}

    train_steps(
        name,
        model,
        losses,
        steps=stage.steps,
        batch=stage.batch,
        dense_rate=stage.learning_rate,
        sparse_rate=stage.embedding_learning_rate,
        checkpoints=checkpoints,
        log=log,
    )


def draw_batch(
    shop: Shop,
    sources: Sequence[Source],
    size: int,
    config: GeneratorConfig,
    rng: np.random.Generator,
) -> Batch:
    """Draw the prompts and targets of one step."""
    ends = np.round(np.cumsum([source.share for source in sources]) * size).astype(int)
    counts = np.diff(ends, prepend=0).tolist()
    bags, targets, items, numbers = [], [], [], []
    first_number = 0
    for source, count in zip(sources, counts, strict=True):
        prompts = source.prompts
        chosen = prompts.draw(count, rng)
        drawn = prompts.targets.draw(chosen, config.targets, rng)  # (count, T)
        bags.append(prompts.bags_of(chosen))
        targets.append(drawn)
        items.append(drawn[:, 0] if prompts.made_of is None else prompts.made_of[chosen])
        numbers.append(first_number + chosen)
        first_number += len(prompts)
    item = np.concatenate(items)
    words = drop_words(shop.titles, item, rng, share=config.word_dropout)
    return Batch(
        bags=join_bags(*bags),
        leaves=torch.from_numpy(shop.sid_of_item[np.concatenate(targets)]),
        titles=shop.tokenizer.gather(shop.titles, *words),
        prompt=torch.from_numpy(np.concatenate(numbers)),
        item=torch.from_numpy(item),
    )


def batch_loss(
    model: CompactModel, trie: Trie, batch: Batch, *, temperature: float
) -> GeneratorLoss:
    """Cross entropy of the drawn SIDs, and the match of prompts and titles, averaged."""
    hidden = model.encode(*bag_tensors(batch.bags))  # (B, W)
    titles = model.encode(*bag_tensors(batch.titles))  # (B, W)
    match = in_batch_loss(
        model.vectors(hidden),
        model.vectors(titles),
        query_ids=batch.prompt,
        item_ids=batch.item,
        temperature=temperature,
    )
    levels = _level_losses(model, trie, hidden, batch.leaves)
    return GeneratorLoss(levels[0] + levels[1] + levels[2] + match, *levels, match)


def _level_losses(
    model: CompactModel, trie: Trie, hidden: Tensor, leaves: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    n_prompts, n_targets = leaves.shape
    nodes = torch.from_numpy(trie.path(leaves.reshape(-1).numpy()))  # (R, 3)
    codes = [torch.from_numpy(trie.codes[level])[nodes[:, level]] for level in range(LEVELS)]
    prompt = torch.arange(n_prompts).repeat_interleave(n_targets)  # (R)
    # All targets of a prompt share the first step; from there on each goes its own way.
    root = torch.zeros(n_prompts, dtype=torch.long)
    first = model.logprobs(0, hidden, child_features(trie, 0, root))[prompt]
    hidden = model.extend(0, hidden[prompt], codes[0])
    second = model.logprobs(1, hidden, child_features(trie, 1, nodes[:, 0]))
    hidden = model.extend(1, hidden, codes[1])
    third = model.logprobs(2, hidden, child_features(trie, 2, nodes[:, 1]))
    return _nll(first, codes[0]), _nll(second, codes[1]), _nll(third, codes[2])


def _nll(logprobs: Tensor, codes: Tensor) -> Tensor:
    """Mean negative log-probability: `[R, K]`, `[R]` to a scalar."""
    return -logprobs.gather(1, codes[:, None]).mean()
