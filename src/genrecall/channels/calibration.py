"""Scores that mean the same in every answer: the log-odds that an item is relevant.

Shapes: `n` items of one answer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Calibration(NamedTuple):
    """How the scores of an answer become log-odds of relevance (Platt scaling, 1999).

    An item's own score counts, and the best one of the answer: next to one that stands out, another
    is less likely meant.

    Attributes:
        score: what the item's score counts, above 0.
        best: what the best score of the answer counts.
        constant: what is added.
    """

    score: float
    best: float
    constant: float

    def log_odds(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the items of one answer, float32 `[n]`.

        Args:
            scores: best first, `[n]`.

        >>> Calibration(score=2.0, best=-1.0, constant=0.5).log_odds(np.float32([3.0, 1.0]))
        array([ 3.5, -0.5], dtype=float32)
        """
        if not len(scores):
            return scores
        added = self.best * float(scores[0]) + self.constant
        return (self.score * scores.astype(np.float64) + added).astype(np.float32)


def shares(log_odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """What share of such items is relevant, float32 `[n]`.

    >>> shares(np.float32([0.0, 200.0, -200.0])).tolist()
    [0.5, 1.0, 0.0]
    """
    return np.exp(-np.logaddexp(0.0, -log_odds.astype(np.float64))).astype(np.float32)
