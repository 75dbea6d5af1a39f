"""The maps of a frozen view, learned on the shop's titles and log in seconds.

First both sides are turned by the second moments of the titles' vectors and cut, not centred:
cosines are what counts, and stay where nothing is cut. Then a residual on each side, `q + qA` and
`i + iB`, learns which items were relevant to which queries, by in-batch softmax.

Shapes: `N` items, `Q` distinct queries, `P` logged pairs, `R` size of what is read, `D` size of the
vectors.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from genrecall.data.pairs import LoggedPairs
from genrecall.embed.frozen import Maps, mapped
from genrecall.embed.losses import in_batch_loss
from genrecall.learning.optim import LinearDecay
from genrecall.learning.sampling import draw_weighted

_SEEN: Final = 50_000
"""Titles that decide how vectors are turned."""

_PASSES: Final = 4
"""Over the logged pairs."""

_MOST_STEPS: Final = 2000
_BATCH: Final = 1024
_RATE: Final = 1e-3
_TEMPERATURE: Final = 0.05

Vectors = NDArray[np.float32]


class Read(NamedTuple):
    """What a reader makes of a shop's texts.

    Attributes:
        items: of the titles, `[N, R]`.
        queries: of the training queries, `[Q, R]`.
    """

    items: Vectors
    queries: Vectors


def learn_maps(read: Read, pairs: LoggedPairs, *, dim: int | None, seed: int) -> Maps:
    """Turn what was read, and draw queries to their items.

    Args:
        read: of the shop's texts.
        pairs: which item was relevant to which query; may be empty.
        dim: size `D` at most; None for `R`.
        seed: same seed, same maps.
    """
    turned = _turned(read.items, dim)
    if not len(pairs.query):
        return Maps(turned, turned)
    torch.manual_seed(seed)
    size = turned.shape[1]
    residuals = [torch.zeros(size, size, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.AdamW(residuals, lr=_RATE, weight_decay=0.0)
    steps = min(_PASSES * len(pairs.query) // _BATCH + 1, _MOST_STEPS)
    decay, cumulative = LinearDecay(_RATE, steps), np.cumsum(pairs.weight)
    for step in range(steps):
        chosen = draw_weighted(cumulative, _BATCH, np.random.default_rng([seed, step]))
        query, item = pairs.query[chosen], pairs.item[chosen]
        sides = [
            torch.from_numpy(mapped(of, turned)) for of in (read.queries[query], read.items[item])
        ]
        drawn = [F.normalize(x + x @ by, dim=-1) for x, by in zip(sides, residuals, strict=True)]
        loss = in_batch_loss(
            *drawn,
            query_ids=torch.from_numpy(query),
            item_ids=torch.from_numpy(item),
            temperature=_TEMPERATURE,
        )
        for group in optimizer.param_groups:
            group["lr"] = decay.at(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    query_side, item_side = (turned + turned @ by.detach().numpy() for by in residuals)
    return Maps(query=query_side, item=item_side)


def _turned(vectors: Vectors, dim: int | None) -> Vectors:
    """The leading directions of vectors `[N, R]`, `[R, D]`."""
    size = vectors.shape[1]
    seen = vectors[:: max(len(vectors) // _SEEN, 1)].astype(np.float64)
    _, directions = np.linalg.eigh(seen.T @ seen)
    return np.ascontiguousarray(directions[:, ::-1][:, : dim or size], dtype=np.float32)
