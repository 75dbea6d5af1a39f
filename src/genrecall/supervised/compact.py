"""Supervised stages of the compact family: item→SID, query→SID, and then user+query→SID.

Two losses share the encoder. The cross entropy over each level's codes, with the codes before it
given (teacher forcing), trains the heads; the look-ahead takes no part in it, since on training
queries the dense vectors are too good and the heads would learn only what they leave over. An
in-batch softmax of prompts over their items' titles trains the generator's own vectors. The last
stage trains other weights; see `personal.py`.

Each step draws its own chance from `(seed, stage, step)`, so a run that resumes from a checkpoint
sees exactly what an uninterrupted one does.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt, `R = B·T`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrecall.embed.encoder import Encoder, bag_tensors
from genrecall.embed.losses import in_batch_loss
from genrecall.foundation.progress import RunLog
from genrecall.foundation.ragged import Bags, join_bags, ragged_offsets, ragged_ranges
from genrecall.foundation.sid import LEVELS
from genrecall.foundation.trie import Trie
from genrecall.generator.compact.model import CompactModel, child_features, join_views, read_bags
from genrecall.generator.compact.shopper import ShopItems, ShopperModel
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.load import OWN_VECTORS, USER_QUERY_TO_SID
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.loop import train_steps
from genrecall.supervised.compact_shopper import (
    FirstViews,
    SidDistribution,
    draw_context,
    draw_states,
)
from genrecall.supervised.features import PromptFeatures
from genrecall.supervised.shoppers import KnownShoppers
from genrecall.supervised.sources import Source, draw
from genrecall.text.fragments import drop_words
from genrecall.text.subwords import Words

_AT_ONCE: Final = 8192  # titles encoded together: bounds the memory

Losses = Callable[[np.random.Generator], dict[str, Tensor]]
"""What a step measures with the chance that it is given; `loss` is minimized."""


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

    encoder: Encoder
    titles: Words
    trie: Trie
    sid_of_item: NDArray[np.int64]
    vectors: NDArray[np.float32]

    @cached_property
    def features(self) -> PromptFeatures:
        """Features of prompts."""
        return PromptFeatures(self.encoder.tokenizer)

    def title_bags(self, rows: NDArray[np.int64]) -> Bags:
        """Features of the titles of catalog rows."""
        starts = self.titles.word_offsets[rows]
        counts = self.titles.word_offsets[rows + 1] - starts
        words = ragged_ranges(starts, counts)
        return self.encoder.tokenizer.gather(self.titles, words, ragged_offsets(counts))


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


class CompactTrainer:
    """Trains a compact model stage by stage.

    Args:
        config: sizes, rates and shares.
        shop: the catalog.
        known: searches with their shoppers; None for no stage 3.
        seed: same seed, same weights.
    """

    def __init__(
        self, config: GeneratorConfig, shop: Shop, known: KnownShoppers | None, *, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.model = CompactModel(
            space=shop.trie.space,
            n_features=shop.encoder.tokenizer.n_features,
            width=config.width,
            dim=shop.vectors.shape[1],
        )
        self._config, self._shop, self._known, self._seed = config, shop, known, seed

    def train(
        self,
        name: str,
        number: int,
        sources: Sequence[Source],
        *,
        checkpoints: Checkpoints,
        log: RunLog,
    ) -> None:
        """See `Trainer.train`. Each stage has a stream of chance of its own, by its number."""
        stage: StageConfig = getattr(self._config, name)
        model: nn.Module = self.model
        if name == USER_QUERY_TO_SID and self._known is not None:
            model, losses = self._personal(self._known, sources, stage.batch)
        else:
            losses = self._general(sources, stage.batch)
        train_steps(
            name,
            model,
            lambda step: losses(np.random.default_rng([self._seed, number, step])),
            schedule=stage,
            checkpoints=checkpoints,
            log=log,
        )

    def _general(self, sources: Sequence[Source], size: int) -> Losses:
        """Losses of the stages that train the whole model."""

        def losses(rng: np.random.Generator) -> dict[str, Tensor]:
            batch = draw_batch(self._shop, sources, size, self._config, rng)
            temperature = self._config.temperature
            loss = batch_loss(self.model, self._shop.trie, batch, temperature=temperature)
            return {"loss": loss.total, "match": loss.match}

        return losses

    def _personal(
        self, known: KnownShoppers, sources: Sequence[Source], size: int
    ) -> tuple[ShopperModel, Losses]:
        """What reads the shopper, to be trained alone, and its losses."""
        shop, config, model = self._shop, self._config, self.model
        items = ShopItems(shop.sid_of_item, join_views(shop.vectors, self._own_vectors()))
        torch.manual_seed(self._seed)
        model.requires_grad_(False)
        shopper = model.read_shoppers(
            known.pairs,
            dim=items.views.shape[1],
            n_leaves=len(shop.trie),
            length=config.history,
        )
        first_views = FirstViews(shop.encoder, shop.features, sources)
        sids = SidDistribution(items, len(shop.trie), temperature=config.temperature)

        def losses(rng: np.random.Generator) -> dict[str, Tensor]:
            drawn = list(draw(sources, size, targets=config.targets, rng=rng))
            states = draw_states(model, drawn, first_views, shop.features)
            hidden, views = shopper(*states, draw_context(drawn, items, config, rng))
            targets = np.concatenate([of_source.items for of_source in drawn])
            leaves = torch.from_numpy(shop.sid_of_item[targets])
            levels = level_losses(model, shop.trie, hidden, leaves)
            match = sids.loss(views, leaves, rng)
            return {"loss": levels[0] + levels[1] + levels[2] + match, "match": match}

        return shopper, losses

    def save(self, folder: Path) -> None:
        """Write the weights, and the generator's own vectors of all titles."""
        self.model.save(folder)
        np.save(folder / OWN_VECTORS, self._own_vectors())

    def _own_vectors(self) -> NDArray[np.float32]:
        titles = self._shop.titles
        starts = range(0, len(titles), _AT_ONCE)
        blocks = [np.arange(start, min(start + _AT_ONCE, len(titles))) for start in starts]
        own = [read_bags(self.model, self._shop.title_bags(block))[1] for block in blocks]
        return np.concatenate(own)


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
        bags.append(shop.features.of(prompts, chosen))
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
    first = model.logprobs(0, hidden, child_features(trie, 0, root))[prompt]
    hidden = model.extend(0, hidden[prompt], codes[0])
    second = model.logprobs(1, hidden, child_features(trie, 1, nodes[:, 0]))
    hidden = model.extend(1, hidden, codes[1])
    third = model.logprobs(2, hidden, child_features(trie, 2, nodes[:, 1]))
    return _nll(first, codes[0]), _nll(second, codes[1]), _nll(third, codes[2])


def _nll(logprobs: Tensor, codes: Tensor) -> Tensor:
    """Mean negative log-probability: `[R, K]`, `[R]` to a scalar."""
    return -logprobs.gather(1, codes[:, None]).mean()
