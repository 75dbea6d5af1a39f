"""What speaks for an item behind the beams, and how much of it counts.

Parts, by name: the cosine of query and item in each view, the beam's
log-probability (`logprob`), the words that query and each field of the item share (`title`,
`brand`, …; BM25), how often the item was chosen before (`prior`), and where it stands by the shop's
own score (`score`). Weights are fitted on
searches that nothing was trained on (`offline/order_weights.py`).

Shapes: `N` items, `n` items behind the beams of one query, `E` parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrecall.channels.calibration import Calibration
from genrecall.channels.chosen_together import TOGETHER_FILE, ChosenTogether
from genrecall.data.tables import Rows
from genrecall.foundation.artifact import Artifact
from genrecall.foundation.files import write_json
from genrecall.generator.base import ViewPart
from genrecall.index.item_views import ItemViews
from genrecall.queries.field_words import FieldWords

LOGPROB: Final = "logprob"
PRIOR: Final = "prior"
SCORE: Final = "score"
TOGETHER: Final = "together"
UNCHOSEN: Final = "unchosen"

ORDER_FILE: Final = "order.json"
_PRIOR_FILE: Final = "prior.npy"

Vectors = NDArray[np.float32]


class AskedQuery(NamedTuple):
    """One query.

    Attributes:
        text: as it is read.
        vector: of it, in the space of the items' views, `[D]`.
        chosen: catalog rows of what the shopper has chosen before, each once.
    """

    text: str
    vector: Vectors
    chosen: Rows


@dataclass(frozen=True, eq=False)
class OrderParts:
    """Parts of what speaks for items.

    Attributes:
        views: how the vectors of queries and items are put together, in order.
        fields: words by field of the items, such as their titles.
        standing: what is known of all items whatever the query, float32 `[N]` by name: `PRIOR`, how
            often each was chosen before, on a logarithmic scale; `SCORE`, see `standing_by_score`.
        together: what was chosen beside what; None where nothing is known of shoppers.
    """

    views: Sequence[ViewPart]
    fields: Mapping[str, FieldWords]
    standing: Mapping[str, Vectors]
    together: ChosenTogether | None = None

    @property
    def names(self) -> list[str]:
        """Of the parts."""
        of_shoppers = [] if self.together is None else [TOGETHER, UNCHOSEN]
        views = [view.name for view in self.views]
        return [*views, LOGPROB, *self.fields, *self.standing, *of_shoppers]

    def of(self, query: AskedQuery, items: ItemViews, rows: Rows, logprob: Vectors) -> Vectors:
        """Each part of each item, float32 `[E, n]`.

        Args:
            query: that is answered.
            items: vectors of all items, `[N, D]`.
            rows: catalog rows of those that are asked about, `[n]`.
            logprob: log-probability of each one's beam, `[n]`.
        """
        found, first, vectors = [], 0, items[rows]
        for view in self.views:
            columns = slice(first, first := first + view.size)
            found.append(vectors[:, columns] @ query.vector[columns] / view.share)
        found += [logprob, *(field.scores(query.text, rows) for field in self.fields.values())]
        found += [of_all[rows] for of_all in self.standing.values()]
        found += self.of_shopper(query, rows).values()
        return np.stack(found).astype(np.float32)

    def of_shopper(self, query: AskedQuery, rows: Rows) -> dict[str, Vectors]:
        """What the shopper's choices say of items, by part, each `[n]`; see `of`.

        Cosines count by their roots: they span orders of magnitude, of which the largest is not
        the only one that tells something.
        """
        if self.together is None:
            return {}
        if not len(query.chosen):  # so that scores of an unknown shopper are what they are without
            nothing = np.zeros(len(rows), dtype=np.float32)
            return {TOGETHER: nothing, UNCHOSEN: nothing}
        cosines = self.together.cosines(query.chosen, rows)
        unchosen = np.isin(rows, query.chosen, invert=True)
        return {TOGETHER: np.sqrt(cosines), UNCHOSEN: unchosen.astype(np.float32)}


class OrderFit(NamedTuple):
    """What was fitted on some searches.

    Attributes:
        weights: by the names of the parts.
        calibration: of what they come to; None where too little was relevant to fit one.
    """

    weights: Mapping[str, float]
    calibration: Calibration | None = None

    def to_json(self) -> dict[str, Any]:
        """As in the order's file."""
        calibration = None if self.calibration is None else self.calibration._asdict()
        return {"weights": dict(self.weights), "calibration": calibration}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> OrderFit:
        """What `to_json` made."""
        calibration = told["calibration"]
        return cls(told["weights"], Calibration(**calibration) if calibration else None)


@dataclass(frozen=True, eq=False)
class LearnedOrder:
    """How much each part counts.

    Attributes:
        parts: what speaks for an item.
        fit: weights of the parts, and the calibration of their sum.
    """

    parts: OrderParts
    fit: OrderFit

    def scores(
        self, query: AskedQuery, items: ItemViews, rows: Rows, logprob: Vectors
    ) -> NDArray[np.float64]:
        """What all of it comes to for each item, `[n]`; see `OrderParts.of`."""
        weighed, weights = query.vector.astype(np.float64), self.fit.weights
        first = 0
        for view in self.parts.views:
            columns = slice(first, first := first + view.size)
            weighed[columns] *= weights[view.name] / view.share
        near = items.products(rows, weighed.astype(np.float32))
        total: NDArray[np.float64] = near.astype(np.float64)
        total += weights[LOGPROB] * logprob
        for name, field in self.parts.fields.items():
            if weights[name]:
                total += weights[name] * field.scores(query.text, rows)
        for name, of_all in self.parts.standing.items():
            if weights[name]:
                total += weights[name] * of_all[rows]
        for name, said in self.parts.of_shopper(query, rows).items():
            total += weights[name] * said
        return total


@dataclass(frozen=True, eq=False)
class FittedOrder:
    """What was fitted, as it lies on disk.

    Attributes:
        served: on all searches.
        folds: for the searches of each fold, on those of the others.
        prior: how often each item was chosen; see `OrderParts.standing`.
        together: see `OrderParts.together`.
    """

    served: OrderFit
    folds: Sequence[OrderFit]
    prior: Vectors
    together: ChosenTogether | None = None

    @classmethod
    def load(cls, artifact: Artifact) -> FittedOrder:
        """Read what `save` wrote into an artifact."""
        told = artifact.read_json(ORDER_FILE)
        prior = np.load(artifact.file(_PRIOR_FILE), allow_pickle=False)
        served, *folds = map(OrderFit.of_json, (told["served"], *told["folds"]))
        known = TOGETHER_FILE in artifact.files
        return cls(served, folds, prior, ChosenTogether.load(artifact) if known else None)

    def save(self, folder: Path) -> None:
        """Write into an existing folder."""
        told = {"served": self.served.to_json(), "folds": [fit.to_json() for fit in self.folds]}
        write_json(folder / ORDER_FILE, told)
        np.save(folder / _PRIOR_FILE, self.prior)
        if self.together is not None:
            self.together.save(folder)

    def prior_of(self, n: int) -> Vectors:
        """The prior of `n` items; those that have come since it was made count as the average."""
        later = np.full(n - len(self.prior), self.prior.mean(), dtype=np.float32)
        return np.concatenate([self.prior, later])

    def orders(
        self,
        views: Sequence[ViewPart],
        fields: Mapping[str, FieldWords],
        efficiency: NDArray[np.float64],
    ) -> tuple[LearnedOrder, ...]:
        """That which serves, and behind it those of the folds.

        Args:
            views: of the generator.
            fields: words by field of the items.
            efficiency: the shop's score of each item, `[N]`; NaN where it has none.
        """
        standing = standing_of(self.prior_of(len(efficiency)), efficiency)
        parts = OrderParts(views, fields, standing, self.together)
        return tuple(LearnedOrder(parts, fit) for fit in (self.served, *self.folds))


def standing_of(prior: Vectors, efficiency: NDArray[np.float64]) -> dict[str, Vectors]:
    """See `OrderParts.standing`.

    Args:
        prior: how often each item was chosen, `[N]`.
        efficiency: the shop's score of each item, `[N]`; NaN where it has none.
    """
    by_score = standing_by_score(efficiency)
    return {PRIOR: prior} | ({} if by_score is None else {SCORE: by_score})


def standing_by_score(efficiency: NDArray[np.float64]) -> Vectors | None:
    """What share of the items scores less, float32 `[N]`; a half where an item has no score.

    A rank, since a shop's scores may be of any scale.

    >>> standing_by_score(np.array([30.0, 10.0, np.nan, 10.0, 20.0]))
    array([0.875, 0.25 , 0.5  , 0.25 , 0.625], dtype=float32)
    >>> standing_by_score(np.array([2.0, np.nan])) is None  # it tells nothing apart
    True
    """
    known = np.sort(efficiency[~np.isnan(efficiency)])
    if not len(known) or known[0] == known[-1]:
        return None
    below = np.searchsorted(known, efficiency) + np.searchsorted(known, efficiency, side="right")
    return np.where(np.isnan(efficiency), 0.5, below / (2 * len(known))).astype(np.float32)
