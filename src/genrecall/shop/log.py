"""The search log: who searched what and when, what was shown, clicked and bought.

A click takes three things: the shopper looks at the item, which `browsing.py` decides, it is what
was wanted, and it is to the shopper's taste. Shapes: `M` searches, `k` positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.shop.browsing import Chance, browse
from genrecall.shop.catalog import AUDIENCES, DAY, Floats, Numbers, ShopCatalog
from genrecall.shop.config import ShopConfig
from genrecall.shop.engine import Engine, Recall, ask
from genrecall.shop.intent import Intent, Query, relevance
from genrecall.shop.queries import popularity
from genrecall.shop.shoppers import AUDIENCE_FIT, Shoppers

OTHER_TYPE: Final = 0.3
"""Relevance that is left of an item which the query could mean, but the shopper did not."""

CURIOSITY: Final = 0.004
"""Relevance of an item that is nothing like what was wanted: people do click strange things."""

DECIDED: Final = 0.4
"""Power to which the attraction is raised, which brings it towards 1, for a shopper who asks for
one product by its name: the taste has spoken before the search."""

_WEEKDAYS: Final = (1.0, 0.9, 0.9, 0.95, 1.05, 1.3, 1.35)
_HOURS: Final = (
    8, 4, 3, 2, 2, 3, 8, 16, 26, 34, 40, 44, 48, 46, 44, 44, 46, 50, 58, 70, 76, 66, 42, 20,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SearchLog:
    """All searches in the order of time.

    Args:
        time: in seconds since 1970, `[M]`.
        user: number of the shopper, `[M]`.
        anonymous: whether the log does not know them, `[M]`.
        query: number of the query, `[M]`.
        shown: catalog rows in the order shown, -1 at empty positions, `[M, k]`.
        clicked: which were clicked, `[M, k]`.
        bought: which were bought, always clicked ones, `[M, k]`.
        channels: names of the recall channels that found what is shown; () where the words of the
            engine did.
        found_by: which of `channels` found each item shown, bit `i` for the `i`-th, 0 at empty
            positions, `[M, k]`; None where the words of the engine did.
    """

    time: Numbers
    user: Numbers
    anonymous: NDArray[np.bool_]
    query: Numbers
    shown: Numbers
    clicked: NDArray[np.bool_]
    bought: NDArray[np.bool_]
    channels: tuple[str, ...] = ()
    found_by: Numbers | None = None

    def __len__(self) -> int:
        return len(self.time)


def simulate(
    catalog: ShopCatalog,
    shoppers: Shoppers,
    queries: Sequence[Query],
    config: ShopConfig,
    rng: np.random.Generator,
    recall: Recall | None = None,
) -> SearchLog:
    """Let the shoppers search.

    Args:
        catalog: what is sold.
        shoppers: who searches.
        queries: what they may ask, the most frequent first.
        config: how large the log is and how they behave.
        rng: chance.
        recall: finds what the engine orders and shows; None for its words.
    """
    n, k = config.searches, config.impressions
    query = rng.choice(len(queries), n, p=popularity(len(queries), config))
    time = _times(catalog, [queries[number].intent for number in query], config, rng)
    order = np.argsort(time, kind="stable")
    query, time = query[order], time[order]
    asked = _by_value(query)
    texts = [queries[number].text for number, _ in asked]
    recalled = None if recall is None else ask(recall, texts)
    engine = Engine(catalog, rng, recalled, ranker_taste(catalog, shoppers, config))
    user = np.zeros(n, dtype=np.int64)
    shown = np.zeros((n, k), dtype=np.int64)
    found_by = None if recall is None else np.zeros((n, k), dtype=np.int64)
    appealing = np.zeros((n, k))
    drawn = UserChoice(catalog, shoppers, rng)
    for number, searches in asked:
        intent = queries[number].intent
        user[searches] = drawn.users(intent, len(searches))
        shown[searches] = engine.answer(queries[number], user[searches], time[searches], k=k)
        meant = drawn.types_in_mind(intent, user[searches])
        appealing[searches] = appeal(
            catalog, shoppers, intent, users=user[searches], meant=meant, shown=shown[searches]
        )
        if found_by is not None:
            found_by[searches] = engine.found_by(queries[number], shown[searches])
    # The order of the draws decides the bytes of every log.
    click, anonymous, buy = rng.random((n, k)), rng.random(n), rng.random((n, k))
    chance = Chance(click, buy, rng.random((n, k)) if config.shopper_model == "cascade" else None)
    browsed = browse(appealing, chance, config)
    return SearchLog(
        time=time,
        user=user,
        anonymous=anonymous < config.anonymous,
        query=query,
        shown=shown,
        clicked=browsed.clicked,
        bought=browsed.bought,
        channels=() if recall is None else recall.channels,
        found_by=found_by,
    )


def ranker_taste(
    catalog: ShopCatalog, shoppers: Shoppers, config: ShopConfig
) -> Callable[[Numbers, Numbers], Floats] | None:
    """What the shop's ranker knows of shoppers, as `Engine` takes it."""
    if not config.personal_ranking:
        return None
    return lambda users, rows: config.personal_ranking * shoppers.log_odds(catalog, users, rows)


def appeal(
    catalog: ShopCatalog,
    shoppers: Shoppers,
    intent: Intent,
    *,
    users: Numbers,
    meant: Numbers,
    shown: Numbers,
) -> Floats:
    """Probability that shoppers click what they are shown if they look at it: `[n, k]`.

    Args:
        catalog: the shop's items.
        shoppers: everybody.
        intent: what the query says.
        users: who asked, `[n]`.
        meant: the type that each of them thinks of, `[n]`.
        shown: catalog rows, `[n, k]`, -1 at empty positions, which nobody clicks.
    """
    relevant = _relevance_in_mind(catalog, intent, meant, shown)
    attraction = shoppers.attraction(catalog, users[:, None], shown)
    if intent.kind == "product":
        attraction **= DECIDED
    # At empty positions -1 reads some item.
    return np.where(shown >= 0, np.maximum(relevant, CURIOSITY) * attraction, 0.0)


def _times(
    catalog: ShopCatalog, intents: Sequence[Intent], config: ShopConfig, rng: np.random.Generator
) -> Numbers:
    """When each search happens; nobody asks for a product by name before it is there."""
    n = len(intents)
    first_weekday = (config.start // DAY + 3) % 7  # 1970 began on a Thursday, Monday is 0
    weekday = (first_weekday + np.arange(config.days)) % 7
    days = np.array(_WEEKDAYS)[weekday]
    hours = np.array(_HOURS, dtype=np.float64)
    day = rng.choice(config.days, n, p=days / days.sum())
    hour = rng.choice(24, n, p=hours / hours.sum())
    time = config.start + day * DAY + hour * 3_600 + rng.integers(0, 3_600, n)
    entry_of_product = np.zeros(int(catalog.product_of.max()) + 1, dtype=np.int64)
    entry_of_product[catalog.product_of] = catalog.entered
    asked = np.array([-1 if intent.product is None else intent.product for intent in intents])
    entered = np.where(asked < 0, config.start, entry_of_product[asked])
    end = config.start + config.days * DAY
    later = entered + (rng.random(n) * (end - entered)).astype(np.int64)
    times: Numbers = np.where(time < entered, later, time)
    return times


class UserChoice:
    """Draws who asks a query, by activity, interest and gender, and which type they think of."""

    def __init__(self, catalog: ShopCatalog, shoppers: Shoppers, rng: np.random.Generator) -> None:
        self._catalog, self._shoppers, self._rng = catalog, shoppers, rng
        self._cdfs: dict[tuple[tuple[int, ...], str], Floats] = {}
        fit = np.exp(AUDIENCE_FIT)[:, catalog.audience_of]
        sums = [np.bincount(catalog.type_of, of_gender) for of_gender in fit]
        self._fit_of_type = np.stack(sums) / np.bincount(catalog.type_of)
        self._demand = np.array([sold.kind.demand for sold in catalog.types])

    def users(self, intent: Intent, n: int) -> Numbers:
        """Who makes the `n` searches of a query."""
        audience = dict(intent.wanted).get("audience", "")
        key = (intent.types, audience)
        if key not in self._cdfs:
            groups = sorted({self._catalog.types[number].group for number in intent.types})
            fit = self._fit_of_type[:, list(intent.types)].mean(1)
            if audience:
                fit = np.exp(AUDIENCE_FIT[:, AUDIENCES.index(audience)])
            weight = self._shoppers.activity * self._shoppers.interest[:, groups].sum(1)
            self._cdfs[key] = np.cumsum(weight * fit[self._shoppers.gender])
        cdf = self._cdfs[key]
        at: Numbers = np.searchsorted(cdf, self._rng.random(n) * cdf[-1], side="right")
        return at.clip(max=len(cdf) - 1)

    def types_in_mind(self, intent: Intent, users: Numbers) -> Numbers:
        """The one type that each shopper thinks of."""
        types = np.array(intent.types)
        if len(types) == 1:
            return np.broadcast_to(types, users.shape)
        groups = self._catalog.group_of_type[types]
        weight = self._demand[types] * np.sqrt(self._shoppers.interest[users][:, groups])
        cdf = np.cumsum(weight, axis=1)
        draw = self._rng.random((len(users), 1)) * cdf[:, -1:]
        chosen: Numbers = types[np.minimum((cdf <= draw).sum(1), len(types) - 1)]
        return chosen


def _relevance_in_mind(
    catalog: ShopCatalog, intent: Intent, meant: Numbers, shown: Numbers
) -> Floats:
    grade = relevance(catalog, intent, shown)
    other = catalog.type_of[shown] != meant[:, None]
    return np.where(other, OTHER_TYPE * grade, grade) if len(intent.types) > 1 else grade


def _by_value(numbers: Numbers) -> list[tuple[int, Numbers]]:
    """Each distinct number with the positions where it stands."""
    order = np.argsort(numbers, kind="stable")
    values, starts = np.unique(numbers[order], return_index=True)
    return list(zip(values.tolist(), np.split(order, starts[1:]), strict=True))
