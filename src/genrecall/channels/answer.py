"""What a query is answered with, in the form that users read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genrecall.foundation.sid import Sid


@dataclass(frozen=True)
class Hit:
    """One recalled item.

    Attributes:
        item_id: the shop's name of the item.
        title: its title.
        score: by which the answer is ordered; comparable within one answer only.
        rank: place in the answer, from 1.
        sid: the cluster it was found in.
    """

    item_id: str
    title: str
    score: float
    rank: int
    sid: Sid


@dataclass(frozen=True)
class Beam:
    """One generated SID, explained.

    Attributes:
        sid: the cluster.
        logprob: natural logarithm of its probability.
        items: live items behind it that pass the filters.
        category: the most frequent category path of its items; None when unknown.
        titles: titles of the items nearest to the cluster's middle.
    """

    sid: Sid
    logprob: float
    items: int
    category: tuple[str, ...] | None
    titles: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What one query recalled.

    Attributes:
        query: the text that was typed.
        hits: items, best first.
        beams: generated SIDs, best first; None unless asked to explain.
    """

    query: str
    hits: Sequence[Hit]
    beams: Sequence[Beam] | None = None

    def to_json(self) -> Mapping[str, Any]:
        """The answer as JSON; `sids` only where it is explained."""
        answer: dict[str, Any] = {
            "query": self.query,
            "items": [
                {
                    "item_id": hit.item_id,
                    "title": hit.title,
                    "score": hit.score,
                    "rank": hit.rank,
                    "sid": str(hit.sid),
                }
                for hit in self.hits
            ],
        }
        if self.beams is not None:
            answer["sids"] = [
                {
                    "sid": str(beam.sid),
                    "logprob": beam.logprob,
                    "items": beam.items,
                    "category": beam.category,
                    "titles": beam.titles,
                }
                for beam in self.beams
            ]
        return answer
