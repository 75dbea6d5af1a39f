"""What is known of shoppers, as both forms of the compact family take it.

Shapes: `N` items, `Q` prompts, `D` size of views, `C` chosen items of all prompts, `P` pairs of all
profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.ragged import Bags, make_bags, ragged_owners, rank_in_run
from genrecall.generator.prompts import Pair, Prompt
from genrecall.index.item_views import ItemViews


class Context(NamedTuple):
    """What is known of the shoppers of `Q` prompts.

    Attributes:
        leaves: SIDs that they chose, as positions in the trie, each one's latest first, int64
            `[C]`.
        views: of the chosen items, float32 `[C, D]`.
        prompt: whose each of them is, int64 `[C]`.
        age: how many items its shopper chose after it, int64 `[C]`.
        counts: how many each shopper chose, int64 `[Q]`.
        pairs: numbers of the pairs of all profiles, int64 `[P]`.
        offsets: where each profile starts, and where the last ends, int64 `[Q + 1]`.
    """

    leaves: NDArray[np.int64]
    views: NDArray[np.float32]
    prompt: NDArray[np.int64]
    age: NDArray[np.int64]
    counts: NDArray[np.int64]
    pairs: NDArray[np.int64]
    offsets: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ShopItems:
    """What the history's items are made of.

    Attributes:
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
        views: of the items, unit vectors, `[N, D]`.
    """

    sid_of_item: NDArray[np.int64]
    views: NDArray[np.float32] | ItemViews


def make_context(items: ShopItems, histories: Bags, profiles: Bags, *, length: int) -> Context:
    """What is known of shoppers, in arrays.

    Args:
        items: of the shop.
        histories: catalog rows that each of them chose, oldest first.
        profiles: numbers of each one's pairs.
        length: only so many of the latest are read.
    """
    counts = np.minimum(histories.counts, length)
    prompt = ragged_owners(counts)
    age = rank_in_run(prompt)
    rows = histories.ids[histories.offsets[1:][prompt] - 1 - age]
    return Context(
        leaves=items.sid_of_item[rows],
        views=items.views[rows],
        prompt=prompt,
        age=age,
        counts=counts,
        pairs=profiles.ids,
        offsets=profiles.offsets,
    )


def context_of_prompts(
    prompts: Sequence[Prompt], items: ShopItems, pairs: Sequence[Pair], *, length: int
) -> Context:
    """What prompts say of their shoppers. A pair that training never saw is left out."""
    number = {pair: place for place, pair in enumerate(pairs)}
    histories = [prompt.history for prompt in prompts]
    profiles = [[number[p] for p in prompt.profile if p in number] for prompt in prompts]
    return make_context(items, make_bags(histories), make_bags(profiles), length=length)
