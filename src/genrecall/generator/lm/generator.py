"""The `lm` family behind the `Generator` protocol.

A prompt is read once. Its beams then stand side by side in one row, each seeing the prompt and its
own codes by a mask, so that all beams of a prompt share its keys and values.

Shapes: `Q` prompts, `P` tokens of the longest, `R` prefixes (beams of all prompts), `B` beams of
the prompt that has the most, `C` children of prefixes in the trie.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genrecall.embed.views import Views
from genrecall.foundation.libraries import lm_library
from genrecall.foundation.sid import SidSpace
from genrecall.foundation.trie import Trie
from genrecall.generator.base import Reading, ViewPart, view_parts
from genrecall.generator.history import ShopperSettings
from genrecall.generator.lm.model import LmModel
from genrecall.generator.prompts import QUERY, Prompt, write_prompt
from genrecall.index.live import LiveItems


@dataclass(frozen=True, eq=False)
class LmState:
    """What a language model carries along `R` prefixes.

    Attributes:
        level: level of the next code.
        prompt: prompt of each prefix, int64 `[R]`.
        lengths: tokens of each prompt, int64 `[Q]`.
        cache: keys and values of the prompts and, behind them, of the codes of earlier levels.
        starts: where in the cache each earlier level begins.
        slots: for each earlier level, where in it the prefix has its code, int64 `[R]`.
        width: tokens in the cache.
    """

    level: int
    prompt: Tensor
    lengths: Tensor
    cache: Any
    starts: tuple[int, ...]
    slots: tuple[Tensor, ...]
    width: int


@dataclass(frozen=True, eq=False)
class LmRead:
    """Prompts as they are written for a language model.

    Attributes:
        tokens: ids of each prompt, `[Q]`.
        prefill: computes them.
        kept: what each engine that computes by itself has made of them.
    """

    tokens: Sequence[Sequence[int]]
    prefill: Callable[[], tuple[LmState, Tensor]]
    kept: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def begun(self) -> tuple[LmState, Tensor]:
        """The state, and log-probabilities of the first codes `[Q, n_0]`."""
        return self.prefill()


class LmGenerator:
    """A language model as a generator over the items of a shop.

    Items and queries are compared by the vectors of stage `embed`.

    Args:
        lm: the weights.
        encoder: of stage `embed`.
        items: of the shop.
        shopper: what is read of shoppers.
        kind: how prompts are written: `QUERY`, or `ITEM` for titles.
    """

    def __init__(
        self,
        lm: LmModel,
        encoder: Views,
        items: LiveItems,
        *,
        shopper: ShopperSettings,
        kind: str = QUERY,
    ) -> None:
        self.lm = lm.eval()
        self.items = items
        self._encoder = encoder
        self.shopper = shopper
        self._rule = shopper.over(items.vectors, items.table.codes[:, 0])
        self._kind = kind

    @property
    def space(self) -> SidSpace:
        """The SID space it was trained for."""
        return self.lm.space

    @property
    def trie(self) -> Trie:
        """The SIDs in use."""
        return self.items.trie

    @property
    def views(self) -> list[ViewPart]:
        """See `Generator.views`: those of stage `embed`."""
        return view_parts(self._encoder)

    def over(self, items: LiveItems) -> LmGenerator:
        """The same weights over more items; see `Generator.over`."""
        return LmGenerator(self.lm, self._encoder, items, shopper=self.shopper, kind=self._kind)

    def with_weights(self, lm: LmModel) -> LmGenerator:
        """Other weights over the same items."""
        return LmGenerator(lm, self._encoder, self.items, shopper=self.shopper, kind=self._kind)

    def read(self, prompts: Sequence[Prompt]) -> Reading[LmRead | LmState]:
        """Read prompts; see `Generator.read`. They are computed when first an engine asks."""
        queries = self._encoder.encode([prompt.text for prompt in prompts])
        prompts = self._rule.read(prompts, queries)
        tokens = self._written(prompts)
        read = LmRead(tokens, torch.inference_mode()(partial(self._prefill, tokens)))
        return Reading(prompts, queries, read, lambda: read.begun[1])

    def advance(
        self, state: LmRead | LmState, rows: Tensor, nodes: Tensor
    ) -> tuple[LmState, Tensor]:
        """Append one code to each chosen prefix; see `Generator.advance`."""
        with torch.inference_mode():
            return self.append(state, rows, nodes)

    def begin(self, prompts: Sequence[Prompt]) -> tuple[LmState, Tensor]:
        """Read prompts with gradients; see `Policy.begin`."""
        queries = np.empty((len(prompts), 0), dtype=np.float32)
        if self._rule.related is not None:
            queries = self._encoder.encode([prompt.text for prompt in prompts])
        return self._prefill(self._written(self._rule.read(prompts, queries)))

    def _written(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        sids = self.items.table.names
        written = [write_prompt(prompt, kind=self._kind, sids=sids) for prompt in prompts]
        return self.lm.encode(written)

    def _prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[LmState, Tensor]:
        lm, tokens = self.lm, [torch.tensor(ids) for ids in prompts]
        lengths = torch.tensor([len(ids) for ids in tokens], device=lm.device)
        # Padding stands behind a prompt, where none of its own tokens sees it.
        ids = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True).to(lm.device)  # (Q, P)
        cache = lm_library("transformers").DynamicCache()
        positions = torch.arange(ids.shape[1], device=lm.device).expand_as(ids)
        hidden = lm.hidden(ids, positions, mask=None, cache=cache)  # (Q, P, W)
        every = torch.arange(len(ids), device=lm.device)
        state = LmState(
            level=0,
            prompt=every,
            lengths=lengths,
            cache=cache,
            starts=(),
            slots=(),
            width=ids.shape[1],
        )
        first = self._of_children(0, hidden[every, lengths - 1], None)
        return state, first.view(len(ids), self.trie.n_nodes[0])

    def append(
        self, state: LmRead | LmState, rows: Tensor, nodes: Tensor
    ) -> tuple[LmState, Tensor]:
        """Append one code to each chosen prefix with gradients; see `Policy.append`."""
        if isinstance(state, LmRead):
            state = state.begun[0]
        lm, device = self.lm, self.lm.device
        codes = torch.from_numpy(self.trie.codes[state.level])[nodes].to(device)
        rows = rows.to(device)
        # Prompts that are not searched any further take no part.
        present, prompt = torch.unique(state.prompt[rows], return_inverse=True)
        lengths, cache = state.lengths[present], _copy(state.cache)
        if len(present) < len(state.lengths):
            cache.batch_select_indices(present)
        slot = _rank_in_group(prompt)
        n_prompts, beams = len(lengths), int(slot.max()) + 1 if len(slot) else 0
        grown = LmState(
            level=state.level + 1,
            prompt=prompt,
            lengths=lengths,
            cache=cache,
            starts=(*state.starts, state.width),
            slots=(*(earlier[rows] for earlier in state.slots), slot),
            width=state.width + beams,
        )
        if not len(rows):
            return grown, torch.zeros(0)
        ids = torch.full((n_prompts, beams), lm.start, device=device)
        ids[prompt, slot] = lm.token(state.level, codes)
        positions = (lengths + state.level)[:, None].expand_as(ids)
        hidden = lm.hidden(ids, positions, mask=_sees(grown, beams), cache=grown.cache)
        return grown, self._of_children(grown.level, hidden[prompt, slot], nodes)

    def _of_children(self, level: int, hidden: Tensor, nodes: Tensor | None) -> Tensor:
        """Log-probabilities of the children of prefixes: hidden states `[R, W]` to `[C]`.

        Args:
            level: of the children.
            hidden: of the prefixes.
            nodes: of the prefixes in the trie, int64 `[R]`; None for roots.
        """
        parents = np.zeros(len(hidden), dtype=np.int64) if nodes is None else nodes.numpy()
        parent, _, code = self.trie.children(level, parents)
        every = self.lm.logprobs(level, hidden)
        return every[torch.from_numpy(parent), torch.from_numpy(code)].cpu()


def _sees(state: LmState, beams: int) -> Tensor:
    """Which keys the newest codes see: their prompt, their own earlier codes, themselves.

    Returns:
        Bool `[Q, 1, B, width]`. A slot without a prefix sees its prompt, and is never read.
    """
    device, n_prompts = state.prompt.device, len(state.lengths)
    mask = torch.zeros(n_prompts, beams, state.width, dtype=torch.bool, device=device)
    longest = state.starts[0]
    mask[:, :, :longest] = torch.arange(longest, device=device) < state.lengths[:, None, None]
    for start, slot in zip(state.starts, state.slots, strict=True):
        mask[state.prompt, state.slots[-1], start + slot] = True
    return mask[:, None]


def _rank_in_group(group: Tensor) -> Tensor:
    """How many of the same group stand before each: `[R]` to `[R]`."""
    order = torch.argsort(group, stable=True)
    ordered = group[order]
    rank = torch.empty_like(group)
    places = torch.arange(len(group), device=group.device)
    rank[order] = places - torch.searchsorted(ordered, ordered)
    return rank


def _copy(cache: Any) -> Any:
    """A cache that grows apart from this one; what both hold is shared."""
    twin = copy.copy(cache)
    twin.layers = [copy.copy(layer) for layer in cache.layers]
    return twin
