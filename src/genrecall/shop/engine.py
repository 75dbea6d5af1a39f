"""The search engine that the shop already has: words in common, and what sells.

It matches stems of the query with titles and category names, understands some but not all
synonyms and misspellings, and orders by match, score and chance, and if told by the taste of who
asks. So it misses some relevant items and shows some others, and the log that it leaves is biased
as real logs are. Recall channels may take the place of the words; then the order is the same, of
other candidates.

Shapes: `S` searches, `C` candidates of a query, `k` positions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple, Protocol

import numpy as np

from genrecall.shop.catalog import Floats, Numbers, ShopCatalog
from genrecall.shop.intent import Query
from genrecall.shop.products import BRANDS

UNDERSTOOD: Final = 0.75
"""Probability that the engine maps a query's synonyms and typos to the words of the titles."""

LEAST_MATCH: Final = 0.45
"""Items are shown if they match at least this share of the best match."""

SCORE_WEIGHT: Final = 0.15
"""Weight of the standardized log score in the order, beside a match between 0 and 1."""

NOISE: Final = 0.08
"""Standard deviation of what changes from one search to the next."""

_MOST_CELLS: Final = 4_000_000
"""Searches times candidates ranked at once, a bound on memory."""

_WORD: Final = re.compile(r"[a-z]+|\d+(?:[./-]\d+)*")


class Recalled(NamedTuple):
    """Candidates for a query.

    Attributes:
        rows: catalog rows, each once, int64 `[C]`.
        match: how well each matches, 0 to 1, float64 `[C]`.
        found_by: which channels found each, bit `i` for the `i`-th of `Recall.channels`, int64
            `[C]`.
    """

    rows: Numbers
    match: Floats
    found_by: Numbers


class Recall(Protocol):
    """Finds candidates in the place of the engine's words."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that are asked."""

    def __call__(self, texts: Sequence[str], /) -> Sequence[Recalled]:
        """Candidates for each of some distinct queries."""


def ask(recall: Recall, texts: Sequence[str]) -> dict[str, Recalled]:
    """Ask for the candidates of all queries at once.

    Raises:
        ValueError: another number of answers than of queries, or an item twice in one.
    """
    answers = recall(texts)
    if len(answers) != len(texts):
        raise ValueError(f"{len(answers)} answers to {len(texts)} queries; give one for each.")
    for text, answer in zip(texts, answers, strict=True):
        if len(np.unique(answer.rows)) < len(answer.rows):
            raise ValueError(f"an item stands twice in the answer to {text!r}; give each row once.")
    return dict(zip(texts, answers, strict=True))


def stems(text: str) -> list[str]:
    """Words and numbers of a text, without a plural s.

    >>> stems("Women's 18V Drills DX-4120, 1-1/4 in.")
    ['women', '18', 'v', 'drill', 'dx', '4120', '1-1/4', 'in']
    """
    words = _WORD.findall(text.lower().replace("'", ""))
    return [w[:-1] if len(w) > 3 and w.endswith("s") and w[-2] != "s" else w for w in words]


class Engine:
    """Answers queries with what matches best and sells best.

    Args:
        catalog: what can be shown.
        rng: chance.
        recalled: candidates of every query that will be asked, by its text; None to find them by
            the words in titles and categories.
        taste: what shoppers `[S, 1]` and rows `[1, C]` add to the merit of items, `[S, C]`; None
            where all are shown the same.
    """

    def __init__(
        self,
        catalog: ShopCatalog,
        rng: np.random.Generator,
        recalled: Mapping[str, Recalled] | None = None,
        taste: Callable[[Numbers, Numbers], Floats] | None = None,
    ) -> None:
        self._catalog, self._rng, self._recalled, self._taste = catalog, rng, recalled, taste
        log_score = np.log(catalog.score)
        self._score = (log_score - log_score.mean()) / log_score.std()

    @cached_property
    def _words(self) -> _Words:
        return _Words(self._catalog)

    def answer(self, query: Query, users: Numbers, times: Numbers, *, k: int) -> Numbers:
        """Items shown in each of a query's searches.

        Args:
            query: what was typed.
            users: who asked, `[S]`.
            times: when, in seconds since 1970, `[S]`.
            k: how many to show.

        Returns:
            Rows in the order shown, -1 where there are fewer than `k`: `[S, k]`.
        """
        rows, match = self._candidates(query)
        shown = np.full((len(times), k), -1, dtype=np.int64)
        if not len(rows):
            return shown
        merit = match + SCORE_WEIGHT * self._score[rows]
        searches_at_once = max(_MOST_CELLS // len(rows), 1)
        for first in range(0, len(times), searches_at_once):
            block = slice(first, first + searches_at_once)
            of_block = np.broadcast_to(merit, (len(times[block]), len(rows)))
            if self._taste is not None:
                of_block = of_block + self._taste(users[block, None], rows[None])
            found = self._best(rows, of_block, times[block])[:, :k]
            shown[block, : found.shape[1]] = found
        return shown

    def found_by(self, query: Query, shown: Numbers) -> Numbers:
        """Which channels found what is shown for a query, as `Recalled.found_by`.

        Args:
            query: what was typed.
            shown: rows of its candidates, -1 at empty positions, which get 0; of any shape.
        """
        of_row = np.zeros(len(self._catalog) + 1, dtype=np.int64)  # the last one is that of -1
        if self._recalled is not None:
            found = self._recalled[query.text]
            of_row[found.rows] = found.found_by
        return of_row[shown]

    def _candidates(self, query: Query) -> tuple[Numbers, Floats]:
        """Rows, and how well each matches, 0 to 1: `[C]`."""
        if self._recalled is not None:
            found = self._recalled[query.text]
            return found.rows, found.match
        understood = self._rng.random() < UNDERSTOOD
        return self._words.match(query.plain if understood else query.text)

    def _best(self, rows: Numbers, merit: Floats, times: Numbers) -> Numbers:
        """Rows in the order of merit and chance, -1 for those not on the shelf: `[S, C]`."""
        on_shelf = (self._catalog.entered[rows] <= times[:, None]) & (
            times[:, None] < self._catalog.left[rows]
        )
        rank = merit + self._rng.normal(0, NOISE, on_shelf.shape)
        rank[~on_shelf] = -np.inf
        order = np.argsort(-rank, axis=1)
        return np.where(np.take_along_axis(on_shelf, order, axis=1), rows[order], -1)


class _Words:
    """An inverted index over titles and categories."""

    def __init__(self, catalog: ShopCatalog) -> None:
        rows: dict[str, list[int]] = {}
        for row, draft in enumerate(catalog.drafts):
            text = [draft.title, BRANDS[draft.brand_of], *draft.values.values()]
            if catalog.listed[row]:
                text += catalog.types[draft.type_of].path
            for word in dict.fromkeys(stems(" ".join(text))):
                rows.setdefault(word, []).append(row)
        self._n = len(catalog)
        self._rows = {word: np.array(found) for word, found in rows.items()}
        self._idf = {word: np.log(1 + self._n / len(found)) for word, found in rows.items()}

    def match(self, text: str) -> tuple[Numbers, Floats]:
        """Rows that match well enough, and the share of the query's weight that they match."""
        total = np.zeros(self._n)
        weight = 0.0
        for word in dict.fromkeys(stems(text)):
            if word in self._rows:
                total[self._rows[word]] += self._idf[word]
                weight += self._idf[word]
        rows = np.flatnonzero(total >= max(LEAST_MATCH * total.max(), 1e-9))
        return rows, total[rows] / max(weight, 1e-9)
