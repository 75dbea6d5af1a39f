"""The forward pass in fixed shapes: prompts in one row without padding, then beams side by side.

Only the attention of prompts is padded. A prompt has one copy of its keys and values, which all its
beams see beside those of their own codes.

Shapes: `Q` prompts, `n` tokens of all of them, `L` tokens of the longest, `B` beams; else as in
`decode/lm/weights.py`.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.decode.lm.weights import Layer, Linear, LmWeights
from genrecall.generator.lm.model import LmModel


class Prompts(NamedTuple):
    """Prompts one after another.

    Attributes:
        tokens: ids, int64 `[n]`; those behind the last prompt count for nothing.
        lengths: of the prompts, int64 `[Q]`, none of them 0.
        longest: `L`, or more.
    """

    tokens: Tensor
    lengths: Tensor
    longest: int

    @property
    def ends(self) -> Tensor:
        """Which token follows each prompt's last, int64 `[Q]`."""
        return self.lengths.cumsum(0)

    def places(self) -> tuple[Tensor, Tensor]:
        """Position of each token in its prompt, and its row in `[Q L]`, or `Q L` without prompt."""
        every = torch.arange(len(self.tokens), device=self.tokens.device)
        prompt = torch.searchsorted(self.ends, every, right=True)
        starts = F.pad(self.ends, (1, 0))
        position = (every - starts[prompt]).clamp(max=self.longest - 1)
        beyond = len(self.lengths) * self.longest
        return position, (prompt * self.longest + position).clamp(max=beyond)


class Seen(NamedTuple):
    """What beams attend to in one layer.

    Attributes:
        keys: of prompts, `[Q, G, L, d]`.
        values: likewise.
        missing: where there is no token, bool `[Q, 1, L]`.
    """

    keys: Tensor
    values: Tensor
    missing: Tensor


class GpuForward:
    """Computes a language model.

    Args:
        lm: one that `is_known`.
        dtype: of the weights, and of what layers multiply them with; sums of layers, norms and
            scores are float32.
    """

    def __init__(self, lm: LmModel, dtype: torch.dtype) -> None:
        def lay_out(weight: Tensor, bias: Tensor | None) -> Linear:
            rounded = None if bias is None else bias.detach().to(dtype)
            return partial(F.linear, weight=weight.detach().to(dtype), bias=rounded)

        self._weights = LmWeights.of(lm, lay_out=lay_out)
        self._dtype = dtype

    def read(self, prompts: Prompts) -> tuple[list[Seen], Tensor]:
        """Read prompts.

        Returns:
            What beams attend to in each layer, and log-probabilities of all first codes `[Q, K_0]`.
        """
        weights, n_prompts, longest = self._weights, len(prompts.lengths), prompts.longest
        positions, places = prompts.places()
        rows, turns = n_prompts * longest, weights.turns[positions]
        columns = torch.arange(longest, device=places.device)
        missing = (columns >= prompts.lengths[:, None])[:, None]  # (Q, 1, L)
        hidden = F.embedding(prompts.tokens, weights.embedding).float()
        every = []
        for layer in weights.layers:
            made = self._made(layer, hidden, turns)
            # One row more takes what belongs to no prompt.
            padded = made.new_zeros(rows + 1, *made.shape[1:])
            padded[places] = made
            padded = padded[:-1].view(n_prompts, longest, *made.shape[1:]).transpose(1, 2)
            queries, keys, values = padded.split_with_sizes(self._parts, dim=1)
            shared = weights.heads.queries > weights.heads.keys
            # Products of queries and keys have their scale from the weights.
            seen = F.scaled_dot_product_attention(
                queries, keys, values, is_causal=True, scale=1.0, enable_gqa=shared
            )
            every.append(Seen(keys.contiguous(), values.contiguous(), missing))
            if layer is weights.layers[-1]:
                # Nobody reads what comes out of it, but at the end.
                hidden, places = hidden[prompts.ends - 1], places[prompts.ends - 1]
            seen = seen.transpose(1, 2).reshape(rows, -1)[places.clamp(max=rows - 1)]
            hidden = self._passed(layer, hidden, seen)
        return every, self._logprobs(0, hidden)

    def append(
        self,
        every: list[Seen],
        lengths: Tensor,
        codes: Tensor,
        earlier: Tensor | None,
        level: int,
    ) -> tuple[Tensor, Tensor]:
        """Append a code to prefixes.

        Args:
            every: what they attend to in each layer.
            lengths: of the prompts.
            codes: of the level before, int64 `[Q, B]`.
            earlier: keys and values of the codes before, as they are returned; None where there
                is none.
            level: of the next codes.

        Returns:
            Keys and values of all codes of the prefixes, `[layers, Q, B, E, 2 G, d]`, and
            log-probabilities of all next ones, `[Q, B, K_level]`.
        """
        weights = self._weights
        n_prompts, beams = codes.shape
        turns = weights.turns[lengths + (level - 1)]  # (Q, 1, d / 2)
        turns = turns.expand(n_prompts, beams, -1).reshape(n_prompts * beams, 1, -1)
        hidden = F.embedding(codes.flatten() + weights.first[level - 1], weights.embedding).float()
        kept = []
        for number, (layer, seen) in enumerate(zip(weights.layers, every, strict=True)):
            made = self._made(layer, hidden, turns).view(n_prompts, beams, -1, weights.heads.size)
            queries, own = made.split_with_sizes([weights.heads.queries, sum(self._parts[1:])], 2)
            own = own[:, :, None]  # (Q, B, 1, 2 G, d)
            own = own if earlier is None else torch.cat([earlier[number], own], dim=2)
            kept.append(own)
            hidden = self._passed(layer, hidden, self._attended(queries, own, seen).flatten(0, 1))
        scores = self._logprobs(level, hidden)
        return torch.stack(kept), scores.view(n_prompts, beams, -1)

    @property
    def positions(self) -> int:
        """That there are for a prompt and a SID."""
        return len(self._weights.turns)

    @property
    def _parts(self) -> list[int]:
        heads = self._weights.heads
        return [heads.queries, heads.keys, heads.keys]

    def _attended(self, queries: Tensor, own: Tensor, seen: Seen) -> Tensor:
        """What beams see of their prompt and their own codes: `[Q, B, H d]`.

        Args:
            queries: `[Q, B, H, d]`.
            own: keys and values of their codes, `[Q, B, E, 2 G, d]`.
            seen: of the prompts.
        """
        n_prompts, beams, heads, size = queries.shape
        groups, longest = seen.keys.shape[1:3]
        # (Q, G, B, H/G, d): the heads that share keys stand beside each other.
        split = queries.view(n_prompts, beams, groups, -1, size).transpose(1, 2)
        own_keys, own_values = own.permute(0, 3, 1, 2, 4).chunk(2, dim=1)  # (Q, G, B, E, d)
        to_prompt = (split.flatten(2, 3) @ seen.keys.mT).float()  # (Q, G, B H/G, L)
        to_prompt = to_prompt.masked_fill(seen.missing[:, None], -torch.inf)
        to_own = (split @ own_keys.mT).float().flatten(2, 3)  # (Q, G, B H/G, E)
        weight = torch.cat([to_prompt, to_own], dim=-1).softmax(-1).to(self._dtype)
        of_prompt = weight[..., :longest] @ seen.values
        of_own = weight[..., longest:].view(n_prompts, groups, beams, heads // groups, -1)
        both = of_prompt.view_as(split) + of_own @ own_values
        return both.transpose(1, 2).reshape(n_prompts, beams, heads * size)

    def _made(self, layer: Layer, hidden: Tensor, turns: Tensor) -> Tensor:
        """Queries, keys and values `[n, H + 2 G, d]`, the first two turned."""
        heads = self._weights.heads
        made = layer.attend(self._normed(hidden).to(self._dtype)).view(len(hidden), -1, heads.size)
        turned, values = made.split_with_sizes([heads.queries + heads.keys, heads.keys], dim=1)
        halves = turned.float().view(*turned.shape[:2], -1, 2)
        pairs = torch.view_as_complex(halves)
        turned = torch.view_as_real(pairs * turns).flatten(2).to(self._dtype)
        return torch.cat([turned, values], dim=1)

    def _passed(self, layer: Layer, hidden: Tensor, seen: Tensor) -> Tensor:
        """Hidden states behind a layer, `[n, W]`."""
        hidden = hidden + layer.join(seen)
        gate, passed = layer.gate(self._normed(hidden).to(self._dtype)).chunk(2, dim=1)
        return hidden + layer.leave(F.silu(gate) * passed)

    def _normed(self, hidden: Tensor) -> Tensor:
        """Scaled to length 1, `[n, W]`."""
        squares = hidden.square().sum(dim=-1, keepdim=True) + self._weights.least**2
        return hidden * squares.rsqrt()

    def _logprobs(self, level: int, hidden: Tensor) -> Tensor:
        """Log-softmax over the codes of a level: `[n, W]` to `[n, K_level]`."""
        return F.log_softmax(self._normed(hidden) @ self._weights.codes[level].T, dim=-1)
