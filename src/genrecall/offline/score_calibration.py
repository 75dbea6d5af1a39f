"""Fitting what share of the items of a score is relevant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.calibration import Calibration
from genrecall.foundation.ragged import run_starts
from genrecall.learning.likelihood import Choices


def fit_calibration(
    choices: Choices, scores: NDArray[np.floating[Any]], positives: Sequence[NDArray[np.integer]]
) -> Calibration | None:
    """Log-odds of relevance by logistic regression on the score and the best score of the answer.

    Args:
        choices: first items of `M` searches, together `n`.
        scores: of them, `[n]`.
        positives: relevant items of each search.

    Returns:
        None where no item is relevant or all are, or where relevant ones score no higher.
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
    if relevant.all() or not relevant.any():
        return None
    starts = run_starts(choices.search)
    best = np.maximum.reduceat(scores, starts)
    told = np.column_stack([scores, np.repeat(best, np.diff(starts, append=len(scores)))]).astype(
        np.float64
    )
    centre, spread = told.mean(axis=0), np.maximum(told.std(axis=0), 1e-9)
    fitted = LogisticRegression().fit((told - centre) / spread, relevant)
    score, of_best = (fitted.coef_[0] / spread).tolist()
    constant = float(fitted.intercept_[0] - (fitted.coef_[0] / spread) @ centre)
    return Calibration(score, of_best, constant) if score > 0 else None
