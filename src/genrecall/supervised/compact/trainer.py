"""Trains the compact family: item→SID, query→SID, and then user+query→SID.

Two losses share the encoder; see `loss.py`. The look-ahead takes no part in them, since on training
queries the dense vectors are too good and the heads would learn only what they leave over. The last
stage trains other weights; see `shopper.py`.

Each step draws its own chance from `(seed, stage, step)`, so a run that resumes from a checkpoint
sees exactly what an uninterrupted one does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrecall.foundation.halves import to_halves
from genrecall.foundation.progress import RunLog
from genrecall.generator.compact.context import ShopItems
from genrecall.generator.compact.model import CompactModel
from genrecall.generator.compact.reader import CompactReader
from genrecall.generator.compact.shopper import ShopperModel
from genrecall.generator.compact.trained import CompactWeights
from genrecall.generator.compact.views import join_views, own_vectors
from genrecall.generator.config import GeneratorConfig, StageConfig
from genrecall.generator.load import OWN_VECTORS, USER_QUERY_TO_SID
from genrecall.index.centroids import SidGroups
from genrecall.index.prefixes import mean_vectors
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.loop import train_steps
from genrecall.supervised.compact.batch import Shop, draw_batch
from genrecall.supervised.compact.loss import batch_loss, level_losses
from genrecall.supervised.compact.shopper import (
    FirstViews,
    SidDistribution,
    draw_context,
    draw_states,
)
from genrecall.supervised.shoppers import KnownShoppers
from genrecall.supervised.sources import Source, TrainingStage, draw

Losses = Callable[[np.random.Generator], dict[str, Tensor]]
"""What a step measures with the chance that it is given; `loss` is minimized."""


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
            dim=config.dim,
            own_share=1 / (1 + shop.encoder.weight),
        )
        self._config, self._shop, self._known, self._seed = config, shop, known, seed

    def train(self, stage: TrainingStage, *, checkpoints: Checkpoints, log: RunLog) -> None:
        """See `Trainer.train`. Each stage has a stream of chance of its own, by its number."""
        name, number, sources = stage
        schedule: StageConfig = getattr(self._config, name)
        model: nn.Module = self.model
        if name == USER_QUERY_TO_SID and self._known is not None:
            model, losses = self._personalised(self._known, sources, schedule.batch)
        else:
            losses = self._general(sources, schedule.batch)
        train_steps(
            name,
            model,
            lambda step: losses(np.random.default_rng([self._seed, number, step])),
            schedule=schedule,
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

    def _personalised(
        self, known: KnownShoppers, sources: Sequence[Source], size: int
    ) -> tuple[ShopperModel, Losses]:
        """What reads the shopper, to be trained alone, and its losses."""
        shop, config, model = self._shop, self._config, self.model
        views = join_views(shop.vectors, self._own_vectors(model.weights), model.own_share)
        items = ShopItems(shop.sid_of_item, views)
        torch.manual_seed(self._seed)
        model.requires_grad_(False)
        shopper = model.read_shoppers(
            known.pairs,
            dim=items.views.shape[1],
            n_leaves=len(shop.trie),
            length=config.history,
        )
        reader, first_views = CompactReader(model.weights), FirstViews(shop.encoder, sources)
        sids = SidDistribution(items, len(shop.trie), temperature=config.temperature)

        def losses(rng: np.random.Generator) -> dict[str, Tensor]:
            drawn = list(draw(sources, size, targets=config.targets, rng=rng))
            states = draw_states(reader, drawn, first_views)
            hidden, views = shopper(*states, draw_context(drawn, items, config, rng))
            targets = np.concatenate([of_source.items for of_source in drawn])
            leaves = torch.from_numpy(shop.sid_of_item[targets])
            levels = level_losses(model, shop.trie, hidden, leaves)
            match = sids.loss(views, leaves, rng)
            return {"loss": levels[0] + levels[1] + levels[2] + match, "match": match}

        return shopper, losses

    def save(self, folder: Path) -> None:
        """Write the weights, the generator's own vectors of all titles, and groups of the SIDs."""
        shop, weights = self._shop, self.model.weights.halved()
        own = self._own_vectors(weights)
        weights.save(folder, space=self.model.space)
        np.save(folder / OWN_VECTORS, to_halves(own))
        sizes = np.bincount(shop.sid_of_item)
        views = join_views(shop.vectors, own, self.model.own_share)
        means = mean_vectors(shop.sid_of_item, views, len(sizes))
        SidGroups.by_means(shop.trie, means, sizes).save(folder)

    def _own_vectors(self, weights: CompactWeights) -> NDArray[np.float32]:
        shop = self._shop
        return own_vectors(
            CompactReader(weights),
            range(len(shop.titles)),
            lambda rows: shop.title_bags(np.arange(rows.start, rows.stop)),
        )
