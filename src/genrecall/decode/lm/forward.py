"""The forward pass: prompts to keys and values, then prefixes that share those of their prompt.

Tokens of several texts are rows of one matrix, without padding, for all but the attention. A
prefix attends to its prompt's keys, of which there is one copy, and to those of its own codes.

Shapes: `n` tokens or prefixes of all prompts together, `L` tokens of a prompt, `E` codes of a
prefix; else as in `decode/lm/weights.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.decode.lm.weights import Layer, LmWeights


class ReadPrompt(NamedTuple):
    """A prompt that was read.

    Attributes:
        length: its tokens `L`.
        keys: of each layer, `[G, L, d]`.
        values: likewise.
        first: log-probabilities of all first codes, `[K_0]`.
    """

    length: int
    keys: list[Tensor]
    values: list[Tensor]
    first: Tensor


def read_prompts(weights: LmWeights, prompts: Sequence[Sequence[int]]) -> list[ReadPrompt]:
    """Read prompts, given as token ids."""
    lengths = [len(ids) for ids in prompts]
    tokens = torch.tensor([token for ids in prompts for token in ids])
    turns = weights.turns[torch.cat([torch.arange(length) for length in lengths])]
    longest = max(lengths)
    later = torch.full((longest, longest), -torch.inf).triu(1)
    hidden = F.embedding(tokens, weights.embedding)  # (n, W)
    kept: list[tuple[list[Tensor], list[Tensor]]] = [([], []) for _ in prompts]
    last = weights.layers[-1]
    for layer in weights.layers:
        parts = _attend(weights, layer, hidden, turns)
        seen = []
        pieces = zip(*(torch.split(part, lengths, dim=1) for part in parts), strict=True)
        for (keys, values), (query, key, value) in zip(kept, pieces, strict=True):
            keys.append(key)
            values.append(value)
            # Of the last layer nobody reads what comes out, but at the end.
            seen.append(_within(query[:, -1:] if layer is last else query, key, value, later))
        if layer is last:
            hidden = hidden[torch.tensor(lengths).cumsum(0) - 1]
        hidden = _leave(weights, layer, hidden, _side_by_side(seen))
    return [
        ReadPrompt(length, *of_prompt, first)
        for length, of_prompt, first in zip(
            lengths, kept, logprobs(weights, 0, hidden), strict=True
        )
    ]


def append_codes(
    weights: LmWeights,
    prompts: Sequence[ReadPrompt],
    counts: Sequence[int],
    codes: Tensor,
    earlier: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Append a code to prefixes.

    Args:
        weights: of the model.
        prompts: of the prefixes.
        counts: prefixes of each, which stand in the order of the prompts.
        codes: token ids, `[n]`.
        earlier: keys and values of the codes before, as they are returned; None where there is
            none.

    Returns:
        Keys and values of all codes of the prefixes, `[layers, 2, G, n, E, d]`, and hidden states
        `[n, W]`.
    """
    depth = 0 if earlier is None else earlier.shape[-2]
    places = [prompt.length + depth for prompt in prompts]
    turns = weights.turns[np.repeat(places, counts)]
    hidden = F.embedding(codes, weights.embedding)
    kept = []
    for number, layer in enumerate(weights.layers):
        queries, keys, values = _attend(weights, layer, hidden, turns)
        own = torch.stack([keys, values])[:, :, :, None]
        if earlier is not None:
            own = torch.cat([earlier[number], own], dim=3)
        kept.append(own)
        seen, start = [], 0
        for prompt, count in zip(prompts, counts, strict=True):
            part = slice(start, start + count)
            start += count
            if not count:
                continue
            shared = prompt.keys[number], prompt.values[number]
            seen.append(_beside(queries[:, part], *shared, own[:, :, part]))
        hidden = _leave(weights, layer, hidden, _side_by_side(seen))
    return torch.stack(kept), hidden


def logprobs(weights: LmWeights, level: int, hidden: Tensor) -> Tensor:
    """Log-softmax over the codes of a level: `[n, W]` to `[n, K_level]`."""
    return F.log_softmax(weights.normed(hidden) @ weights.codes[level].T, dim=-1)


def _attend(
    weights: LmWeights, layer: Layer, hidden: Tensor, turns: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries `[H, n, d]`, keys and values `[G, n, d]`, the first two turned by their position."""
    n, (n_queries, n_keys, size) = len(hidden), weights.heads
    made = layer.attend(weights.normed(hidden)).view(n, -1, size)
    turned = made[:, : n_queries + n_keys]
    torch.view_as_complex(turned.view(n, -1, size // 2, 2)).mul_(turns)
    queries, keys, values = made.transpose(0, 1).split_with_sizes([n_queries, n_keys, n_keys])
    return queries, keys, values


def _leave(weights: LmWeights, layer: Layer, hidden: Tensor, seen: Tensor) -> Tensor:
    """What follows the attention: `[n, W]` and `[n, H d]` to `[n, W]`."""
    hidden = layer.join(seen).add_(hidden)
    gate, passed = layer.gate(weights.normed(hidden)).chunk(2, dim=1)
    return layer.leave(F.silu(gate).mul_(passed)).add_(hidden)


def _within(queries: Tensor, keys: Tensor, values: Tensor, later: Tensor) -> Tensor:
    """Attention of a prompt's last tokens to all before: `[H, n, d]` to `[H, n, d]`."""
    (heads, n, size), length = queries.shape, keys.shape[1]
    products = _by_group(queries, keys) @ keys.mT
    hidden = later[length - n : length, :length]
    weight = (products.view(heads, n, length) + hidden).softmax(-1)
    return (weight.view(products.shape) @ values).view(heads, n, size)


def _beside(queries: Tensor, keys: Tensor, values: Tensor, own: Tensor) -> Tensor:
    """Attention of prefixes to their prompt and to their own codes: `[H, n, d]` to `[H, n, d]`."""
    (heads, n, size), (groups, length, _) = queries.shape, keys.shape
    split = queries.view(groups, -1, n, size)  # (G, H/G, n, d)
    to_prompt = (_by_group(queries, keys) @ keys.mT).view(groups, -1, n, length)
    to_own = (split[:, :, :, None] * own[0, :, None]).sum(-1)  # (G, H/G, n, E)
    weight = torch.cat([to_prompt, to_own], dim=-1).softmax(-1)
    of_prompt = weight[..., :length].flatten(1, 2)
    seen = (of_prompt @ values).view(groups, -1, n, size)
    for code in range(own.shape[3]):
        seen.addcmul_(weight[..., length + code, None], own[1, :, None, :, code])
    return seen.view(heads, n, size)


def _by_group(queries: Tensor, keys: Tensor) -> Tensor:
    """Queries beside the keys that they share: `[H, n, d]` to `[G, H/G n, d]`."""
    return queries if len(queries) == len(keys) else queries.reshape(len(keys), -1, keys.shape[2])


def _side_by_side(seen: Sequence[Tensor]) -> Tensor:
    """What all heads saw of several texts, `[H, n_i, d]`, as rows `[n, H d]`."""
    every = seen[0] if len(seen) == 1 else torch.cat(list(seen), dim=1)
    return every.transpose(0, 1).flatten(1)
