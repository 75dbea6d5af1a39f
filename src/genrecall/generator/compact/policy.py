"""The compact family with gradients: the weights as a model of torch, code by code.

What serves needs none of it (`decode/walk`); it is trained through, and the oracle of what serves.

Shapes: `Q` prompts, `R` prefixes, `C` their children, `W` width, `D` size of the vectors of stage
`embed`, `D'` of the generator's own, `n` codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.foundation.sid import SidSpace
from genrecall.foundation.steady import rows_of
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Reading, ViewPart
from genrecall.generator.compact.ahead import Ahead
from genrecall.generator.compact.following import Following
from genrecall.generator.compact.model import CompactModel, follow_bags, follow_views
from genrecall.generator.history import ShopperSettings
from genrecall.generator.prompts import Prompt
from genrecall.index.live import LiveItems

if TYPE_CHECKING:
    from genrecall.generator.compact.generator import CompactGenerator, CompactRead


@dataclass(frozen=True, eq=False)
class CompactState:
    """What a compact policy carries along `R` prefixes.

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


class CompactPolicy:
    """A compact generator that can be trained; see `Policy`.

    Args:
        generator: over which items, and how it is served.
        model: weights in place of the generator's; it reads as they are at the moment.

    Attributes:
        generator: with these weights, for all that serves.
    """

    def __init__(self, generator: CompactGenerator, model: CompactModel) -> None:
        self.model = model.eval()
        self.generator = generator.with_weights(model.weights)
        self.generator.__dict__["policy"] = self  # what it scores by follows the model, too

    @property
    def space(self) -> SidSpace:
        """See `Generator.space`."""
        return self.generator.space

    @property
    def trie(self) -> Trie:
        """See `Generator.trie`."""
        return self.generator.trie

    @property
    def items(self) -> LiveItems:
        """See `Generator.items`."""
        return self.generator.items

    @property
    def views(self) -> list[ViewPart]:
        """See `Generator.views`."""
        return self.generator.views

    @property
    def shopper(self) -> ShopperSettings:
        """See `Generator.shopper`."""
        return self.generator.shopper

    def over(self, items: LiveItems) -> CompactPolicy:
        """See `Generator.over`."""
        return CompactPolicy(self.generator.over(items), self.model)

    def read(self, prompts: Sequence[Prompt]) -> Reading[CompactRead]:
        """See `Generator.read`."""
        return self.generator.read(prompts)

    @torch.inference_mode()
    def first(self, read: CompactRead) -> Tensor:
        """Log-probabilities of the first codes of what was read, `[Q, n_0]`."""
        return self._first_step(self.rooted(read))

    def advance(
        self, state: CompactRead | CompactState, rows: Tensor, nodes: Tensor
    ) -> tuple[CompactState, Tensor]:
        """See `Generator.advance`."""
        with torch.inference_mode():
            return self.append(self.rooted(state), rows, nodes)

    def next_codes(self, state: CompactRead | CompactState) -> NextCodes:
        """What heads and look-ahead say of each code that may come next."""
        with torch.inference_mode():
            state = self.rooted(state)
            following = Following.of(self.trie, state.level, state.node)
            heads, look_ahead = self._said(state, following)
        told = (following.prefix, following.node, heads, look_ahead)
        return NextCodes(*(values.numpy() for values in told))

    def begin(self, prompts: Sequence[Prompt]) -> tuple[CompactState, Tensor]:
        """Read prompts with gradients; see `Policy.begin`."""
        texts, encoder = [prompt.text for prompt in prompts], self.generator.encoder
        bags = encoder.tokenizer.bags(texts, typed=True)
        hidden, own = follow_bags(self.model, bags)
        first = encoder.encode_cut(texts, bags)
        prompts = self.generator.rule.read(prompts, first)
        views = follow_views(first, own, self.model.own_share)
        state = self._roots(*self._personalise(prompts, hidden, views))
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

    def _personalise(
        self, prompts: Sequence[Prompt], hidden: Tensor, views: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Hidden states `[Q, W]` and views `[Q, D + D']` of queries, as shoppers mean them."""
        if self.model.shopper is None:
            return hidden, views
        known = views.detach().ne(0).any(dim=1, keepdim=True)
        hidden, moved = self.model.shopper(hidden, views, self.generator.context(prompts))
        # A query without a known word means nothing, whoever asks.
        return hidden, moved * known

    def rooted(self, state: CompactRead | CompactState) -> CompactState:
        """What was read, as the state before the first code; any other state as it is."""
        if isinstance(state, CompactState):
            return state
        return self._roots(torch.from_numpy(state.hidden), torch.from_numpy(state.queries))

    def _roots(self, hidden: Tensor, views: Tensor) -> CompactState:
        """The state before the first code, of hidden states `[Q, W]` and views `[Q, D + D']`."""
        n = len(hidden)
        return CompactState(
            level=0,
            hidden=hidden,
            prompt=torch.arange(n),
            node=torch.zeros(n, dtype=torch.long),
            ahead=Ahead.of_queries(self.generator.look_ahead, views),
        )

    def _first_step(self, state: CompactState) -> Tensor:
        return self._logprobs(state).view(len(state.prompt), self.trie.n_nodes[0])

    def _logprobs(self, state: CompactState) -> Tensor:
        """Of the codes that may come next, `[C]`."""
        following = Following.of(self.trie, state.level, state.node)
        heads, look_ahead = self._said(state, following)
        weights, level = self.generator.serving.weights, state.level
        logits = weights.heads[level] * heads + weights.look_ahead[level] * look_ahead
        return following.log_softmax(logits)

    def _said(self, state: CompactState, following: Following) -> tuple[Tensor, Tensor]:
        """What heads and look-ahead say of the codes that may come next, `[C]` both."""
        prompt = state.prompt[following.prefix]
        look_ahead = state.ahead.of(following.level, prompt, following.node)
        return self.model.heads(state.hidden, following), look_ahead
