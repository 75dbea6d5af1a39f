"""Single queries of an evaluation: won and lost by the generative channel, by part, to be searched.

Shapes: `M` searches, `n` distinct requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.base import Request
from genrecall.data.filters.items import describe_filters
from genrecall.data.tables import Catalog, Rows
from genrecall.evaluate.bootstrap import DIFFERENCE, Bootstrap
from genrecall.evaluate.inputs import EvaluationInputs, unit_groups
from genrecall.evaluate.measures import Floats, recall, target_ranks
from genrecall.evaluate.names import GENERATIVE, JOIN
from genrecall.offline.requests import DistinctRequests
from genrecall.report.clusters import shorten
from genrecall.text.normalize import read_words

WITHOUT: Final = JOIN.join(("bm25", "dense"))
"""What a shop has; the same with the generative channel is compared with it query by query."""
WITH: Final = JOIN.join((WITHOUT, GENERATIVE))

SHOWN: Final = 10
"""Items of an answer, and queries won and lost at most."""

MOST_QUERIES: Final = 2000
"""In the list to be searched; of more some are drawn."""

MOST_PARTS: Final = 20
"""Of a kind: categories, or fields that were filtered by."""

CATEGORY: Final = "category"
WORDS: Final = "words of the query"
FILTER: Final = "filter"
"""Kinds of parts."""

LONGEST: Final = 4
"""Words of a query, from which on queries are one part."""

NO_CATEGORY: Final = "no category"
NO_FILTER: Final = "no filter"


class Asked(NamedTuple):
    """What was asked and found.

    Attributes:
        inputs: of the evaluation.
        requests: the distinct ones, and which of them each search made.
        catalog: the items.
        sids: codes of each item, int `[N, 3]`.
        seed: of what is drawn.
    """

    inputs: EvaluationInputs
    requests: DistinctRequests
    catalog: Catalog
    sids: NDArray[np.integer[Any]]
    seed: int


def won_and_lost(asked: Asked) -> dict[str, Any]:
    """Queries whose first items got better, and worse, by the generative channel.

    By recall among the first `SHOWN` items of the fusion with it less that without it; the largest
    differences first, ties by lot. Of the requests of one query, by different shoppers, only the
    first is shown among those won, and among those lost.

    Returns:
        `with`, `without` [names], `at`; how many requests are `won`, `lost`, `equal`; `queries`
        {won, lost}, of each `query`, whether it is by a known `shopper`, `searches`, `relevant`,
        `recall` {with, without} and `answers` {with, without}: [`title`, `sid`, `relevant`, and
        whether the other answer `shared` it]. Empty where these fusions were not measured.
    """
    channels = asked.inputs.channels
    if not {WITH, WITHOUT} <= set(channels):
        return {}
    means = {name: _by_request(asked, _recalls(asked, name, SHOWN)) for name in (WITH, WITHOUT)}
    gain = means[WITH] - means[WITHOUT]
    by_lot = np.random.default_rng(asked.seed).permutation(len(gain))
    ordered = by_lot[np.argsort(-gain[by_lot], kind="stable")]
    won, lost = ordered[gain[ordered] > 0], ordered[gain[ordered] < 0][::-1]

    def shown(request: int) -> dict[str, Any]:
        return _described(asked, request) | {
            "recall": {
                "with": float(means[WITH][request]),
                "without": float(means[WITHOUT][request]),
            }
        }

    return {
        "with": WITH,
        "without": WITHOUT,
        "at": SHOWN,
        "won": len(won),
        "lost": len(lost),
        "equal": len(gain) - len(won) - len(lost),
        "queries": {
            "won": [shown(request) for request in _first_of_queries(asked, won)],
            "lost": [shown(request) for request in _first_of_queries(asked, lost)],
        },
    }


def query_list(asked: Asked) -> dict[str, Any]:
    """The measured queries with their category and recall@100, to be searched in the page.

    Returns:
        `channels` [names], `of`: how many queries there are; `rows` [query, category, searches,
        recall@100 of each channel], the most frequent queries first.
    """
    queries = [request.query for request in asked.requests.distinct]
    searches: dict[str, list[int]] = {}
    for search, place in enumerate(asked.requests.place.tolist()):
        searches.setdefault(queries[place], []).append(search)
    names = _compared(asked)
    found = {name: _recalls(asked, name, 100) for name in names}
    categories = _categories(asked)
    chosen = sorted(searches)
    if len(chosen) > MOST_QUERIES:
        drawn = np.random.default_rng(asked.seed).choice(len(chosen), MOST_QUERIES, replace=False)
        chosen = [chosen[place] for place in np.sort(drawn).tolist()]
    chosen.sort(key=lambda query: -len(searches[query]))
    return {
        "channels": names,
        "of": len(searches),
        "rows": [
            [
                shorten(query),
                _most_frequent(" > ".join(categories[search]) for search in searches[query]),
                len(searches[query]),
                *(round(float(found[name][searches[query]].mean()), 3) for name in names),
            ]
            for query in chosen
        ],
    }


def parts(asked: Asked) -> list[dict[str, Any]]:
    """The searches by category of their relevant items, by words of their query and by filters.

    A search with several filters is in the part of each field.

    Returns:
        For each kind of part its `kind`, `channels` [names] and `parts` [`name`, `searches`,
        `figures` {channel: recall@100}, `paired`: that with the generative channel less that
        without it, where both were measured], but for words the largest ones first.
    """
    categories = _categories(asked)
    depth = _splits_at(categories)
    asked_of = asked.requests.spread(asked.requests.distinct)
    of_search: dict[str, list[Collection[str]]] = {
        CATEGORY: [(" > ".join(path[:depth]),) for path in categories],
        WORDS: [(_length(request.query),) for request in asked_of],
        FILTER: [tuple(request.filters or (NO_FILTER,)) for request in asked_of],
    }
    found = []
    for kind, of_kind in of_search.items():
        counts = Counter(name for names in of_kind for name in names)
        largest = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_PARTS]
        ordered = sorted(counts) if kind == WORDS else largest
        if len(ordered) > 1:
            made = [
                _part(asked, name, np.array([name in names for names in of_kind]))
                for name in ordered
            ]
            found.append({"kind": kind, "channels": _compared(asked), "parts": made})
    return found


def _part(asked: Asked, name: str, mask: NDArray[np.bool_]) -> dict[str, Any]:
    groups = unit_groups(asked.inputs)[mask]
    bootstrap = Bootstrap(int(mask.sum()), groups=groups, seed=asked.inputs.seed)
    found = {channel: _recalls(asked, channel, 100)[mask] for channel in _compared(asked)}
    part: dict[str, Any] = {
        "name": name,
        "searches": int(mask.sum()),
        "figures": {
            channel: bootstrap.share(values).to_json() for channel, values in found.items()
        },
    }
    if {WITH, WITHOUT} <= set(found):
        gain = bootstrap.mean(found[WITH] - found[WITHOUT], bounds=DIFFERENCE)
        part["paired"] = gain.to_json()
    return part


def described(request: Request) -> str:
    """A request's query, and what it was filtered by.

    >>> described(Request("drill", filters={"brand": "Acme"}))
    "drill · brand 'Acme'"
    """
    query = shorten(request.query)
    return f"{query} · {shorten(describe_filters(request.filters))}" if request.filters else query


def _first_of_queries(asked: Asked, requests: NDArray[np.int64]) -> list[int]:
    """The first request of each query, as it is told; `SHOWN` at most."""
    first: dict[str, int] = {}
    for request in requests.tolist():
        first.setdefault(described(asked.requests.distinct[request]), request)
        if len(first) == SHOWN:
            break
    return list(first.values())


def _described(asked: Asked, request: int) -> dict[str, Any]:
    searches = np.flatnonzero(asked.requests.place == request).tolist()
    relevant = np.unique(np.concatenate([asked.inputs.positives[search] for search in searches]))
    answers = {
        side: asked.inputs.channels[name][searches[0]][:SHOWN]
        for side, name in (("with", WITH), ("without", WITHOUT))
    }
    return {
        "query": described(asked.requests.distinct[request]),
        "shopper": asked.requests.distinct[request].shopper is not None,
        "searches": len(searches),
        "relevant": len(relevant),
        "answers": {
            side: [_item(asked, row, relevant, answers[other]) for row in answers[side].tolist()]
            for side, other in (("with", "without"), ("without", "with"))
        },
    }


def _item(asked: Asked, row: int, relevant: Rows, other: Rows) -> dict[str, Any]:
    return {
        "title": shorten(asked.catalog.titles[row]),
        "sid": asked.sids[row].tolist(),
        "relevant": bool(row in relevant),
        "shared": bool(row in other),
    }


def _compared(asked: Asked) -> list[str]:
    return [name for name in (GENERATIVE, WITHOUT, WITH) if name in asked.inputs.channels]


def _recalls(asked: Asked, channel: str, k: int) -> Floats:
    """Of each search, `[M]`."""
    return recall(target_ranks(asked.inputs.channels[channel], asked.inputs.positives), k)


def _by_request(asked: Asked, values: Floats) -> Floats:
    """Means over the searches of each distinct request, `[n]`."""
    place, n = asked.requests.place, len(asked.requests.distinct)
    means: Floats = np.bincount(place, weights=values, minlength=n) / np.bincount(
        place, minlength=n
    )
    return means


def _categories(asked: Asked) -> list[tuple[str, ...]]:
    """The most frequent category path of each search's relevant items."""
    paths = asked.catalog.categories
    return [
        _most_frequent(paths[row] or (NO_CATEGORY,) for row in rows.tolist())
        for rows in asked.inputs.positives
    ]


def _splits_at(paths: Sequence[tuple[str, ...]]) -> int:
    """How many steps of the paths tell them apart: all may be under one root."""
    known = [path for path in paths if path != (NO_CATEGORY,)]
    longest = max((len(path) for path in known), default=1)
    return next((d for d in range(1, longest) if len({path[:d] for path in known}) > 1), longest)


def _length(query: str) -> str:
    n = len(read_words(query, "none"))
    return f"{LONGEST} or more" if n >= LONGEST else str(n)


def _most_frequent(values: Any) -> Any:
    """The first of the most frequent ones."""
    return Counter(values).most_common(1)[0][0]


def contest_of(asked: Asked) -> dict[str, Any]:
    """All of the above by its name in the page's data, what is empty left out."""
    found = {"contest": won_and_lost(asked), "queries": query_list(asked), "parts": parts(asked)}
    return {name: value for name, value in found.items() if value}
