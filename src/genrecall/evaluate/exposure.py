"""Measures of an aligned generator: does it generate what was shown, clicked and bought?

Per search, over the SIDs of its first beams, as in table 5 of arXiv 2605.14434. The paper does not
define pvr; `pvr@k` and `exposure_recall@k` are our two readings of it. A measure is taken over the
searches that have what it counts; the others have NaN.

Shapes: `M` searches, `B` beams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Searches
from genrecall.evaluate.measures import Floats, IntArray

AT: Final = (1, 10)
"""Beams at which clicks, exposures and purchases are looked for."""

MEASURES: Final = (
    *(f"{what}@{k}" for what in ("clk", "exp", "buy") for k in AT),
    f"pvr@{AT[-1]}",
    f"exposure_recall@{AT[-1]}",
)
"""All of them, by name."""


class ShownSids(NamedTuple):
    """SIDs of what a search's page showed and its shopper chose, of `M` searches.

    Attributes:
        exposed: distinct ones of the items shown, int64 `[n]` each; those of the others are among
            them.
        clicked: likewise of the items clicked or bought.
        bought: likewise of the items bought.
        exposed_items: the SID of each item shown, int64 `[items]` each.
    """

    exposed: Sequence[IntArray]
    clicked: Sequence[IntArray]
    bought: Sequence[IntArray]
    exposed_items: Sequence[IntArray]


def shown_sids(
    shown: Sequence[IntArray],
    chosen: Sequence[IntArray],
    bought: Sequence[NDArray[np.bool_]],
    sid_of_item: IntArray,
) -> ShownSids:
    """SIDs of catalog rows.

    Args:
        shown: rows on each search's page.
        chosen: rows clicked or bought.
        bought: which of these were bought.
        sid_of_item: position of each item's SID in the trie, int64 `[N]`.
    """
    seen = [
        np.union1d(rows, of_chosen).astype(np.int64)
        for rows, of_chosen in zip(shown, chosen, strict=True)
    ]
    sids = [sid_of_item[rows] for rows in seen]
    clicked = [sid_of_item[rows] for rows in chosen]
    return ShownSids(
        exposed=[np.unique(of_search) for of_search in sids],
        clicked=[np.unique(of_search) for of_search in clicked],
        bought=[np.unique(c[b]) for c, b in zip(clicked, bought, strict=True)],
        exposed_items=sids,
    )


def shown_in(searches: Searches, sid_of_item: IntArray) -> ShownSids:
    """SIDs of what was shown and chosen in searches."""
    frame = searches.frame
    return shown_sids(
        [rows.to_numpy() for rows in frame["impressions"]],
        searches.positives,
        [bought.to_numpy() for bought in frame["bought"]],
        sid_of_item,
    )


def exposure_measures(beams: IntArray, shown: ShownSids) -> dict[str, Floats]:
    """All measures of each search: float64 `[M]` by name, NaN where a search has nothing to count.

    - `clk@k`, `exp@k`, `buy@k`: whether a clicked, shown, bought item's SID is among the first `k`
    - `pvr@k`: share of the first `k` beams that hold an item that was shown
    - `exposure_recall@k`: share of the items shown whose SID is among the first `k`

    Args:
        beams: SID positions, best first, each once, `[M, B]` with `B ≥ 10`; negative is padding.
        shown: of the same searches.

    >>> shown = ShownSids(*([np.array(sids)] for sids in ([3, 5], [5], [], [3, 3, 5])))
    >>> found = exposure_measures(np.array([[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]), shown)
    >>> {name: values.tolist()[0] for name, values in found.items()}
    {'clk@1': 0.0, 'clk@10': 1.0, 'exp@1': 1.0, 'exp@10': 1.0, 'buy@1': nan, 'buy@10': nan, 'pvr@10': 0.2, 'exposure_recall@10': 1.0}
    """  # noqa: E501
    most = AT[-1]
    among = {
        name: _among(beams[:, :most], getattr(shown, field))
        for name, field in (("clk", "clicked"), ("exp", "exposed"), ("buy", "bought"))
    }
    counted = {
        name: np.array([len(sids) > 0 for sids in getattr(shown, field)])
        for name, field in (("clk", "clicked"), ("exp", "exposed"), ("buy", "bought"))
    }
    found: dict[str, Floats] = {}
    for name, hits in among.items():
        for k in AT:
            hit = hits[:, :k].any(axis=1).astype(np.float64)
            found[f"{name}@{k}"] = np.where(counted[name], hit, np.nan)
    share = among["exp"].sum(axis=1) / most
    found[f"pvr@{most}"] = np.where(counted["exp"], share, np.nan)
    recalled = [
        np.isin(items, of_search[:most]).mean() if len(items) else np.nan
        for items, of_search in zip(shown.exposed_items, beams, strict=True)
    ]
    found[f"exposure_recall@{most}"] = np.array(recalled, dtype=np.float64)
    return found


def _among(beams: IntArray, sids: Sequence[IntArray]) -> NDArray[np.bool_]:
    """Which beams are among each search's SIDs: `[M, B]` to bool `[M, B]`."""
    found = [np.isin(of_search, wanted) for of_search, wanted in zip(beams, sids, strict=True)]
    return np.array(found, dtype=np.bool_).reshape(beams.shape)
