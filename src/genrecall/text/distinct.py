"""Texts that come again and again, each kept once: what is costly is then done once for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Distinct(NamedTuple):
    """Texts without repetition.

    Attributes:
        texts: each once, in the order in which they first came.
        number: place in `texts` of each text as it came, int64 `[n]`.
    """

    texts: list[str]
    number: NDArray[np.int64]


def distinct(texts: Iterable[str]) -> Distinct:
    """Keep each of `n` texts once.

    >>> found = distinct(["saw", "drill", "saw"])
    >>> found.texts, found.number.tolist()
    (['saw', 'drill'], [0, 1, 0])
    """
    place: dict[str, int] = {}
    number = [place.setdefault(text, len(place)) for text in texts]
    return Distinct(list(place), np.array(number, dtype=np.int64))
