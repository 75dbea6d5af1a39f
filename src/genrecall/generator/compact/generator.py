"""The `compact` family behind the `Generator` protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrecall.embed.encoder import Encoder
from genrecall.foundation.sid import SidSpace
from genrecall.generator.compact.look_ahead import LookAhead
from genrecall.generator.compact.model import CompactModel, child_features, join_views, read_bags
from genrecall.generator.compact.shopper import ShopItems, context_of_prompts
from genrecall.generator.prompts import Prompt


@dataclass(frozen=True, eq=False)
class CompactState:
    """What a compact generator carries along `R` prefixes.

    Attributes:
        level: level of the next code.
        hidden: hidden states, float32 `[R, W]`.
        prompt: prompt of each prefix, int64 `[R]`.
        node: trie node of each prefix in the level above, int64 `[R]`; 0 is the root.
        features: look-ahead of all prompts, `[Q, n_l]` for each level.
    """

    level: int
    hidden: Tensor
    prompt: Tensor
    node: Tensor
    features: tuple[Tensor, ...]


class CompactGenerator:
    """The compact family behind the `Generator` protocol.

    Args:
        model: the weights.
        encoder: of stage `embed`, for subwords and the first view of a text.
        look_ahead: features of the SID tree, over both views.
        items: what histories are made of.
        head_weight: weight of the heads against the look-ahead.
    """

    def __init__(
        self,
        model: CompactModel,
        encoder: Encoder,
        look_ahead: LookAhead,
        items: ShopItems,
        *,
        head_weight: float,
    ) -> None:
        self.model = model.eval()
        self.encoder = encoder
        self.look_ahead = look_ahead
        self.items = items
        self.head_weight = head_weight

    @property
    def space(self) -> SidSpace:
        """The SID space it was trained for."""
        return self.look_ahead.trie.space

    def encode(self, prompts: Sequence[Prompt]) -> NDArray[np.float32]:
        """Both views of prompts, as their shoppers mean them, as one unit vector, `[n, 2D]`."""
        return self._read(prompts)[1]

    def prefill(self, prompts: Sequence[Prompt]) -> tuple[CompactState, Tensor]:
        """Read the prompts; see `Generator.prefill`."""
        hidden, views = self._read(prompts)
        with torch.inference_mode():
            state = CompactState(
                level=0,
                hidden=hidden,
                prompt=torch.arange(len(prompts)),
                node=torch.zeros(len(prompts), dtype=torch.long),
                features=self.look_ahead(torch.from_numpy(views)),
            )
            return state, self._logprobs(state)

    def advance(
        self, state: CompactState, rows: Tensor, codes: Tensor
    ) -> tuple[CompactState, Tensor]:
        """Append one code to each chosen prefix; see `Generator.advance`."""
        trie, level = self.look_ahead.trie, state.level
        with torch.inference_mode():
            node = trie.child(level, state.node[rows].numpy(), codes.numpy())
            grown = CompactState(
                level=level + 1,
                hidden=self.model.extend(level, state.hidden[rows], codes),
                prompt=state.prompt[rows],
                node=torch.from_numpy(node),
                features=state.features,
            )
            return grown, self._logprobs(grown)

    def _read(self, prompts: Sequence[Prompt]) -> tuple[Tensor, NDArray[np.float32]]:
        """Hidden states `[n, W]` and both views `[n, 2D]` of prompts."""
        texts = [prompt.text for prompt in prompts]
        bags = self.encoder.tokenizer.bags(texts)
        hidden, own = read_bags(self.model, bags)
        views = join_views(self.encoder.encode_cut(texts, bags), own)
        shopper = self.model.shopper
        if shopper is None:
            return hidden, views
        context = context_of_prompts(prompts, self.items, self.model.pairs, length=shopper.length)
        with torch.inference_mode():
            hidden, moved = shopper(hidden, torch.from_numpy(views), context)
        # A query without a known word means nothing, whoever asks.
        return hidden, moved.numpy() * np.any(views, axis=1, keepdims=True)

    def _logprobs(self, state: CompactState) -> Tensor:
        features = child_features(
            self.look_ahead.trie,
            state.level,
            state.node,
            features=state.features[state.level],
            prompt=state.prompt,
        )
        return self.model.logprobs(
            state.level, state.hidden, features, head_weight=self.head_weight
        )
