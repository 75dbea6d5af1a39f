"""The `compact` family behind the `Generator` protocol."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.embed.views import Views
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.steady import rows_of
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Reading, ViewPart, view_parts
from genrecall.generator.compact.context import Context, ShopItems, context_of_prompts
from genrecall.generator.compact.following import Following
from genrecall.generator.compact.look_ahead import Ahead, LookAhead, log_sizes
from genrecall.generator.compact.model import (
    CompactModel,
    follow_bags,
    follow_views,
    join_views,
    own_vectors,
)
from genrecall.generator.compact.reader import CompactReader
from genrecall.generator.compact.weights import LevelWeights
from genrecall.generator.history import ShopperSettings
from genrecall.generator.prompts import Prompt
from genrecall.index.centroids import SidGroups
from genrecall.index.live import LiveItems


@dataclass(frozen=True, eq=False)
class CompactState:
    """What a compact generator carries along `R` prefixes.

    Attributes:
        level: level of the next code.
        hidden: hidden states, float32 `[R, W]`.
        prompt: prompt of each prefix, int64 `[R]`.
        node: trie node of each prefix in the level above, int64 `[R]`; 0 is the root.
        ahead: look-ahead of all prompts.
    """

    level: int
    hidden: Tensor
    prompt: Tensor
    node: Tensor
    ahead: Ahead


@dataclass(frozen=True)
class CompactServing:
    """How trained weights are served.

    Attributes:
        weights: of heads and look-ahead.
        temperature: of the look-ahead, in units of cosine similarity.
        groups: of the SIDs, for the look-ahead.
        shopper: what is read of shoppers.
    """

    weights: LevelWeights
    temperature: float
    groups: SidGroups
    shopper: ShopperSettings


class NextCodes(NamedTuple):
    """What is said of the possible next codes of `R` prefixes, `n` codes of all together.

    Attributes:
        prefix: which prefix a code follows, int64 `[n]`, not decreasing.
        node: its trie node, int64 `[n]`.
        heads: what the heads say, float32 `[n]`.
        look_ahead: what the look-ahead says, float32 `[n]`.
    """

    prefix: NDArray[np.int64]
    node: NDArray[np.int64]
    heads: NDArray[np.float32]
    look_ahead: NDArray[np.float32]


class CompactGenerator:
    """The compact family over the items of a shop.

    The views of a text are the encoder's vector and the generator's own, joined.

    Args:
        model: the weights.
        encoder: of stage `embed`, for subwords and the first view of a text.
        items: with both views of each item, float32 `[N, D + D']`.
        serving: weights and temperature of what is scored.
        titles: makes the second view of items; None for the model itself. Alignment trains what
            reads a prompt, and leaves the items where they are.
    """

    def __init__(
        self,
        model: CompactModel,
        encoder: Views,
        items: LiveItems,
        serving: CompactServing,
        titles: CompactModel | None = None,
    ) -> None:
        self.model = model.eval()
        self.titles = model if titles is None else titles.eval()
        self.encoder = encoder
        self.items = items
        self.serving = serving
        self.prior: NDArray[np.float32] | None = None
        self.look_ahead = LookAhead(
            items.trie,
            items.means,
            log_sizes(items.table.sizes),
            serving.groups,
            temperature=serving.temperature,
        )
        self._rule = serving.shopper.over(items.vectors, items.table.codes[:, 0])
        self._chosen = ShopItems(items.table.sid_of_item, items.views)
        self._reader = _reader_of(self.model)

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
        own, size = self.model.own_share, self.items.views.shape[1] - self.encoder.dim
        first = [view._replace(share=view.share * (1 - own)) for view in view_parts(self.encoder)]
        return [*first, ViewPart("own", size, own)]

    @property
    def shopper(self) -> ShopperSettings:
        """What it reads of shoppers."""
        return self.serving.shopper

    def over(self, items: LiveItems) -> CompactGenerator:
        """The same weights over more items; see `Generator.over`. Only the new ones are encoded."""
        added = see_items(self.titles, self.encoder, items, first=len(self.items))
        seen = items.seen_as(np.concatenate([self.items.views, added]))
        return CompactGenerator(self.model, self.encoder, seen, self.serving, self.titles)

    def with_model(self, model: CompactModel) -> CompactGenerator:
        """Other weights over the same items, which stay as they are seen."""
        other = copy.copy(self)
        other.model, other._reader = model, _reader_of(model)
        return other

    def weighed(
        self, weights: LevelWeights, prior: NDArray[np.float32] | None = None
    ) -> CompactGenerator:
        """The same generator, with other weights of heads and look-ahead.

        Args:
            weights: of them.
            prior: how often each item was chosen, on a logarithmic scale, float32 `[N]`; needed
                where the weights count it.
        """
        other, table = copy.copy(self), self.items.table
        counts = log_sizes(table.sizes)
        if weights.prior:
            assert prior is not None
            # What nobody gets draws nobody: it counts as the average of the others.
            gets = slice(None) if self.items.available is None else self.items.available
            above = np.zeros(len(prior))
            above[gets] = prior[gets].astype(np.float64) - prior[gets].mean()
            worth = np.exp(weights.prior * above)
            summed = np.bincount(table.sid_of_item, weights=worth, minlength=len(counts))
            counts = np.where(
                summed > 0, np.log(np.maximum(summed, np.finfo(np.float64).tiny)), counts
            )
        other.look_ahead = self.look_ahead.counting(counts)
        other.serving, other.prior = replace(self.serving, weights=weights), prior
        return other

    def reread(self, reading: Reading[CompactState]) -> Reading[CompactState]:
        """What this generator makes of prompts that one with other weights has read."""
        with torch.inference_mode():
            state = replace(reading.state, ahead=self.look_ahead(torch.from_numpy(reading.queries)))
        return replace(reading, state=state, start=partial(self._start, state))

    def next_codes(self, state: CompactState) -> NextCodes:
        """What heads and look-ahead say of each code that may come next."""
        with torch.inference_mode():
            following = Following.of(self.trie, state.level, state.node)
            heads, look_ahead = self._said(state, following)
        told = (following.prefix, following.node, heads, look_ahead)
        return NextCodes(*(values.numpy() for values in told))

    def read(self, prompts: Sequence[Prompt]) -> Reading[CompactState]:
        """Read prompts; see `Generator.read`."""
        texts = [prompt.text for prompt in prompts]
        bags = self.encoder.tokenizer.bags(texts, typed=True)
        hidden, own = self._reader.texts(bags)
        first = self.encoder.encode_cut(texts, bags)
        prompts = self._rule.read(prompts, first)
        views = join_views(first, own, self.model.own_share)
        if self.model.shopper is not None:
            known = views.any(axis=1, keepdims=True)
            hidden, moved = self._reader.shoppers(hidden, views, self._context(prompts))
            views = moved * known
        state = self._roots(torch.from_numpy(hidden), torch.from_numpy(views))
        return Reading(prompts, views, state, partial(self._start, state))

    def advance(
        self, state: CompactState, rows: Tensor, nodes: Tensor
    ) -> tuple[CompactState, Tensor]:
        """Append one code to each chosen prefix; see `Generator.advance`."""
        with torch.inference_mode():
            return self.append(state, rows, nodes)

    def begin(self, prompts: Sequence[Prompt]) -> tuple[CompactState, Tensor]:
        """Read prompts with gradients; see `Policy.begin`."""
        _, _, state = self._follow(prompts)
        return state, self._first_step(state)

    def append(
        self, state: CompactState, rows: Tensor, nodes: Tensor
    ) -> tuple[CompactState, Tensor]:
        """Append one code to each chosen prefix with gradients; see `Policy.append`."""
        level = state.level
        codes = torch.from_numpy(self.trie.codes[level])[nodes]
        longer = CompactState(
            level=level + 1,
            hidden=self.model.extend(level, rows_of(state.hidden, rows), codes),
            prompt=state.prompt[rows],
            node=nodes,
            ahead=state.ahead,
        )
        return longer, self._logprobs(longer)

    def _follow(self, prompts: Sequence[Prompt]) -> tuple[Sequence[Prompt], Tensor, CompactState]:
        """Prompts as they are read, their views `[Q, D + D']`, and the state of their roots."""
        texts = [prompt.text for prompt in prompts]
        bags = self.encoder.tokenizer.bags(texts, typed=True)
        hidden, own = follow_bags(self.model, bags)
        first = self.encoder.encode_cut(texts, bags)
        prompts = self._rule.read(prompts, first)
        hidden, views = self._personalise(
            prompts, hidden, follow_views(first, own, self.model.own_share)
        )
        return prompts, views, self._roots(hidden, views)

    def _roots(self, hidden: Tensor, views: Tensor) -> CompactState:
        """The state before the first code, of hidden states `[Q, W]` and views `[Q, D + D']`."""
        n = len(hidden)
        return CompactState(
            level=0,
            hidden=hidden,
            prompt=torch.arange(n),
            node=torch.zeros(n, dtype=torch.long),
            ahead=self.look_ahead(views),
        )

    def _context(self, prompts: Sequence[Prompt]) -> Context:
        """What the prompts say of their shoppers."""
        assert self.model.shopper is not None
        length = self.model.shopper.length
        return context_of_prompts(prompts, self._chosen, self.model.pairs, length=length)

    def _personalise(
        self, prompts: Sequence[Prompt], hidden: Tensor, views: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Hidden states `[Q, W]` and views `[Q, D + D']` of queries, as shoppers mean them."""
        shopper = self.model.shopper
        if shopper is None:
            return hidden, views
        context = self._context(prompts)
        known = views.detach().ne(0).any(dim=1, keepdim=True)
        hidden, moved = shopper(hidden, views, context)
        # A query without a known word means nothing, whoever asks.
        return hidden, moved * known

    @torch.inference_mode()
    def _start(self, state: CompactState) -> Tensor:
        """As `_first_step`, without gradients."""
        return self._first_step(state)

    def _first_step(self, state: CompactState) -> Tensor:
        """Log-probabilities of the first codes, `[Q, n_0]`."""
        return self._logprobs(state).view(len(state.prompt), self.trie.n_nodes[0])

    def _logprobs(self, state: CompactState) -> Tensor:
        """Of the codes that may come next, `[C]`."""
        following = Following.of(self.trie, state.level, state.node)
        heads, look_ahead = self._said(state, following)
        weights, level = self.serving.weights, state.level
        logits = weights.heads[level] * heads + weights.look_ahead[level] * look_ahead
        return following.log_softmax(logits)

    def _said(self, state: CompactState, following: Following) -> tuple[Tensor, Tensor]:
        """What heads and look-ahead say of the codes that may come next, `[C]` both."""
        prompt = state.prompt[following.prefix]
        look_ahead = state.ahead.of(following.level, prompt, following.node)
        return self.model.heads(state.hidden, following), look_ahead


def _reader_of(model: CompactModel) -> CompactReader:
    """Reads with the weights of a model, in their memory."""
    return CompactReader({name: of.detach().numpy() for name, of in model.state_dict().items()})


def see_items(
    model: CompactModel,
    encoder: Views,
    items: LiveItems,
    *,
    first: int = 0,
    own: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Both views of items, float32 `[N - first, D + D']`.

    Args:
        model: makes the second view.
        encoder: cuts their titles.
        items: of the shop; `items.vectors` are the first view.
        first: row of the first item to be seen.
        own: second views of the first of these items, float32 `[n, D]`; None to make them all.
    """
    titles = items.catalog.titles
    made = own_vectors(
        model,
        range(first + (0 if own is None else len(own)), len(titles)),
        lambda rows: encoder.tokenizer.bags(titles[rows.start : rows.stop]),
    )
    if own is not None:  # as a rule all of them
        made = np.concatenate([own, made]) if len(made) else own
    return join_views(items.vectors[first:], made, model.own_share)
