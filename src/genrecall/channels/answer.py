"""What a query is answered with, in the form that users read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genrecall.data.filters.no_hits import NoHits
from genrecall.foundation.sid import Sid
from genrecall.queries.changes import Change


@dataclass(frozen=True)
class Hit:
    """One recalled item.

    Attributes:
        item_id: the shop's name of the item.
        title: its title.
        score: by which the answer is ordered. Where scores are calibrated, as those of a `compact`
            generator are by default, it is the share of such items that is relevant, 0 to 1; else
            it is comparable within one answer only.
        rank: place in the answer, from 1.
        sid: the cluster that it lies in.
        fields: what else was asked for, by column of the catalog; None where it is not known.
    """

    item_id: str
    title: str
    score: float
    rank: int
    sid: Sid
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `fields` only where some were asked for."""
        told = {
            "item_id": self.item_id,
            "title": self.title,
            "score": self.score,
            "rank": self.rank,
            "sid": str(self.sid),
        }
        return told | ({"fields": dict(self.fields)} if self.fields else {})


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

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "sid": str(self.sid),
            "logprob": self.logprob,
            "items": self.items,
            "category": self.category,
            "titles": self.titles,
        }


@dataclass(frozen=True)
class Answer:
    """What one query recalled.

    Attributes:
        query: the text that was typed.
        hits: items, best first.
        beams: generated SIDs, best first; None unless asked to explain.
        no_hits: why there are no items; None where there are some.
        notes: what of the request changed nothing, for people.
        changes: what of the query was read in another way than it was typed.
        calibrated: whether the scores are shares; see `Hit.score`.
    """

    query: str
    hits: Sequence[Hit]
    beams: Sequence[Beam] | None = None
    no_hits: NoHits | None = None
    notes: Sequence[str] = ()
    changes: Sequence[Change] = ()
    calibrated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON; `sids`, `no_items`, `notes` and `changes` only where there is any."""
        told: dict[str, Any] = {
            "query": self.query,
            "calibrated": self.calibrated,
            "items": [hit.to_dict() for hit in self.hits],
        }
        if self.beams is not None:
            told["sids"] = [beam.to_dict() for beam in self.beams]
        if self.no_hits is not None:
            told["no_items"] = self.no_hits.to_dict()
        if self.notes:
            told["notes"] = list(self.notes)
        if self.changes:
            told["changes"] = [change._asdict() for change in self.changes]
        return told
