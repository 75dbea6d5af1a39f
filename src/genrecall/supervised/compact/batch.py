"""What a step of the compact family learns from.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.embed.views import Views
from genrecall.foundation.ragged import Bags, join_bags
from genrecall.foundation.trie import Trie
from genrecall.generator.config import GeneratorConfig
from genrecall.supervised.sources import Source, draw
from genrecall.text.fragments import drop_words
from genrecall.text.subwords import Words


@dataclass(frozen=True, eq=False)
class Shop:
    """What every stage knows of the catalog.

    Attributes:
        encoder: of stage `embed`.
        titles: of the items.
        trie: the SIDs in use.
        sid_of_item: the items' SIDs, as positions in the trie, int64 `[N]`.
        vectors: of the items by the encoder, float32 `[N, D]`.
    """

    encoder: Views
    titles: Words
    trie: Trie
    sid_of_item: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def title_bags(self, rows: NDArray[np.int64]) -> Bags:
        """Features of the titles of catalog rows."""
        return self.encoder.tokenizer.gather_texts(self.titles, rows)


class Batch(NamedTuple):
    """What one step learns from.

    Attributes:
        bags: features of the prompts, `B` texts.
        leaves: SIDs to generate, as positions in the trie, int64 `[B, T]`.
        titles: features of one relevant item of each prompt, `B` texts.
        prompt: same number, same prompt, int64 `[B]`.
        item: catalog rows of those items, int64 `[B]`.
    """

    bags: Bags
    leaves: Tensor
    titles: Bags
    prompt: Tensor
    item: Tensor


def draw_batch(
    shop: Shop,
    sources: Sequence[Source],
    size: int,
    config: GeneratorConfig,
    rng: np.random.Generator,
) -> Batch:
    """Draw the prompts and targets of one step."""
    bags, targets, items, numbers = [], [], [], []
    first_number = 0
    for prompts, chosen, drawn in draw(sources, size, targets=config.targets, rng=rng):
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
        titles=shop.encoder.tokenizer.gather(shop.titles, *words),
        prompt=torch.from_numpy(np.concatenate(numbers)),
        item=torch.from_numpy(item),
    )
