"""Fitting what share of the items of a score is relevant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.calibration import Calibration
from genrecall.foundation.ragged import run_starts
from genrecall.learning.likelihood import Choices

_LEAST_FOUND: Final = 20  # searches: fewer say nothing about shares
_STILL: Final = 1e-6  # what best scores differ by, as a share of the largest


def fit_calibration(
    choices: Choices, scores: NDArray[np.floating[Any]], positives: Sequence[NDArray[np.integer]]
) -> Calibration | None:
    """Log-odds of relevance by logistic regression on the score and the best score of the answer.

    Args:
        choices: first items of `M` searches, together `n`.
        scores: of them, `[n]`.
        positives: relevant items of each search.

    Returns:
        None where fewer than 20 searches have a relevant item or all items are, and where relevant
        ones score no higher.
    """
    # Recall does not wait for it.
    from sklearn.linear_model import LogisticRegression

    if not len(choices.rows):
        return None
    width = int(choices.rows.max()) + 1
    kept = [rows[rows < width].astype(np.int64) for rows in positives]
    relevant = np.isin(
        choices.search * width + choices.rows,
        np.concatenate([search * width + rows for search, rows in enumerate(kept)]),
    )
    found = len(np.unique(choices.search[relevant]))
    if relevant.all() or found < _LEAST_FOUND:
        return None
    starts = run_starts(choices.search)
    best = np.maximum.reduceat(scores, starts)
    if np.ptp(best) <= _STILL * np.abs(best).max():  # of one query, say: it tells nothing
        best = np.zeros_like(best)
    told = np.column_stack([scores, np.repeat(best, np.diff(starts, append=len(scores)))]).astype(
        np.float64
    )
    centre, spread = told.mean(axis=0), told.std(axis=0)
    spread[spread == 0] = 1.0
    fitted = LogisticRegression().fit((told - centre) / spread, relevant)
    score, of_best = (fitted.coef_[0] / spread).tolist()
    constant = float(fitted.intercept_[0] - (fitted.coef_[0] / spread) @ centre)
    return Calibration(score, of_best, constant) if score > 0 else None
