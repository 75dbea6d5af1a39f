"""The search engine that the shop already has: words in common, and what sells.

It matches stems of the query with titles and category names, understands some but not all
synonyms and misspellings, and orders by match, score and chance. So it misses some relevant items
and shows some others, and the log that it leaves is biased as real logs are.
"""

from __future__ import annotations

import re
from typing import Final

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


def stems(text: str) -> list[str]:
    """Words and numbers of a text, without a plural s.

    >>> stems("Women's 18V Drills DX-4120, 1-1/4 in.")
    ['women', '18', 'v', 'drill', 'dx', '4120', '1-1/4', 'in']
    """
    words = _WORD.findall(text.lower().replace("'", ""))
    return [w[:-1] if len(w) > 3 and w.endswith("s") and w[-2] != "s" else w for w in words]


class Engine:
    """Answers queries from an inverted index over titles and categories."""

    def __init__(self, catalog: ShopCatalog, rng: np.random.Generator) -> None:
        self._catalog, self._rng = catalog, rng
        log_score = np.log(catalog.score)
        self._score = (log_score - log_score.mean()) / log_score.std()
        rows: dict[str, list[int]] = {}
        for row, draft in enumerate(catalog.drafts):
            text = [draft.title, BRANDS[draft.brand_of], *draft.values.values()]
            if catalog.listed[row]:
                text += catalog.types[draft.type_of].path
            for word in dict.fromkeys(stems(" ".join(text))):
                rows.setdefault(word, []).append(row)
        self._rows = {word: np.array(found) for word, found in rows.items()}
        n = len(catalog)
        self._idf = {word: np.log(1 + n / len(found)) for word, found in rows.items()}

    def answer(self, query: Query, times: Numbers, *, k: int) -> Numbers:
        """Items shown in each of a query's searches.

        Args:
            query: what was typed.
            times: when, in seconds since 1970, `[S]`.
            k: how many to show.

        Returns:
            Rows in the order shown, -1 where there are fewer than `k`: `[S, k]`.
        """
        understood = self._rng.random() < UNDERSTOOD
        rows, match = self._match(query.plain if understood else query.text)
        shown = np.full((len(times), k), -1, dtype=np.int64)
        if not len(rows):
            return shown
        merit = match + SCORE_WEIGHT * self._score[rows]
        searches_at_once = max(_MOST_CELLS // len(rows), 1)
        for first in range(0, len(times), searches_at_once):
            block = slice(first, first + searches_at_once)
            found = self._best(rows, merit, times[block])[:, :k]
            shown[block, : found.shape[1]] = found
        return shown

    def _best(self, rows: Numbers, merit: Floats, times: Numbers) -> Numbers:
        """Rows in the order of merit and chance, -1 for those not on the shelf: `[S, C]`."""
        on_shelf = (self._catalog.entered[rows] <= times[:, None]) & (
            times[:, None] < self._catalog.left[rows]
        )
        rank = merit + self._rng.normal(0, NOISE, on_shelf.shape)
        rank[~on_shelf] = -np.inf
        order = np.argsort(-rank, axis=1)
        return np.where(np.take_along_axis(on_shelf, order, axis=1), rows[order], -1)

    def _match(self, text: str) -> tuple[Numbers, Floats]:
        """Rows that match well enough, and the share of the query's weight that they match."""
        total = np.zeros(len(self._catalog))
        weight = 0.0
        for word in dict.fromkeys(stems(text)):
            if word in self._rows:
                total[self._rows[word]] += self._idf[word]
                weight += self._idf[word]
        rows = np.flatnonzero(total >= max(LEAST_MATCH * total.max(), 1e-9))
        return rows, total[rows] / max(weight, 1e-9)
