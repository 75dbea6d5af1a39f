"""The forward pass: prompts to keys and values, then prefixes that share those of their prompt.

Tokens of several texts are rows of one matrix, without padding, for all but the attention. A
prefix attends to its prompt's keys, of which there is one copy, and to those of its own codes.

Shapes: `n` tokens or prefixes of all prompts together, `L` tokens of a prompt, `E` codes of a
prefix; else as in `decode/lm/weights.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.decode.lm.plain import Blocks
from genrecall.decode.lm.weights import Layer, LmWeights
from genrecall.foundation.sid import LEVELS


class ReadPrompt(NamedTuple):
    """A prompt that was read.

    Attributes:
        length: its tokens `L`.
        layers: keys and values of each, as `Blocks` keeps them.
        first: log-probabilities of all first codes, `[K_0]`.
    """

    length: int
    layers: Sequence[tuple[Tensor, Tensor]]
    first: Tensor


class Forward:
    """Computes a language model.

    Args:
        weights: of it.
        blocks: what stands between their products.
    """

    def __init__(self, weights: LmWeights, blocks: Blocks) -> None:
        self._weights, self._blocks = weights, blocks
        # What the first layer makes of a code does not depend on what stands before it.
        self._begun = [self._of_codes(level) for level in range(LEVELS - 1)]

    def read(self, prompts: Sequence[Sequence[int]]) -> list[ReadPrompt]:
        """Read prompts, given as token ids."""
        weights, lengths = self._weights, [len(ids) for ids in prompts]
        tokens = torch.tensor([token for ids in prompts for token in ids])
        hidden = F.embedding(tokens, weights.embedding)  # (n, W)
        kept: list[list[tuple[Tensor, Tensor]]] = [[] for _ in prompts]
        more = None
        for layer in weights.layers:
            made = self._made(layer, hidden, more)
            last, seen = layer is weights.layers[-1], []
            for of_prompt, part in zip(kept, torch.split(made, lengths), strict=True):
                # Of the last layer nobody reads what comes out, but at the end.
                start = len(part) - 1 if last else 0
                attended = self._blocks.attend_prompt(part, weights.turns[: len(part)], start=start)
                of_prompt.append((attended.keys, attended.values))
                seen.append(attended.seen)
            if last:
                hidden = hidden[torch.tensor(lengths).cumsum(0) - 1]
            more = self._passed(layer, hidden, seen)
        first = self.logprobs(0, hidden, more)
        return [ReadPrompt(*of_prompt) for of_prompt in zip(lengths, kept, first, strict=True)]

    def append(
        self,
        prompts: Sequence[ReadPrompt],
        counts: Sequence[int],
        codes: Tensor,
        earlier: Tensor | None,
        level: int,
    ) -> tuple[Tensor | None, Tensor]:
        """Append a code to prefixes.

        Args:
            prompts: of the prefixes.
            counts: prefixes of each, at least one, which stand in the order of the prompts.
            codes: of the level before, int64 `[n]`.
            earlier: keys and values of the codes before, as they are returned; None where there
                is none.
            level: of the next codes.

        Returns:
            Keys and values of all codes of the prefixes, `[layers, n, E, 2, G, d]`, or None if
            nothing follows the next codes; and log-probabilities of all of these, `[n, K_level]`.
        """
        weights, (n_queries, n_keys, size) = self._weights, self._weights.heads
        depth = 0 if earlier is None else earlier.shape[2]
        places = [prompt.length + depth for prompt in prompts]
        turns = [weights.turns[place : place + 1] for place in places]
        hidden = F.embedding(codes + weights.first[level - 1], weights.embedding)
        kept, more = [], None
        for number, layer in enumerate(weights.layers):
            made = self._made(layer, hidden, more) if number else self._begun[level - 1][codes]
            before = None if earlier is None else earlier[number]
            seen, start = [], 0
            for prompt, count, turn in zip(prompts, counts, turns, strict=True):
                part = slice(start, start + count)
                start += count
                of_part = None if before is None else before[part]
                shared = prompt.layers[number]
                seen.append(self._blocks.attend_prefixes(made[part], turn, shared, of_part))
            kept.append(made[:, n_queries:])
            more = self._passed(layer, hidden, seen)
        every = self.logprobs(level, hidden, more)
        if level == LEVELS - 1:
            return None, every
        newest = torch.stack(kept).view(len(kept), len(codes), 1, 2, n_keys, size)
        own = newest if earlier is None else torch.cat([earlier, newest], dim=2)
        return own, every

    def logprobs(self, level: int, hidden: Tensor, more: Tensor | None) -> Tensor:
        """Log-softmax over the codes of a level: `[n, W]` to `[n, K_level]`."""
        normed = self._blocks.add_normed(hidden, more, self._weights.least)
        return F.log_softmax(normed @ self._weights.codes[level].T, dim=-1)

    @torch.inference_mode()
    def _of_codes(self, level: int) -> Tensor:
        """Queries, keys and values that the first layer makes of a level's codes."""
        tokens = torch.arange(len(self._weights.codes[level])) + self._weights.first[level]
        hidden = F.embedding(tokens, self._weights.embedding)
        return self._made(self._weights.layers[0], hidden, None)

    def _made(self, layer: Layer, hidden: Tensor, more: Tensor | None) -> Tensor:
        """Queries, keys and values, `[n, H + 2 G, d]`; what was left to add is added."""
        normed = self._blocks.add_normed(hidden, more, self._weights.least)
        return layer.attend(normed).view(len(hidden), -1, self._weights.heads.size)

    def _passed(self, layer: Layer, hidden: Tensor, seen: Sequence[Tensor]) -> Tensor:
        """What the gated network adds to hidden states, which get what was seen in place."""
        joined = layer.join(seen[0] if len(seen) == 1 else torch.cat(list(seen)))
        normed = self._blocks.add_normed(hidden, joined, self._weights.least)
        return layer.leave(self._blocks.gated(layer.gate(normed)))
