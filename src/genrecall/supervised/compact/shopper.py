"""Stage user+query→SID of the compact family: only what reads the shopper is trained.

Encoder, heads and views stay as stage query→SID left them, so what a query means in general is not
forgotten while few searches teach what it means to whom; and each prompt's state is a lookup or a
cheap pass without gradient. Two losses, as in the stages before: the cross entropy of each level's
code, and, in the place of the match with titles, the look-ahead's own distribution over SIDs:

    -log softmax_s(q_out · m_s / τ + log n_s)

with the normalized mean views `m_s` of a SID's `n_s` items. It is a distribution over all SIDs, not
over the items of a batch: that one would teach how much likelier a shopper makes an item than it is
anyway, and forget how likely it is anyway.

Shapes: `B` prompts of a batch, `T` targets drawn per prompt, `S` SIDs, `C` of them compared,
`W` width, `D` size of views.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.embed.views import Views
from genrecall.foundation.ragged import Bags, join_bags
from genrecall.generator.compact.context import Context, ShopItems, make_context
from genrecall.generator.compact.look_ahead import log_sizes
from genrecall.generator.compact.reader import CompactReader
from genrecall.generator.compact.views import join_views
from genrecall.generator.config import GeneratorConfig
from genrecall.index.prefixes import mean_vectors
from genrecall.supervised.prompt_sets import PromptSet
from genrecall.supervised.sources import Draw, Source
from genrecall.text.distinct import distinct

_MOST_ENCODED: Final = 1 << 17  # texts of a source that are encoded beforehand
_COMPARED: Final = 8192  # SIDs in a step's softmax: with more in use, that many are drawn


class FirstViews:
    """Vectors of prompts by stage `embed`; each distinct text is encoded once.

    Of a source with very many, those that are drawn are encoded when they are.

    Args:
        encoder: of stage `embed`.
        sources: whose prompts, each source's in their order.
    """

    def __init__(self, encoder: Views, sources: Sequence[Source]) -> None:
        self._encoder = encoder
        self._prompts = [source.prompts for source in sources]
        self._of = [_encode_distinct(encoder, prompts) for prompts in self._prompts]

    def __call__(self, source: int, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of prompts of a source, `[n]` to float32 `[n, D]`."""
        encoded, prompts = self._of[source], self._prompts[source]
        if encoded is None:
            texts = [prompts.texts[place] for place in chosen.tolist()]
            return self._encoder.encode_cut(texts, prompts.bags_of(chosen))
        vectors, number = encoded
        return vectors[number[chosen]]


def _encode_distinct(
    encoder: Views, prompts: PromptSet
) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Vectors of distinct texts, and which each prompt has; None of too many."""
    texts, number = distinct(prompts.texts)
    if len(texts) > _MOST_ENCODED:
        return None
    _, first = np.unique(number, return_index=True)
    return encoder.encode_cut(texts, prompts.bags_of(first)), number


class SidDistribution:
    """The look-ahead's distribution over SIDs as a loss.

    Args:
        items: SIDs and views of the items.
        n_sids: `S`.
        temperature: τ, in units of cosine similarity.
    """

    def __init__(self, items: ShopItems, n_sids: int, *, temperature: float) -> None:
        sizes = np.bincount(items.sid_of_item, minlength=n_sids)
        means = torch.from_numpy(mean_vectors(items.sid_of_item, items.views, n_sids))
        self._scaled = means / temperature
        self._bias = torch.from_numpy(log_sizes(sizes))

    def loss(self, views: Tensor, leaves: Tensor, rng: np.random.Generator) -> Tensor:
        """Cross entropy, averaged over targets.

        With more SIDs than are compared, those drawn stand for those that are not.

        Args:
            views: of the prompts, `[B, D]`.
            leaves: SIDs to generate, int64 `[B, T]`.
            rng: where chance comes from.
        """
        compared, bias = self._compared(leaves, rng)
        logits = torch.addmm(bias, views, self._scaled[compared].T)  # (B, C)
        column = torch.searchsorted(compared, leaves)
        chosen = logits.gather(1, column)  # (B, T)
        return (torch.logsumexp(logits, dim=1, keepdim=True) - chosen).mean()

    def _compared(self, leaves: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Which SIDs, ascending int64 `[C]`, and what is added to their logits, `[C]`."""
        n_sids = len(self._scaled)
        if n_sids <= _COMPARED:
            return torch.arange(n_sids), self._bias
        drawn = rng.choice(n_sids, _COMPARED, replace=False)
        target = np.unique(leaves.numpy())
        compared = np.union1d(drawn, target)
        stands_for = np.where(np.isin(compared, target), 1.0, n_sids / _COMPARED)
        bias = self._bias[compared] + torch.from_numpy(np.log(stands_for)).float()
        return torch.from_numpy(compared), bias


def draw_states(
    reader: CompactReader, drawn: Sequence[Draw], first_views: FirstViews
) -> tuple[Tensor, Tensor]:
    """What the drawn prompts mean anonymously: states `[B, W]` and views `[B, D]`."""
    hidden, own = reader.texts(join_bags(*(d.prompts.bags_of(d.chosen) for d in drawn)))
    first = np.concatenate([first_views(source, d.chosen) for source, d in enumerate(drawn)])
    views = join_views(first, own, reader.weights.own_share)
    return torch.from_numpy(hidden), torch.from_numpy(views)


def draw_context(
    drawn: Sequence[Draw],
    items: ShopItems,
    config: GeneratorConfig,
    rng: np.random.Generator,
) -> Context:
    """What is known of the shoppers of the drawn prompts, some of it left out."""
    known = []
    for prompts, chosen, _ in drawn:
        nothing = Bags(np.empty(0, dtype=np.int64), np.zeros(len(chosen) + 1, dtype=np.int64))
        known.append(
            (nothing, nothing)
            if prompts.shoppers is None
            else prompts.shoppers.draw(
                chosen,
                rng,
                withheld=config.shopper_dropout,
                forgotten=config.history_dropout,
            )
        )
    histories, profiles = (join_bags(*of_source) for of_source in zip(*known, strict=True))
    return make_context(items, histories, profiles, length=config.history)
