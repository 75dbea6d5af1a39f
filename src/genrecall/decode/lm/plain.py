"""The layers of a language model in torch, for any sizes; see `decode/lm/forward.py`.

Shapes: `n` tokens or prefixes, `L` tokens of a prompt, `E` earlier codes of a prefix; else as in
`decode/lm/weights.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.decode.lm.forward import Appended, ReadPrompt
from genrecall.decode.lm.weights import Heads, Layer, LmWeights
from genrecall.foundation.sid import LEVELS


class PlainForward:
    """In torch; see `Forward`.

    Args:
        weights: of the model.
    """

    def __init__(self, weights: LmWeights) -> None:
        self._weights = weights
        # What the first layer makes of a code does not depend on what stands before it.
        self._begun = [self._of_codes(level) for level in range(LEVELS - 1)]

    def read(self, prompts: Sequence[Sequence[int]]) -> list[ReadPrompt]:
        """See `Forward.read`; keys and values are `[layers, G, L, d]`."""
        weights, lengths = self._weights, [len(ids) for ids in prompts]
        tokens = torch.tensor([token for ids in prompts for token in ids])
        hidden = F.embedding(tokens, weights.embedding)  # (n, W)
        kept: list[list[Attended]] = [[] for _ in prompts]
        for layer in weights.layers:
            made = self._made(layer, hidden)
            last = layer is weights.layers[-1]
            for of_prompt, part in zip(kept, torch.split(made, lengths), strict=True):
                # Of the last layer nobody reads what comes out, but at the end.
                start = len(part) - 1 if last else 0
                turns = weights.turns[: len(part)]
                of_prompt.append(attend_prompt(weights.heads, part, turns, start=start))
            if last:
                hidden = hidden[torch.tensor(lengths).cumsum(0) - 1]
            self._pass(layer, hidden, [of_prompt[-1].seen for of_prompt in kept])
        first = self._logprobs(0, hidden)
        keys = [torch.stack([of.keys for of in of_prompt]) for of_prompt in kept]
        values = [torch.stack([of.values for of in of_prompt]) for of_prompt in kept]
        return [ReadPrompt(*of) for of in zip(lengths, keys, values, first, strict=True)]

    def append(
        self, prompts: Sequence[ReadPrompt], counts: Sequence[int], codes: Appended, level: int
    ) -> tuple[Tensor | None, Tensor]:
        """See `Forward.append`."""
        weights, (n_queries, n_keys, size) = self._weights, self._weights.heads
        earlier = codes.earlier
        earlier = None if earlier is None else earlier.index_select(1, codes.before)
        depth = 0 if earlier is None else earlier.shape[2]
        hidden = F.embedding(codes.newest + weights.first[level - 1], weights.embedding)
        kept = []
        for number, layer in enumerate(weights.layers):
            made = self._made(layer, hidden) if number else self._begun[level - 1][codes.newest]
            before = None if earlier is None else earlier[number]
            seen, start = [], 0
            for prompt, count in zip(prompts, counts, strict=True):
                part = slice(start, start + count)
                start += count
                turns = weights.turns[prompt.length + depth, None]
                shared = prompt.keys[number], prompt.values[number]
                of_part = None if before is None else before[part]
                seen.append(attend_prefixes(weights.heads, made[part], turns, shared, of_part))
            kept.append(made[:, n_queries:])
            self._pass(layer, hidden, seen)
        every = self._logprobs(level, hidden)
        if level == LEVELS - 1:
            return None, every
        newest = torch.stack(kept).view(len(kept), len(hidden), 1, 2, n_keys, size)
        own = newest if earlier is None else torch.cat([earlier, newest], dim=2)
        return own, every

    def _logprobs(self, level: int, hidden: Tensor) -> Tensor:
        """Log-softmax over the codes of a level: `[n, W]` to `[n, K_level]`."""
        scores = self._normed(hidden) @ self._weights.codes[level].T
        return F.log_softmax(scores, dim=-1)

    @torch.inference_mode()
    def _of_codes(self, level: int) -> Tensor:
        """Queries, keys and values that the first layer makes of a level's codes."""
        tokens = torch.arange(len(self._weights.codes[level])) + self._weights.first[level]
        hidden = F.embedding(tokens, self._weights.embedding)
        return self._made(self._weights.layers[0], hidden)

    def _made(self, layer: Layer, hidden: Tensor) -> Tensor:
        """Queries, keys and values, `[n, H + 2 G, d]`."""
        made = layer.attend(self._normed(hidden))
        return made.view(len(hidden), -1, self._weights.heads.size)

    def _pass(self, layer: Layer, hidden: Tensor, seen: Sequence[Tensor]) -> None:
        """Add to hidden states what was seen, and what the gated network makes of it."""
        hidden += layer.join(torch.cat(list(seen)))
        gate, passed = layer.gate(self._normed(hidden)).chunk(2, dim=1)
        hidden += layer.leave(F.silu(gate).mul_(passed))

    def _normed(self, hidden: Tensor) -> Tensor:
        """Hidden states of length 1."""
        length = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        return hidden / torch.hypot(length, torch.tensor(self._weights.least))


class Attended(NamedTuple):
    """A prompt in one layer.

    Attributes:
        keys: `[G, L, d]`.
        values: likewise.
        seen: what its tokens saw, `[n, H d]`.
    """

    keys: Tensor
    values: Tensor
    seen: Tensor


def attend_prompt(heads: Heads, made: Tensor, turns: Tensor, *, start: int) -> Attended:
    """Attention of a prompt's tokens to those before.

    Args:
        heads: of the layer.
        made: queries, keys and values of all its tokens, `[L, H + 2 G, d]`; the first two are
            turned in place.
        turns: of their positions, complex `[L, 1, d / 2]`.
        start: from where on it is wanted what tokens see.
    """
    queries, keys, values = _turned(heads, made, turns)
    queries = queries[:, start:]
    (n_heads, n, size), length = queries.shape, keys.shape[1]
    later = torch.full((n, length), -torch.inf).triu(1 + start)
    products = (_by_group(heads, queries) @ keys.mT).view(n_heads, n, length)
    weight = (products + later).softmax(-1)
    seen = weight.view(len(keys), -1, length) @ values
    return Attended(keys, values, seen.view(n_heads, n, size).transpose(0, 1).flatten(1))


def attend_prefixes(
    heads: Heads,
    made: Tensor,
    turns: Tensor,
    prompt: tuple[Tensor, Tensor],
    earlier: Tensor | None,
) -> Tensor:
    """Attention of prefixes to their prompt and to their own codes: `[n, H d]`.

    Args:
        heads: of the layer.
        made: of the prefixes' newest codes; queries and keys are turned in place.
        turns: of their position, complex `[1, 1, d / 2]`.
        prompt: its keys and values, `[G, L, d]`.
        earlier: keys and values of earlier codes, `[n, E, 2, G, d]`; None where there is none.
    """
    (keys, values), (n, _, size) = prompt, made.shape
    groups, length = keys.shape[:2]
    queries, _, _ = _turned(heads, made, turns)
    own = made[:, heads.queries :].view(n, 1, 2, groups, size)
    own = own if earlier is None else torch.cat([earlier, own], dim=1)
    own_keys, own_values = own.permute(2, 3, 0, 1, 4)  # (G, n, E, d)
    split = queries.view(groups, -1, n, size)  # (G, H/G, n, d)
    to_prompt = (_by_group(heads, queries) @ keys.mT).view(groups, -1, n, length)
    to_own = (split[:, :, :, None] * own_keys[:, None]).sum(-1)  # (G, H/G, n, E)
    weight = torch.cat([to_prompt, to_own], dim=-1).softmax(-1)
    seen = (weight[..., :length].flatten(1, 2) @ values).view(groups, -1, n, size)
    for code in range(own.shape[1]):
        seen.addcmul_(weight[..., length + code, None], own_values[:, None, :, code])
    return seen.view(-1, n, size).transpose(0, 1).flatten(1)


def _turned(heads: Heads, made: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries `[H, n, d]`, keys and values `[G, n, d]`, the first two turned in place."""
    n_queries, n_keys, size = heads
    turned = made[:, : n_queries + n_keys]
    torch.view_as_complex(turned.view(len(made), -1, size // 2, 2)).mul_(turns)
    queries, keys, values = made.transpose(0, 1).split_with_sizes([n_queries, n_keys, n_keys])
    return queries, keys, values


def _by_group(heads: Heads, queries: Tensor) -> Tensor:
    """Queries beside the keys that they share: `[H, n, d]` to `[G, H/G n, d]`."""
    shared = heads.queries > heads.keys
    return queries.reshape(heads.keys, -1, queries.shape[2]) if shared else queries
