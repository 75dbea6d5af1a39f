"""What stands between the matrix products of a language model, in torch.

Shapes: `n` tokens or prefixes, `L` tokens of a prompt, `E` earlier codes of a prefix; else as in
`decode/lm/weights.py`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from genrecall.decode.lm.weights import Heads


class Attended(NamedTuple):
    """A prompt in one layer.

    Attributes:
        keys: as whoever made them keeps them.
        values: likewise.
        seen: what its tokens saw, `[n, H d]`.
    """

    keys: Tensor
    values: Tensor
    seen: Tensor


class Blocks(Protocol):
    """Norms, attention and gates; what is made by a layer's `attend` is `[n, H + 2 G, d]`."""

    def attend_prompt(self, made: Tensor, turns: Tensor, *, start: int) -> Attended:
        """Attention of a prompt's tokens to those before.

        Args:
            made: queries, keys and values of all its tokens, `[L, H + 2 G, d]`; the first two are
                turned in place.
            turns: of their positions, complex `[L, 1, d / 2]`.
            start: from where on it is wanted what tokens see.
        """

    def attend_prefixes(
        self, made: Tensor, turns: Tensor, prompt: tuple[Tensor, Tensor], earlier: Tensor | None
    ) -> Tensor:
        """Attention of prefixes to their prompt and to their own codes: `[n, H d]`.

        Args:
            made: of the prefixes' newest codes; queries and keys are turned in place.
            turns: of their position, complex `[1, 1, d / 2]`.
            prompt: its keys and values.
            earlier: keys and values of earlier codes, `[n, E, 2, G, d]`; None where there is none.
        """

    def add_normed(self, hidden: Tensor, more: Tensor | None, least: float) -> Tensor:
        """Add to hidden states in place, and scale the sums to length 1: `[n, W]`.

        Args:
            hidden: `[n, W]`.
            more: likewise; None for nothing.
            least: a length is the root of its square and of this one's.
        """

    def gated(self, both: Tensor) -> Tensor:
        """The second half of each row times SiLU of the first: `[n, 2 I]` to `[n, I]`."""


class PlainBlocks:
    """In torch, for any sizes; see `Blocks`.

    Args:
        heads: of the attention.
    """

    def __init__(self, heads: Heads) -> None:
        self._heads = heads

    def attend_prompt(self, made: Tensor, turns: Tensor, *, start: int) -> Attended:
        """See `Blocks.attend_prompt`; keys and values are `[G, L, d]`."""
        queries, keys, values = self._turned(made, turns)
        queries = queries[:, start:]
        (heads, n, size), length = queries.shape, keys.shape[1]
        later = torch.full((n, length), -torch.inf).triu(1 + start)
        products = (self._by_group(queries) @ keys.mT).view(heads, n, length)
        weight = (products + later).softmax(-1)
        seen = weight.view(len(keys), -1, length) @ values
        return Attended(keys, values, seen.view(heads, n, size).transpose(0, 1).flatten(1))

    def attend_prefixes(
        self, made: Tensor, turns: Tensor, prompt: tuple[Tensor, Tensor], earlier: Tensor | None
    ) -> Tensor:
        """See `Blocks.attend_prefixes`."""
        (keys, values), (n, _, size) = prompt, made.shape
        groups, length = keys.shape[:2]
        queries, _, _ = self._turned(made, turns)
        own = made[:, self._heads.queries :].view(n, 1, 2, groups, size)
        own = own if earlier is None else torch.cat([earlier, own], dim=1)
        own_keys, own_values = own.permute(2, 3, 0, 1, 4)  # (G, n, E, d)
        split = queries.view(groups, -1, n, size)  # (G, H/G, n, d)
        to_prompt = (self._by_group(queries) @ keys.mT).view(groups, -1, n, length)
        to_own = (split[:, :, :, None] * own_keys[:, None]).sum(-1)  # (G, H/G, n, E)
        weight = torch.cat([to_prompt, to_own], dim=-1).softmax(-1)
        seen = (weight[..., :length].flatten(1, 2) @ values).view(groups, -1, n, size)
        for code in range(own.shape[1]):
            seen.addcmul_(weight[..., length + code, None], own_values[:, None, :, code])
        return seen.view(-1, n, size).transpose(0, 1).flatten(1)

    def add_normed(self, hidden: Tensor, more: Tensor | None, least: float) -> Tensor:
        """See `Blocks.add_normed`."""
        if more is not None:
            hidden += more
        length = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        return hidden / torch.hypot(length, torch.tensor(least))

    def gated(self, both: Tensor) -> Tensor:
        """See `Blocks.gated`."""
        gate, passed = both.chunk(2, dim=1)
        return F.silu(gate).mul_(passed)

    def _turned(self, made: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries `[H, n, d]`, keys and values `[G, n, d]`, the first two turned in place."""
        n_queries, n_keys, size = self._heads
        turned = made[:, : n_queries + n_keys]
        torch.view_as_complex(turned.view(len(made), -1, size // 2, 2)).mul_(turns)
        queries, keys, values = made.transpose(0, 1).split_with_sizes([n_queries, n_keys, n_keys])
        return queries, keys, values

    def _by_group(self, queries: Tensor) -> Tensor:
        """Queries beside the keys that they share: `[H, n, d]` to `[G, H/G n, d]`."""
        shared = self._heads.queries > self._heads.keys
        return queries.reshape(self._heads.keys, -1, queries.shape[2]) if shared else queries
