"""What calibrated scores are worth: whether they say the truth, and what answering less costs.

Shapes: `M` searches, `n` items of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from genrecall.data.tables import Rows
from genrecall.evaluate.bootstrap import SHARE, Bootstrap
from genrecall.evaluate.names import K, Metrics

FROM: Final = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Scores from which items are told of together, up to the next one."""

_AMONG: Final = (10, 100)

Shares = NDArray[np.float32]


def confidence_figures(
    answers: Sequence[Rows],
    said: Sequence[Shares],
    positives: Sequence[Rows],
    bootstrap: Bootstrap,
) -> Metrics:
    """Figures of scores that are meant as the share of such items that is relevant.

    - `auc@k`: how often the best score of an answer with a relevant item among its first `k` is
      above that of an answer without one; there where both are
    - `items`: for the items of a score from `from` up to the next: how many there are in an answer,
      what share of them the scores say is relevant, and what share is
    - `least`: what is left of the answers if items below a score are left out, by that score

    Args:
        answers: items of each search, best first, at most `K`.
        said: their scores, 0 to 1.
        positives: relevant items of each search, at least one.
        bootstrap: of the searches.
    """
    hits = [
        np.isin(rows, relevant).astype(np.float64)
        for rows, relevant in zip(answers, positives, strict=True)
    ]
    best = np.array([of_answer.max(initial=0.0) for of_answer in said], dtype=np.float64)
    figures: Metrics = {"items": [], "least": {}}
    for k in _AMONG:
        found = np.array([of_answer[:k].any() for of_answer in hits], dtype=np.bool_)
        if found.any() and not found.all():
            figures[f"auc@{k}"] = bootstrap.auc(best, found).to_json()
    targets = np.array([len(relevant) for relevant in positives], dtype=np.float64)
    for least, end in zip(FROM, (*FROM[1:], np.inf), strict=True):
        n, expected, relevant = (np.zeros(len(answers)) for _ in range(3))
        kept, recalled = np.zeros(len(answers)), np.zeros(len(answers))
        for search, (scores, hit) in enumerate(zip(said, hits, strict=True)):
            above, inside = scores >= least, (scores >= least) & (scores < end)
            n[search], kept[search] = inside.sum(), above.sum()
            expected[search], relevant[search] = scores[inside].sum(), hit[inside].sum()
            recalled[search] = hit[above].sum()
        if n.any():
            figures["items"].append(
                {
                    "from": least,
                    "candidates": bootstrap.mean(n).to_json(),
                    "said": bootstrap.ratio(expected, n, bounds=SHARE).to_json(),
                    "relevant": bootstrap.ratio(relevant, n, bounds=SHARE).to_json(),
                }
            )
        figures["least"][str(least)] = {
            f"recall@{K}": bootstrap.share(recalled / targets).to_json(),
            "candidates": bootstrap.mean(kept).to_json(),
            "zero_results": bootstrap.share((kept == 0).astype(np.float64)).to_json(),
        }
    return figures
