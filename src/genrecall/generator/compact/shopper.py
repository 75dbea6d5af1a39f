"""How the compact family reads the shopper: profile and history move what a query means.

Each chosen item is a token `t_j`: an embedding of its SID, its views `v_j` projected, and how long
ago it was chosen. The query's hidden state `h` and views `q` attend to them, so what was chosen in
categories that have to do with the query counts and the rest does not (the near-line history of
CQ-SID, arXiv 2605.14434, §3.2, there chosen by a rule; with `generator/history.py` by both):

    h' = h + Σ profile,   a = softmax_j(W_q h' · W_k t_j / √W + β q · v_j)
    m  = MLP([h', Σ_j a_j t_j])
    h_out = h + U_h m,   q_out = normalize(q + γ Σ_j a_j v_j + U_q m)

`W_q`, `U_h` and `U_q` start at zero: before training a query moves towards what the shopper chose,
most towards what lies nearest to it. A shopper of whom nothing is known has neither profile nor
history; `m` then says what all shoppers mean by the query.

Only items that were chosen are computed: histories lie one behind the other, and most are short.

Shapes: `Q` prompts, `W` width, `D` size of views, `L` chosen items at most of a prompt, `C` of all,
`P` pairs of all profiles.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrecall.foundation.runs import log_softmax_runs, sum_runs
from genrecall.foundation.steady import LayerNorm, for_columns, rows_of
from genrecall.generator.compact.context import Context

_NEARNESS: Final = 3.3  # at first an item 0.3 nearer to the query counts e times as much
_PULL: Final = 0.5  # at first a query moves by half of what is near in the history
_SMALL: Final = 0.02  # of embeddings at first, beside states of length √W


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
        self.norm = LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.nearness = nn.Parameter(torch.tensor(_NEARNESS))  # β
        self.pull = nn.Parameter(torch.tensor(_PULL))  # γ
        self.step = nn.Sequential(LayerNorm(2 * width), nn.Linear(2 * width, width), nn.GELU())
        self.move_hidden = nn.Linear(width, width)
        self.move_views = nn.Linear(width, dim)
        for started in (self.age, self.query, self.move_hidden, self.move_views):
            for weight in started.parameters():
                nn.init.zeros_(weight)

    def forward(self, hidden: Tensor, views: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        """Queries to what these shoppers mean by them.

        Args:
            hidden: states of the queries, `[Q, W]`.
            views: of the queries, unit vectors, `[Q, D]`.
            context: their shoppers.

        Returns:
            Both moved, `[Q, W]` and `[Q, D]`.
        """
        leaves, chosen, prompt, age, counts, pairs, offsets = map(torch.from_numpy, context)
        leaf = self.leaf(leaves[:, None])
        tokens = self.norm(leaf + self.item(chosen) + self.age(age))  # (C, W)
        asked = hidden + self.pair(pairs, offsets[:-1])  # (Q, W)
        learned = (rows_of(self.query(asked), prompt) * self.key(tokens)).sum(1)
        near = (rows_of(views, prompt) * chosen * for_columns(self.nearness, views)).sum(1)
        scores = learned / hidden.shape[1] ** 0.5 + near  # (C)
        weight = log_softmax_runs(scores, counts).exp()[:, None]
        taste = sum_runs(weight * tokens, counts)
        step = self.step(torch.cat([asked, taste], dim=1))
        pulled = views + for_columns(self.pull, views) * sum_runs(weight * chosen, counts)
        return hidden + self.move_hidden(step), F.normalize(pulled + self.move_views(step), dim=1)


def _sparse_table(rows: int, width: int) -> nn.EmbeddingBag:
    table = nn.EmbeddingBag(rows, width, mode="sum", sparse=True)
    nn.init.normal_(table.weight, std=_SMALL)
    return table
