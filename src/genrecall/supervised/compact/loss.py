"""Losses of the stages that train the whole model.

The cross entropy over each level's codes, with the codes before it given (teacher forcing), trains
the heads. An in-batch softmax of prompts over their items' titles trains the generator's own
vectors.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt, `R = B·T`, `W` width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from genrecall.embed.losses import in_batch_loss
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.steady import rows_of
from genrecall.foundation.trie import Trie
from genrecall.generator.compact.following import Following
from genrecall.generator.compact.model import CompactModel
from genrecall.learning.bags import bag_tensors
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
    path = trie.path(leaves.reshape(-1).numpy())  # (R, 3)
    nodes = torch.from_numpy(path)
    codes = [torch.from_numpy(trie.codes[level])[nodes[:, level]] for level in range(LEVELS)]
    prompt = torch.arange(n_prompts).repeat_interleave(n_targets)  # (R)
    # All targets of a prompt share the first step; from there on each goes its own way.
    roots = torch.zeros(n_prompts, dtype=torch.long)
    first = _logprobs(model, hidden, Following.of(trie, 0, roots)).view(n_prompts, trie.n_nodes[0])
    hidden = model.extend(0, rows_of(hidden, prompt), codes[0])
    second = _logprobs(model, hidden, Following.of(trie, 1, nodes[:, 0]))
    hidden = model.extend(1, hidden, codes[1])
    third = _logprobs(model, hidden, Following.of(trie, 2, nodes[:, 1]))
    own = np.arange(len(path))
    at = [
        torch.from_numpy(trie.places(level, path[:, level - 1], own, path[:, level]))
        for level in (1, 2)
    ]
    return -first[prompt, nodes[:, 0]].mean(), -second[at[0]].mean(), -third[at[1]].mean()


def _logprobs(model: CompactModel, hidden: Tensor, following: Following) -> Tensor:
    return following.log_softmax(model.heads(hidden, following))
