"""Losses of the stages that train the whole model.

The cross entropy over each level's codes, with the codes before it given (teacher forcing), trains
the heads. An in-batch softmax of prompts over their items' titles trains the generator's own
vectors.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt, `R = B·T`, `W` width, `K` codes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from genrecall.embed.in_domain import bag_tensors
from genrecall.embed.losses import in_batch_loss
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.steady import rows_of
from genrecall.foundation.trie import Trie
from genrecall.generator.compact.model import CompactModel, child_features
from genrecall.supervised.compact.batch import Batch


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
    levels = level_losses(model, trie, hidden, batch.leaves)
    return GeneratorLoss(levels[0] + levels[1] + levels[2] + match, *levels, match)


def level_losses(
    model: CompactModel, trie: Trie, hidden: Tensor, leaves: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross entropy of each level's codes: states `[B, W]` and SIDs `[B, T]` to three scalars."""
    n_prompts, n_targets = leaves.shape
    nodes = torch.from_numpy(trie.path(leaves.reshape(-1).numpy()))  # (R, 3)
    codes = [torch.from_numpy(trie.codes[level])[nodes[:, level]] for level in range(LEVELS)]
    prompt = torch.arange(n_prompts).repeat_interleave(n_targets)  # (R)
    # All targets of a prompt share the first step; from there on each goes its own way.
    root = torch.zeros(n_prompts, dtype=torch.long)
    first = rows_of(model.logprobs(0, hidden, child_features(trie, 0, root)), prompt)
    hidden = model.extend(0, rows_of(hidden, prompt), codes[0])
    second = model.logprobs(1, hidden, child_features(trie, 1, nodes[:, 0]))
    hidden = model.extend(1, hidden, codes[1])
    third = model.logprobs(2, hidden, child_features(trie, 2, nodes[:, 1]))
    return _nll(first, codes[0]), _nll(second, codes[1]), _nll(third, codes[2])


def _nll(logprobs: Tensor, codes: Tensor) -> Tensor:
    """Mean negative log-probability: `[R, K]`, `[R]` to a scalar."""
    return -logprobs.gather(1, codes[:, None]).mean()
