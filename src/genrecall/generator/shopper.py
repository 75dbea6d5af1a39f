"""How the compact family reads the shopper: profile and history move the query's hidden state.

Each chosen item is a token: an embedding of its SID, its vector projected, and how long ago it was
chosen. The query, with the profile added, attends to them, so what was chosen in categories that
have to do with the query counts and the rest does not (the near-line history of CQ-SID,
arXiv 2605.14434, §3.2, there chosen by a rule; with `related.py` by both):

    h' = h + Σ profile,   a = softmax(W_q h' · W_k x_j),   out = h' + MLP([h', Σ_j a_j x_j])

A shopper of whom nothing is known leaves the hidden state as it is.

Shapes: `Q` prompts, `W` width, `D` vector size, `L` chosen items at most, `P` pairs of a profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrecall.embed.tokenizer import Bags, ragged_ranges
from genrecall.generator.prompts import Pair, Prompt
from genrecall.generator.related import make_bags


class Context(NamedTuple):
    """What is known of the shoppers of `Q` prompts.

    Attributes:
        leaves: SIDs that they chose, as positions in the trie, the latest first, int64 `[Q, L]`;
            -1 is padding.
        vectors: of the chosen items, float32 `[Q, L, D]`.
        pairs: numbers of the pairs of all profiles, int64 `[P]`.
        offsets: where each profile starts, int64 `[Q]`.
        known: whether anything is known, bool `[Q]`.
    """

    leaves: Tensor
    vectors: Tensor
    pairs: Tensor
    offsets: Tensor
    known: Tensor


class ShopperModel(nn.Module):
    """The weights that read profile and history.

    Args:
        width: `W`.
        dim: `D`.
        n_leaves: SIDs in use.
        n_pairs: pairs (field, value) of profiles.
        length: `L`.
    """

    def __init__(self, *, width: int, dim: int, n_leaves: int, n_pairs: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.leaf = _sparse_table(n_leaves, width)
        self.pair = _sparse_table(n_pairs + 1, width)  # an empty table has no gradient
        self.item = nn.Linear(dim, width)
        self.age = nn.Embedding(max(length, 1), width)
        nn.init.zeros_(self.age.weight)
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.step = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, width)
        )

    def forward(self, hidden: Tensor, context: Context) -> Tensor:
        """Hidden states of queries `[Q, W]` to those of what these shoppers mean by them."""
        chosen = context.leaves >= 0  # (Q, L)
        n_prompts, length = chosen.shape
        leaf = self.leaf(context.leaves.clamp(min=0).reshape(-1, 1)).view(n_prompts, length, -1)
        age = self.age.weight[:length]
        tokens = self.norm(leaf + self.item(context.vectors) + age)  # (Q, L, W)
        asked = hidden + self.pair(context.pairs, context.offsets)  # (Q, W)
        scores = torch.einsum("qw,qlw->ql", self.query(asked), self.key(tokens))
        scores = (scores / hidden.shape[1] ** 0.5).masked_fill(~chosen, -1e9)
        weight = torch.softmax(scores, dim=1) * chosen  # a shopper without history has none
        taste = torch.einsum("ql,qlw->qw", weight, tokens)
        moved: Tensor = asked + self.step(torch.cat([asked, taste], dim=1))
        return torch.where(context.known[:, None], moved, hidden)


def _sparse_table(rows: int, width: int) -> nn.EmbeddingBag:
    table = nn.EmbeddingBag(rows, width, mode="sum", sparse=True)
    nn.init.normal_(table.weight, std=width**-0.5)
    return table


@dataclass(frozen=True, eq=False)
class ShopItems:
    """What the history's items are made of.

    Attributes:
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        vectors: of the items, float32 `[N, D]`.
    """

    sid_of_item: NDArray[np.int64]
    vectors: NDArray[np.float32]


def make_context(items: ShopItems, histories: Bags, profiles: Bags, *, length: int) -> Context:
    """Put what is known of shoppers into tensors.

    Args:
        items: of the shop.
        histories: catalog rows that each of them chose, oldest first.
        profiles: numbers of each one's pairs.
        length: only so many of the latest are read.
    """
    counts = np.minimum(np.diff(histories.offsets), length)
    width = max(int(counts.max(initial=0)), 1)
    rows = np.full((len(counts), width), -1, dtype=np.int64)
    prompt = np.repeat(np.arange(len(counts)), counts)
    latest = ragged_ranges(histories.offsets[1:] - counts, counts)
    age = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(prompt))
    rows[prompt, age] = histories.ids[latest]
    known = (counts > 0) | (np.diff(profiles.offsets) > 0)
    return Context(
        leaves=torch.from_numpy(np.where(rows < 0, -1, items.sid_of_item[rows])),
        vectors=torch.from_numpy(items.vectors[rows]),
        pairs=torch.from_numpy(profiles.ids),
        offsets=torch.from_numpy(profiles.offsets[:-1]),
        known=torch.from_numpy(known),
    )


def context_of_prompts(
    prompts: Sequence[Prompt], items: ShopItems, pairs: Sequence[Pair], *, length: int
) -> Context | None:
    """What prompts say of their shoppers; None where they say nothing.

    A pair that training never saw is left out.
    """
    if not any(prompt.profile or prompt.history for prompt in prompts):
        return None
    number = {pair: place for place, pair in enumerate(pairs)}
    histories = [prompt.history for prompt in prompts]
    profiles = [[number[p] for p in prompt.profile if p in number] for prompt in prompts]
    return make_context(items, make_bags(histories), make_bags(profiles), length=length)
