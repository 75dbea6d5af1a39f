"""Clusters to look at: the largest, typical ones, those that mix categories, items far from theirs.

Kept as catalog rows in `examples.json` of the stage, apart from the figures of `metrics.json`;
whoever has the catalog adds the titles. Shapes: `N` items, `S` distinct SIDs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.foundation.artifact import Json
from genrecall.foundation.groups import squared_distances
from genrecall.foundation.ragged import ragged_offsets
from genrecall.foundation.sid import Sid, SidTable
from genrecall.quantize.health.figures import distances, purity_of_sids
from genrecall.quantize.quantizer import Vectors, sid_centroids

EXAMPLES: Final = "examples.json"
"""Where the stage writes them."""

_CLUSTERS: Final = 5
_MORE: Final = 10
_ROWS: Final = 5


def find_examples(
    table: SidTable, categories: NDArray[np.int32], *, latents: Vectors, seed: int
) -> Json:
    """Choose clusters and items to look at.

    Args:
        table: SID of each item.
        categories: category code of each item, int `[N]`, -1 where unknown.
        latents: of the same items, float32 `[N, d]`.
        seed: of the clusters that are drawn.

    Returns:
        Lists by name, each possibly empty:

        - `largest`: the SIDs with most items; of equals some that are drawn
        - `typical`: drawn from the SIDs between the quartiles of the sizes
        - `mixed`: the SIDs of whose items the largest category holds the least share, `purity`
        - `singletons`: drawn from the SIDs with one item
        - `far`: the items farthest from their SID, each with the SID's other items

        A SID is `{"sid", "items", "rows"}`: its string, how many items it has, and at most five of
        their catalog rows, nearest to their mean first. An item is `{"row", "sid", "distance",
        "rows"}`, see `health.distances`.
    """
    random = np.random.default_rng(seed)
    sizes, members = table.sizes, _Members(table, latents)
    largest = np.lexsort((random.random(len(sizes)), -sizes))[:_CLUSTERS]  # many may be full
    low, high = np.quantile(sizes, (0.25, 0.75))
    typical = np.flatnonzero((sizes >= low) & (sizes <= high))
    alone = np.flatnonzero(sizes == 1)
    sids, n_known, n_largest = purity_of_sids(table.sid_of_item, categories)
    purity = n_largest / n_known
    mixed = np.lexsort((-n_known, purity))[:_CLUSTERS]
    distance = distances(table, latents)
    far = np.argsort(-distance, kind="stable")[:_MORE]
    return {
        "largest": [members.sid(s) for s in largest.tolist()],
        "typical": [members.sid(s) for s in _draw(random, typical, _MORE)],
        "mixed": [
            members.sid(int(sids[at])) | {"purity": float(purity[at])}
            for at in mixed.tolist()
            if purity[at] < 1
        ],
        "singletons": [members.sid(s) for s in _draw(random, alone, _CLUSTERS)],
        "far": [members.item(row, float(distance[row])) for row in far.tolist() if distance[row]],
    }


def with_titles(examples: Json, titles: Sequence[str]) -> Json:
    """The same with `title` and `titles` in place of `row` and `rows`.

    Args:
        examples: what `find_examples` returned.
        titles: of each catalog row.
    """
    return {name: [_titled(one, titles) for one in found] for name, found in examples.items()}


def _titled(example: Json, titles: Sequence[str]) -> Json:
    named = {"title": titles[example["row"]]} if "row" in example else {}
    kept = {key: value for key, value in example.items() if key not in ("row", "rows")}
    return {**named, **kept, "titles": [titles[row] for row in example["rows"]]}


class _Members:
    """Looks up the items of a SID, nearest to their mean first."""

    def __init__(self, table: SidTable, latents: Vectors) -> None:
        self._sids, self._sid_of_item = table.sids, table.sid_of_item
        means = sid_centroids(latents, table)
        distance = squared_distances(latents, means, self._sid_of_item)
        self._order = np.lexsort((distance, self._sid_of_item))
        self._offsets = ragged_offsets(table.sizes)

    def sid(self, sid: int) -> Json:
        rows = self._rows(sid)
        return {"sid": self._name(sid), "items": len(rows), "rows": rows[:_ROWS].tolist()}

    def item(self, row: int, distance: float) -> Json:
        sid = int(self._sid_of_item[row])
        rows = self._rows(sid)
        others = rows[rows != row][:_ROWS].tolist()
        return {"row": row, "sid": self._name(sid), "distance": distance, "rows": others}

    def _rows(self, sid: int) -> NDArray[np.int64]:
        return self._order[self._offsets[sid] : self._offsets[sid + 1]]

    def _name(self, sid: int) -> str:
        return str(Sid(*self._sids[sid].tolist()))


def _draw(random: np.random.Generator, among: NDArray[np.int64], n: int) -> list[int]:
    drawn: list[int] = random.permutation(among)[:n].tolist()
    return drawn
