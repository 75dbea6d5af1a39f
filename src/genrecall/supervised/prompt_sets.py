"""What the generator learns from: prompts and the items whose SIDs it should generate for them.

Five sources: titles with their own item (stage item→SID); logged or judged queries with their
relevant items; two with soft targets, the dense channel's best items, which share the weight by a
softmax: pseudo-queries, words of a title, whose own item keeps a fixed part, and queries of which
nobody knows what is relevant; and single searches with their shopper (stage user+query→SID).

Shapes: `n` prompts, `total` targets of all prompts, `B` prompts of a batch, `T` targets drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.data.pairs import LoggedPairs
from genrecall.embed.views import Views
from genrecall.foundation.ragged import Bags, ragged_offsets, ragged_owners, take_bags
from genrecall.generator.config import GeneratorConfig
from genrecall.generator.prompts import ITEM, QUERY
from genrecall.learning.near import nearest
from genrecall.learning.sampling import draw_in_runs, draw_weighted, running_sums
from genrecall.native.arrays import Numbers
from genrecall.supervised.shoppers import KnownShoppers
from genrecall.text.distinct import distinct
from genrecall.text.fragments import draw_fragments
from genrecall.text.slips import mistype_words
from genrecall.text.subwords import SubwordTokenizer, Words

_LISTED: Final = 1 << 17  # items from which on teachers are looked for in lists
_SEARCHED: Final = 64  # which hold .98 of the weight of the best 32 of 100,000
_LEAST_UNLABELLED: Final = 1000  # that are read of each shop, however few pseudo-queries it makes


class Targets(NamedTuple):
    """Items whose SIDs each prompt should generate.

    Attributes:
        items: catalog rows, int64 `[total]`.
        cumulative: running sum of the weights over all targets, float64 `[total + 1]`.
        offsets: where each prompt's targets start, int64 `[n + 1]`.
    """

    items: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    offsets: NDArray[np.int64]

    def draw(
        self, prompts: NDArray[np.int64], count: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw items by weight: prompts `[B]` to catalog rows `[B, T]`."""
        return self.items[draw_in_runs(self.cumulative, self.offsets, prompts, count, rng)]


@dataclass(frozen=True, eq=False)
class PromptSet:
    """Prompts of one source.

    Attributes:
        texts: what is read, `[n]`.
        kind: `ITEM` or `QUERY`.
        targets: what they should generate.
        weight: running sum of how often to draw each prompt, float64 `[n]`.
        made_of: the item that each prompt's words come from, int64 `[n]`; None for queries that
            shoppers typed.
        cut: makes the features of the prompts.
        shoppers: who made each search; None where prompts are no searches.
        gather: makes the features of some, where that is little work; else all are made and kept.
    """

    texts: Sequence[str]
    kind: str
    targets: Targets
    weight: NDArray[np.float64]
    made_of: NDArray[np.int64] | None
    cut: Callable[[], Bags]
    shoppers: KnownShoppers | None = None
    gather: Callable[[NDArray[np.int64]], Bags] | None = None

    def __len__(self) -> int:
        return len(self.weight)

    @cached_property
    def bags(self) -> Bags:
        """Features of the prompts, as the compact family reads them; made when first needed."""
        return self.cut()

    def bags_of(self, prompts: NDArray[np.int64]) -> Bags:
        """Features of some prompts."""
        return take_bags(self.bags, prompts) if self.gather is None else self.gather(prompts)

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw prompts by weight."""
        return draw_weighted(self.weight, count, rng)


def make_targets(
    items: NDArray[np.int64], weights: NDArray[np.float64], offsets: NDArray[np.int64]
) -> Targets:
    """Targets of prompts that lie one after another."""
    return Targets(items, running_sums(weights), offsets)


def title_prompts(tokenizer: SubwordTokenizer, words: Words, titles: Sequence[str]) -> PromptSet:
    """Stage item→SID: each title generates its item's SID.

    Args:
        tokenizer: has cut the titles.
        words: of the titles.
        titles: of all items, `[N]`.
    """
    every = np.arange(len(titles) + 1, dtype=np.int64)
    return PromptSet(
        texts=titles,
        kind=ITEM,
        targets=make_targets(every[:-1], np.ones(len(titles)), every),
        weight=np.arange(1.0, len(titles) + 1),
        made_of=every[:-1],
        cut=lambda: tokenizer.gather_texts(words, every[:-1]),
        gather=lambda chosen: tokenizer.gather_texts(words, chosen),
    )


def logged_prompts(
    tokenizer: SubwordTokenizer, queries: Sequence[str], pairs: LoggedPairs
) -> PromptSet:
    """Stage query→SID: each query generates the SIDs of its relevant items.

    Args:
        tokenizer: cuts queries into features.
        queries: distinct training queries.
        pairs: which item was relevant to which query.
    """
    order = np.argsort(pairs.query, kind="stable")
    query, item, weight = pairs.query[order], pairs.item[order], pairs.weight[order]
    counts = np.bincount(query, minlength=len(queries))
    per_query = np.bincount(query, weights=weight, minlength=len(queries))
    return PromptSet(
        texts=queries,
        kind=QUERY,
        targets=make_targets(item, weight, ragged_offsets(counts)),
        weight=np.cumsum(np.sqrt(per_query)),
        made_of=None,
        cut=lambda: tokenizer.bags(queries, typed=True),
    )


def shopper_prompts(tokenizer: SubwordTokenizer, shoppers: KnownShoppers) -> PromptSet:
    """Stage user+query→SID: each search generates the SIDs of what its shopper chose.

    Args:
        tokenizer: cuts queries into features.
        shoppers: the searches, and what was known at each of them.
    """
    searches = shoppers.searches

    def cut() -> Bags:
        queries = distinct(searches.queries)
        return take_bags(tokenizer.bags(queries.texts, typed=True), queries.number)

    counts = searches.frame["positives"].list.len().to_numpy()
    gains = np.concatenate(searches.gains).astype(np.float64)
    per_search = np.add.reduceat(gains, ragged_offsets(counts)[:-1])
    return PromptSet(
        texts=searches.queries,
        kind=QUERY,
        targets=make_targets(
            np.concatenate(searches.positives).astype(np.int64), gains, ragged_offsets(counts)
        ),
        weight=np.cumsum(np.sqrt(per_search)),
        made_of=None,
        cut=cut,
        shoppers=shoppers,
    )


def pseudo_prompts(
    encoder: Views,
    titles: Words,
    *,
    texts: Sequence[str],
    item_vectors: Numbers,
    config: GeneratorConfig,
    rng: np.random.Generator,
) -> PromptSet:
    """Pseudo-queries from titles with soft targets from the dense channel.

    Args:
        encoder: for features and the dense channel.
        titles: of the items, cut into words.
        texts: the same titles, `[N]`.
        item_vectors: `[N, D]`.
        config: how many, and how soft.
        rng: where chance comes from.
    """
    count, n_items = config.pseudo_queries, len(titles)
    items = rng.permutation(np.arange(count) % n_items)
    fragments = draw_fragments(titles, items, rng)
    tokenizer = encoder.tokenizer
    queries = _spell(fragments, items, titles, texts, tokenizer)
    best, soft = _soft_targets(encoder, queries, item_vectors, config)
    soft *= 1.0 - config.own_item_weight
    own = np.full((count, 1), config.own_item_weight)
    # What is meant is taught by the words as they are, to those who read them as they are typed.
    typed = [mistype_words(query, config.slips, rng) for query in queries]
    return PromptSet(
        texts=typed,
        kind=QUERY,
        targets=make_targets(
            np.concatenate([items[:, None], best], axis=1).reshape(-1),
            np.concatenate([own, soft], axis=1).reshape(-1),
            np.arange(count + 1, dtype=np.int64) * (best.shape[1] + 1),
        ),
        weight=np.arange(1.0, count + 1),
        made_of=items,
        cut=lambda: tokenizer.bags(typed, typed=True),
    )


def unlabelled_prompts(
    encoder: Views,
    queries: Sequence[str],
    *,
    item_vectors: Numbers,
    config: GeneratorConfig,
) -> PromptSet:
    """Queries of which nobody knows what is relevant, with soft targets from the dense channel.

    Those in which no view reads anything find nothing and are left out. Of more than there are
    pseudo-queries, which cost as much, so many are taken, evenly in their order.

    Args:
        encoder: for features and the dense channel.
        queries: distinct ones.
        item_vectors: `[N, D]`.
        config: how many, and how soft.
    """
    most = max(config.pseudo_queries, _LEAST_UNLABELLED)
    if len(queries) > most:
        queries = [queries[place] for place in np.linspace(0, len(queries) - 1, most, dtype=int)]
    known = np.diff(encoder.tokenizer.bags(queries, typed=True).offsets) > 0
    queries = [query for query, reads in zip(queries, known, strict=True) if reads]
    best, soft = _soft_targets(encoder, queries, item_vectors, config)
    return PromptSet(
        texts=queries,
        kind=QUERY,
        targets=make_targets(
            best.reshape(-1),
            soft.reshape(-1),
            np.arange(len(queries) + 1, dtype=np.int64) * best.shape[1],
        ),
        weight=np.arange(1.0, len(queries) + 1),
        made_of=None,
        cut=lambda: encoder.tokenizer.bags(queries, typed=True),
    )


class _Soft(NamedTuple):
    items: NDArray[np.int64]
    weights: NDArray[np.float64]


def _soft_targets(
    encoder: Views,
    queries: Sequence[str],
    item_vectors: Numbers,
    config: GeneratorConfig,
) -> _Soft:
    """The dense channel's best items, and their weights, which sum to one: `[n, best]` both."""
    best, similarity = nearest(
        encoder.encode(queries),
        item_vectors,
        min(config.teacher_items, len(item_vectors)),
        by="product",
        least=_LISTED,
        searched=_SEARCHED,
    )
    soft = np.exp((similarity - similarity[:, :1]) / config.teacher_temperature).astype(np.float64)
    return _Soft(best, soft / soft.sum(axis=1, keepdims=True))


def _spell(
    fragments: Bags,
    items: NDArray[np.int64],
    titles: Words,
    texts: Sequence[str],
    tokenizer: SubwordTokenizer,
) -> list[str]:
    """The words of fragments; of the titles that they are made of, and no others, words are kept.

    Args:
        fragments: numbers of words among those of all titles, `n` lists.
        items: the title that each fragment is made of, int64 `[n]`.
        titles: all of them, cut into words.
        texts: the same, `[N]`.
        tokenizer: has cut them.
    """
    used, place = np.unique(items, return_inverse=True)
    words = tokenizer.known_words([texts[item] for item in used.tolist()])
    starts = titles.word_offsets[used]
    moved = ragged_offsets(titles.word_offsets[used + 1] - starts)[:-1] - starts
    numbers = fragments.ids + moved[place][ragged_owners(fragments.counts)]
    chosen = [words[number] for number in numbers.tolist()]
    return [" ".join(chosen[a:b]) for a, b in itertools.pairwise(fragments.offsets.tolist())]
