"""Supervised stages of the compact family: item→SID, query→SID, and then user+query→SID.

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
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.checkpoint import Checkpoints
from genrecall.embed.encoder import bag_tensors
from genrecall.embed.fragments import drop_words
from genrecall.embed.losses import in_batch_loss
from genrecall.embed.tokenizer import (
    Bags,
    SubwordTokenizer,
    Words,
    join_bags,
    ragged_offsets,
    ragged_ranges,
    take_bags,
)
from genrecall.generator.compact import CompactModel, child_features, read_bags
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.known import KnownShoppers
from genrecall.generator.load import OWN_VECTORS, USER_QUERY_TO_SID
from genrecall.generator.shopper import Context, ShopItems, make_context
from genrecall.generator.sources import Source, draw
from genrecall.generator.targets import PromptSet
from genrecall.loop import train_steps
from genrecall.progress import RunLog
from genrecall.sid import LEVELS
from genrecall.trie import Trie

_AT_ONCE: Final = 8192  # titles encoded together: bounds the memory


@dataclass(frozen=True, eq=False)
class Shop:
    """What every stage knows of the catalog.

    Attributes:
        tokenizer: cuts titles into features.
        titles: of the items.
        trie: the SIDs in use.
        items: their SIDs, as positions in the trie, and vectors.
    """

    tokenizer: SubwordTokenizer
    titles: Words
    trie: Trie
    items: ShopItems

    def title_bags(self, rows: NDArray[np.int64]) -> Bags:
        """Features of the titles of catalog rows."""
        starts = self.titles.word_offsets[rows]
        counts = self.titles.word_offsets[rows + 1] - starts
        words = ragged_ranges(starts, counts)
        return self.tokenizer.gather(self.titles, words, ragged_offsets(counts))


class Batch(NamedTuple):
    """What one step learns from.

    Attributes:
        bags: features of the prompts, `B` texts.
        leaves: SIDs to generate, as positions in the trie, int64 `[B, T]`.
        titles: features of one good item of each prompt, `B` texts.
        prompt: same number, same prompt, int64 `[B]`.
        item: catalog rows of those items, int64 `[B]`.
        context: their shoppers; None where no prompt has one.
    """

    bags: Bags
    leaves: Tensor
    titles: Bags
    prompt: Tensor
    item: Tensor
    context: Context | None = None


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
            n_features=shop.tokenizer.n_features,
            width=config.width,
            dim=shop.items.vectors.shape[1],
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
        shop, config = self._shop, self._config
        if name == USER_QUERY_TO_SID and self._known is not None:
            torch.manual_seed(self._seed)
            self.model.read_shoppers(
                self._known.pairs,
                dim=shop.items.vectors.shape[1],
                n_leaves=len(shop.trie),
                length=config.history,
            )

        def losses(step: int) -> dict[str, Tensor]:
            rng = np.random.default_rng([self._seed, number, step])
            batch = draw_batch(shop, sources, stage.batch, config, rng)
            loss = batch_loss(self.model, shop.trie, batch, temperature=config.match_temperature)
            return {"loss": loss.total, "match": loss.match}

        train_steps(
            name,
            self.model,
            losses,
            steps=stage.steps,
            batch=stage.batch,
            dense_rate=stage.learning_rate,
            sparse_rate=stage.embedding_learning_rate,
            checkpoints=checkpoints,
            log=log,
        )

    def save(self, folder: Path) -> None:
        """Write the weights, and the generator's own vectors of all titles."""
        self.model.save(folder)
        titles = self._shop.titles
        starts = range(0, len(titles), _AT_ONCE)
        blocks = [np.arange(start, min(start + _AT_ONCE, len(titles))) for start in starts]
        own = [read_bags(self.model, self._shop.title_bags(block))[1] for block in blocks]
        np.save(folder / OWN_VECTORS, np.concatenate(own))


def draw_batch(
    shop: Shop,
    sources: Sequence[Source],
    size: int,
    config: GeneratorConfig,
    rng: np.random.Generator,
) -> Batch:
    """Draw the prompts and targets of one step."""
    bags, targets, items, numbers, shoppers = [], [], [], [], []
    first_number = 0
    for prompts, chosen, drawn in draw(sources, size, targets=config.targets, rng=rng):
        bags.append(prompts.bags_of(chosen))
        targets.append(drawn)
        items.append(drawn[:, 0] if prompts.made_of is None else prompts.made_of[chosen])
        numbers.append(first_number + chosen)
        first_number += len(prompts)
        shoppers.append(_shoppers(prompts, chosen, config, rng))
    context = None
    if any(source.prompts.shoppers for source in sources):
        histories, profiles = (join_bags(*of_source) for of_source in zip(*shoppers, strict=True))
        context = make_context(shop.items, histories, profiles, length=config.history)
    item = np.concatenate(items)
    words = drop_words(shop.titles, item, rng, share=config.word_dropout)
    return Batch(
        bags=join_bags(*bags),
        leaves=torch.from_numpy(shop.items.sid_of_item[np.concatenate(targets)]),
        titles=shop.tokenizer.gather(shop.titles, *words),
        prompt=torch.from_numpy(np.concatenate(numbers)),
        item=torch.from_numpy(item),
        context=context,
    )


def _shoppers(
    prompts: PromptSet, chosen: NDArray[np.int64], config: GeneratorConfig, rng: np.random.Generator
) -> tuple[Bags, Bags]:
    """Histories and profiles of the drawn prompts, some of them withheld."""
    nothing = Bags(np.empty(0, dtype=np.int64), np.zeros(len(chosen) + 1, dtype=np.int64))
    if prompts.shoppers is None:
        return nothing, nothing
    histories, profiles = (
        _withhold(take_bags(of_search, chosen), rng.random(len(chosen)) < config.shopper_dropout)
        for of_search in (prompts.shoppers.histories, prompts.shoppers.profiles)
    )
    return histories, profiles


def _withhold(bags: Bags, withheld: NDArray[np.bool_]) -> Bags:
    counts = np.diff(bags.offsets)
    kept = bags.ids[np.repeat(~withheld, counts)]
    return Bags(kept, ragged_offsets(np.where(withheld, 0, counts)))


def batch_loss(
    model: CompactModel, trie: Trie, batch: Batch, *, temperature: float
) -> GeneratorLoss:
    """Cross entropy of the drawn SIDs, and the match of prompts and titles, averaged."""
    hidden = model.encode(*bag_tensors(batch.bags), batch.context)  # (B, W)
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
