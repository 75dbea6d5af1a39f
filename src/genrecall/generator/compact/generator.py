"""The `compact` family behind the `Generator` protocol; what serves needs no torch.

Shapes: `Q` prompts, `R` prefixes, `C` their children, `N` items, `W` width, `D` size of the vectors
of stage `embed`, `D'` of the generator's own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.embed.views import Views
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.threads import limit_torch
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Reading, ViewPart, view_parts
from genrecall.generator.compact.context import Context, ShopItems, context_of_prompts
from genrecall.generator.compact.look_ahead import LookAhead, log_sizes
from genrecall.generator.compact.reader import CompactReader
from genrecall.generator.compact.trained import CompactWeights
from genrecall.generator.compact.views import join_views, see_items
from genrecall.generator.compact.weights import LevelWeights
from genrecall.generator.history import ShopperSettings
from genrecall.generator.prompts import Prompt
from genrecall.index.centroids import SidGroups
from genrecall.index.live import LiveItems

if TYPE_CHECKING:
    from torch import Tensor

    from genrecall.generator.compact.model import CompactModel
    from genrecall.generator.compact.policy import CompactPolicy, CompactState


class CompactRead(NamedTuple):
    """Prompts as they were read, before the first code.

    Attributes:
        hidden: hidden states, float32 `[Q, W]`.
        queries: their views, float32 `[Q, D + D']`.
    """

    hidden: NDArray[np.float32]
    queries: NDArray[np.float32]


@dataclass(frozen=True)
class CompactServing:
    """How trained weights are served.

    Attributes:
        weights: of heads and look-ahead.
        temperature: of the look-ahead, in units of cosine similarity.
        groups: of the SIDs, for the look-ahead; None for one that is exact.
        shopper: what is read of shoppers.
    """

    weights: LevelWeights
    temperature: float
    groups: SidGroups | None
    shopper: ShopperSettings


class CompactGenerator:
    """The compact family over the items of a shop.

    The views of a text are the encoder's vector and the generator's own, joined.

    Args:
        weights: trained ones.
        encoder: of stage `embed`, for subwords and the first view of a text.
        items: with both views of each item, `[N, D + D']`.
        serving: weights and temperature of what is scored.
        titles: makes the second view of items; None for the same weights. Alignment trains what
            reads a prompt, and leaves the items where they are.

    Attributes:
        rule: what is read of the shoppers in prompts.
    """

    def __init__(
        self,
        weights: CompactWeights,
        encoder: Views,
        items: LiveItems,
        serving: CompactServing,
        titles: CompactWeights | None = None,
    ) -> None:
        self.weights = weights
        self.titles = weights if titles is None else titles
        self.encoder = encoder
        self.items = items
        self.serving = serving
        self.prior: NDArray[np.float32] | None = None
        self.rule = serving.shopper.over(items.vectors, items.table.codes[:, 0])
        self._chosen = ShopItems(items.table.sid_of_item, items.views)
        self._reader = CompactReader(weights)
        self._model = _once(weights, self.space)

    @property
    def space(self) -> SidSpace:
        """The SID space it was trained for."""
        return self.items.table.space

    @property
    def trie(self) -> Trie:
        """The SIDs in use."""
        return self.items.trie

    @property
    def views(self) -> list[ViewPart]:
        """See `Generator.views`: those of stage `embed`, and the generator's own."""
        own, size = self.weights.own_share, self.items.views.shape[1] - self.encoder.dim
        first = [view._replace(share=view.share * (1 - own)) for view in view_parts(self.encoder)]
        return [*first, ViewPart("own", size, own)]

    @property
    def shopper(self) -> ShopperSettings:
        """What it reads of shoppers."""
        return self.serving.shopper

    @cached_property
    def look_ahead(self) -> LookAhead:
        """What the vectors of the items say, each item counting as the weights of the prior ask."""
        items, serving = self.items, self.serving
        return LookAhead(
            items.trie,
            items.means,
            self._log_counts(),
            serving.groups,
            temperature=serving.temperature,
            leaves=items.rounded_means if serving.groups else None,
        )

    @cached_property
    def policy(self) -> CompactPolicy:
        """The same with torch, code by code; only what serves does without."""
        from genrecall.generator.compact.policy import CompactPolicy

        return CompactPolicy(self, self._model())

    def over(self, items: LiveItems) -> CompactGenerator:
        """The same weights over more items; see `Generator.over`. Only the new ones are encoded."""
        own = self.items.views.parts[-1]
        seen = see_items(CompactReader(self.titles), self.encoder, items, own)
        return CompactGenerator(
            self.weights, self.encoder, items.seen_as(seen), self.serving, self.titles
        )

    def with_weights(self, weights: CompactWeights) -> CompactGenerator:
        """Other weights over the same items, which stay as they are seen."""
        reader, model = CompactReader(weights), _once(weights, self.space)
        return self._with(weights=weights, _reader=reader, _model=model)

    def weighed(
        self, weights: LevelWeights, prior: NDArray[np.float32] | None = None
    ) -> CompactGenerator:
        """The same generator, with other weights of heads and look-ahead.

        Args:
            weights: of them.
            prior: how often each item was chosen, on a logarithmic scale, float32 `[N]`; needed
                where the weights count it.
        """
        assert prior is not None or not weights.prior
        counted = (weights.prior, prior if weights.prior else None)
        before = (self.serving.weights.prior, self.prior if self.serving.weights.prior else None)
        other = self._with(serving=replace(self.serving, weights=weights), prior=prior)
        if counted[0] != before[0] or counted[1] is not before[1]:
            other.__dict__.pop("look_ahead", None)
        return other

    def exactly(self) -> CompactGenerator:
        """The same with an exact look-ahead, whose cost grows with the catalog: the oracle."""
        other = self._with(serving=replace(self.serving, groups=None))
        other.__dict__.pop("look_ahead", None)
        return other

    def read(self, prompts: Sequence[Prompt]) -> Reading[CompactRead]:
        """Read prompts; see `Generator.read`."""
        texts = [prompt.text for prompt in prompts]
        bags = self.encoder.tokenizer.bags(texts, typed=True)
        hidden, own = self._reader.texts(bags)
        first = self.encoder.encode_cut(texts, bags)
        prompts = self.rule.read(prompts, first)
        views = join_views(first, own, self.weights.own_share)
        if self.weights.reads_shoppers:
            known = views.any(axis=1, keepdims=True)
            hidden, moved = self._reader.shoppers(hidden, views, self.context(prompts))
            # A query without a known word means nothing, whoever asks.
            views = moved * known
        return self._reading(prompts, CompactRead(hidden, views))

    def reread(self, reading: Reading[CompactRead]) -> Reading[CompactRead]:
        """What this generator makes of prompts that one with other weights has read."""
        return self._reading(reading.prompts, reading.state)

    def advance(
        self, state: CompactRead | CompactState, rows: Tensor, nodes: Tensor
    ) -> tuple[CompactState, Tensor]:
        """Append one code to each chosen prefix; see `Generator.advance`."""
        return self.policy.advance(state, rows, nodes)

    def context(self, prompts: Sequence[Prompt]) -> Context:
        """What the prompts say of their shoppers."""
        pairs, length = self.weights.pairs, self.weights.length
        return context_of_prompts(prompts, self._chosen, pairs, length=length)

    def _log_counts(self) -> NDArray[np.floating[Any]]:
        """Logarithm of what the items of each SID count together, `[S]`."""
        table, power = self.items.table, self.serving.weights.prior
        counts, prior = log_sizes(table.sizes), self.prior
        if not power or prior is None:
            return counts
        # What nobody gets draws nobody: it counts as the average of the others.
        gets = slice(None) if self.items.available is None else self.items.available
        above = np.zeros(len(prior))
        above[gets] = prior[gets].astype(np.float64) - prior[gets].mean()
        worth = np.exp(power * above)
        summed = np.bincount(table.sid_of_item, weights=worth, minlength=len(counts))
        tiny = np.finfo(np.float64).tiny
        return np.where(summed > 0, np.log(np.maximum(summed, tiny)), counts)

    def _reading(self, prompts: Sequence[Prompt], read: CompactRead) -> Reading[CompactRead]:
        return Reading(prompts, read.queries, read, partial(self._start, read))

    def _start(self, read: CompactRead) -> Tensor:
        return self.policy.first(read)

    def _with(self, **changed: Any) -> CompactGenerator:
        """The same with some attributes changed."""
        other = copy.copy(self)
        other.__dict__.pop("policy", None)
        other.__dict__.update(changed)
        return other


def _once(weights: CompactWeights, space: SidSpace) -> Callable[[], CompactModel]:
    """The weights as a model of torch, made when it is first asked for and the same from then on.

    Generators that only weigh its parts otherwise share it.
    """

    @cache
    def model() -> CompactModel:
        from genrecall.generator.compact.model import CompactModel

        limit_torch()
        return CompactModel.of(weights, space=space)

    return model
