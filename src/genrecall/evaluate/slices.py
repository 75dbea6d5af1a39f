"""Which searches belong to head, torso and tail: by how often their query was searched in training.

Shapes: `M` searches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

SLICES: Final = ("head", "torso", "tail", "unseen")

Masks = Mapping[str, NDArray[np.bool_]]
"""Which searches are in a slice, bool `[M]`, by the name of the slice."""


def frequency_slices(queries: Sequence[str], training_queries: Sequence[str]) -> Masks:
    """Cut searches by the frequency of their query in training; every search is in one slice.

    Going from the most to the least frequent training query, the first third of the training
    *searches* (not of the distinct queries) is the head, the second the torso, the last the tail;
    queries of equal frequency stay together, where the first of them would be. A query searched
    once is always tail. A query that never occurred in training is `unseen`.

    Args:
        queries: query of each evaluated search, spelled as training spells them (normalized).
        training_queries: query of each training search, with repetitions.

    >>> slices = frequency_slices(["drill", "saw", "hat"], ["drill"] * 5 + ["saw"])
    >>> {name: mask.tolist() for name, mask in slices.items() if mask.any()}
    {'head': [True, False, False], 'tail': [False, True, False], 'unseen': [False, False, True]}
    """
    frequency = Counter(training_queries)
    searches_at = Counter(frequency.values())  # how many distinct queries have a frequency
    slice_of = {0: "unseen"}
    before = 0
    for times in sorted(searches_at, reverse=True):
        third = SLICES[min(3 * before // len(training_queries), 2)]
        slice_of[times] = third if times > 1 else "tail"
        before += times * searches_at[times]
    names = np.array([slice_of[frequency[query]] for query in queries], dtype=object)
    return {name: np.equal(names, name).astype(np.bool_) for name in SLICES}
