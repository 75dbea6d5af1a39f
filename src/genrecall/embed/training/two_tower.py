"""Training the two-tower encoder: in-batch softmax over query–item pairs and title fragments.

Each step draws its own chance from `(seed, step)`, so that nothing but the step number decides what
it sees. Shapes: `B` pairs of a batch, `P` logged pairs, `D` vector size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.data.pairs import LoggedPairs
from genrecall.embed.config import InDomainConfig, SubwordConfig
from genrecall.embed.in_domain import InDomainView
from genrecall.embed.losses import in_batch_loss
from genrecall.foundation.progress import RunLog
from genrecall.foundation.ragged import Bags, join_bags
from genrecall.foundation.steady import LayerNorm
from genrecall.learning.bags import bag_tensors
from genrecall.learning.checkpoint import Checkpoints
from genrecall.learning.loop import train_steps
from genrecall.learning.sampling import draw_weighted
from genrecall.text.fragments import draw_fragments, drop_words
from genrecall.text.slips import SlippedWords
from genrecall.text.subwords import SubwordTokenizer


def train_tokenizer(
    config: SubwordConfig, *, titles: list[str], queries: list[str]
) -> SubwordTokenizer:
    """Learn the shop's subwords from its titles and training queries."""
    return SubwordTokenizer.train(
        [*titles, *queries],
        vocabulary=config.vocabulary,
        pair_buckets=config.pair_buckets,
        run_buckets=config.run_buckets,
        stemmer=config.stemmer,
    )


def train_in_domain(
    config: InDomainConfig,
    *,
    tokenizer: SubwordTokenizer,
    titles: list[str],
    queries: list[str],
    pairs: LoggedPairs,
    seed: int,
    checkpoints: Checkpoints,
    log: RunLog,
) -> InDomainView:
    """Learn vectors of subwords from the shop's own text.

    Args:
        config: sizes and rates.
        tokenizer: cuts it.
        titles: of the items, by catalog row.
        queries: distinct training queries.
        pairs: which item was relevant to which query; may be empty.
        seed: same seed, same encoder.
        checkpoints: where to save and to resume from.
        log: where to report.
    """
    torch.manual_seed(seed)
    model = TwoTower(n_features=tokenizer.n_features, width=config.width, dim=config.dim)
    batches = _Batches(
        config,
        tokenizer=tokenizer,
        titles=titles,
        queries=queries,
        pairs=pairs,
        seed=seed,
    )

    def losses(step: int) -> dict[str, Tensor]:
        batch = batches.draw(step)
        vectors = model(*bag_tensors(batch.bags))  # (2B, D)
        loss = in_batch_loss(
            vectors[: config.batch],
            vectors[config.batch :],
            query_ids=torch.from_numpy(batch.query),
            item_ids=torch.from_numpy(batch.item),
            temperature=config.temperature,
        )
        return {"loss": loss}

    train_steps(
        "two-tower encoder",
        model,
        losses,
        schedule=config,
        checkpoints=checkpoints,
        log=log,
    )
    weights = {name: weight.detach().numpy() for name, weight in model.state_dict().items()}
    return InDomainView.of_trained(weights)


class TwoTower(nn.Module):
    """Bags of features to unit vectors.

    Args:
        n_features: rows of the embedding table.
        width: size of an embedding.
        dim: size `D` of the vectors.
    """

    def __init__(self, *, n_features: int, width: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(n_features, width, mode="mean", sparse=True)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.norm = LayerNorm(width)
        self.block = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.project = nn.Linear(width, dim, bias=False)

    def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
        """Features `[total]` with offsets `[n]` to unit vectors `[n, D]`."""
        bag = self.norm(self.embedding(ids, offsets))  # (n, width)
        return F.normalize(self.project(bag + self.block(bag)), dim=-1)  # (n, D)


class _Batch(NamedTuple):
    bags: Bags  # 2B texts: the queries, then the titles
    query: NDArray[np.int64]  # (B,) same number, same query
    item: NDArray[np.int64]  # (B,) catalog rows


class _Batches:
    """Draws the pairs of a step."""

    def __init__(
        self,
        config: InDomainConfig,
        *,
        tokenizer: SubwordTokenizer,
        titles: Sequence[str],
        queries: Sequence[str],
        pairs: LoggedPairs,
        seed: int,
    ) -> None:
        self._config, self._tokenizer, self._seed = config, tokenizer, seed
        chance = np.random.default_rng([seed, 0, 1])  # steps have two numbers
        self._titles, self._queries = tokenizer.words(titles), tokenizer.words(queries)
        self._made = SlippedWords(tokenizer, titles, chance)
        self._logged = SlippedWords(tokenizer, queries, chance)
        self._pairs = pairs
        self._n_logged = round(config.batch * config.logged_share) if len(pairs.query) else 0
        self._cumulative = np.cumsum(pairs.weight)

    def draw(self, step: int) -> _Batch:
        rng = np.random.default_rng([self._seed, step])
        n_fragments = self._config.batch - self._n_logged
        fragment_items = rng.integers(len(self._titles), size=n_fragments)
        fragments = draw_fragments(self._titles, fragment_items, rng)
        query_bags = self._typed(self._made, fragments, rng)
        item, query = fragment_items, -1 - np.arange(n_fragments)
        if self._n_logged:
            pair = draw_weighted(self._cumulative, self._n_logged, rng)
            logged = drop_words(self._queries, self._pairs.query[pair], rng, share=0.0)
            query_bags = join_bags(self._typed(self._logged, logged, rng), query_bags)
            item = np.concatenate([self._pairs.item[pair], item])
            query = np.concatenate([self._pairs.query[pair], query])
        dropped = drop_words(self._titles, item, rng, share=self._config.word_dropout)
        bags = join_bags(query_bags, self._tokenizer.gather(self._titles, *dropped))
        return _Batch(bags=bags, query=query, item=item)

    def _typed(self, of: SlippedWords, chosen: Bags, rng: np.random.Generator) -> Bags:
        """Features of queries, some of whose words are mistyped."""
        forms = of.typed(chosen.ids, self._config.slips, rng)
        return self._tokenizer.gather(of.forms, forms, chosen.offsets)
