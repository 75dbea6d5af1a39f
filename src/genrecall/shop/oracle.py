"""What can be known at most about a search of the synthetic shop: its expected clicks by item.

A search is made again many times: the shop's own engine answers it, with other chance, and for
every item shown the simulation tells how likely it is to be looked at and clicked. So the sums are
what the clicks would be on average.

Shapes: `M` searches, `N` items, `S` repetitions of a search, `k` positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.shop.browsing import click_chance
from genrecall.shop.catalog import Numbers
from genrecall.shop.config import ShopConfig
from genrecall.shop.engine import Engine, Recall, ask
from genrecall.shop.intent import Query
from genrecall.shop.log import UserChoice, appeal, ranker_taste
from genrecall.shop.make import Shop

REPETITIONS: Final = 300

_CHANCE: Final = 4  # a stream of chance beside those that made the shop


class ExpectedClicks(NamedTuple):
    """Clicks to expect on each item when a search is made.

    Attributes:
        by_anyone: asked by one of all who might ask this query, float32 `[M, N]`.
        by_shopper: asked by the one who did, float32 `[M, N]`.
    """

    by_anyone: NDArray[np.float32]
    by_shopper: NDArray[np.float32]


def expected_clicks(
    shop: Shop,
    config: ShopConfig,
    searches: Sequence[int],
    *,
    repetitions: int = REPETITIONS,
    recall: Recall | None = None,
) -> ExpectedClicks:
    """Make searches of the log again.

    Args:
        shop: everything about it.
        config: what it was made with.
        searches: numbers of searches in its log, `[M]`.
        repetitions: `S`.
        recall: what the log was made with.
    """
    rng = np.random.default_rng([config.seed, _CHANCE])
    recalled = None
    if recall is not None:
        texts = (shop.queries[shop.log.query[number]].text for number in searches)
        recalled = ask(recall, list(dict.fromkeys(texts)))
    engine = Engine(shop.catalog, rng, recalled, ranker_taste(shop.catalog, shop.shoppers, config))
    drawn = UserChoice(shop.catalog, shop.shoppers, rng)
    log = shop.log
    sums = np.zeros((2, len(searches), len(shop.catalog)), dtype=np.float32)
    for place, number in enumerate(searches):
        query, user = shop.queries[log.query[number]], log.user[number]
        times = np.full(repetitions, log.time[number])
        the_one = np.full(repetitions, user)

        def show(
            users: Numbers, query: Query = query, times: Numbers = times, number: int = number
        ) -> Numbers:
            if recall is not None:
                return engine.answer(query, users, times, k=config.impressions)
            return _answers(engine, query, users, times, seen=log.shown[number])

        shown = show(the_one)  # (S, k)
        anyone = drawn.users(query.intent, repetitions)
        for kind, users in enumerate((the_one, anyone)):
            if kind and config.personal_ranking:
                shown = show(users)
            meant = drawn.types_in_mind(query.intent, users)
            appealing = appeal(
                shop.catalog, shop.shoppers, query.intent, users=users, meant=meant, shown=shown
            )
            chance = click_chance(appealing, config)
            there = shown >= 0
            clicks = np.bincount(shown[there], weights=chance[there], minlength=len(shop.catalog))
            sums[kind, place] = clicks / repetitions
    return ExpectedClicks(by_anyone=sums[1], by_shopper=sums[0])


def _answers(
    engine: Engine, query: Query, users: Numbers, times: Numbers, *, seen: Numbers
) -> Numbers:
    """Rows that the engine's words show, `[S, k]`.

    They either understand a query's synonyms and typos or do not, all through the log: what the
    shopper has `seen`, `[k]`, tells which.
    """
    answers = [
        engine.answer(replace(query, text=words, plain=words), users, times, k=len(seen))
        for words in dict.fromkeys((query.plain, query.text))
    ]
    return max(answers, key=lambda shown: int(np.isin(seen, shown).sum()))
