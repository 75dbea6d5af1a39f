"""Why a search has no answer, for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cause = Literal[
    "unknown_words",
    "no_such_value",
    "no_intersection",
    "none_available",
    "no_match",
    "min_score",
    "offset",
]
"""`unknown_words`: no word of the query is known. `no_such_value`: a filter that no item passes.
`no_intersection`: each filter has items, all together none. `none_available`: items pass, and none
of them can be had now. `no_match`: some pass, and the query finds none of them. `min_score`,
`offset`: there are items, and all of them score less, or stand before the page."""


@dataclass(frozen=True)
class NoHits:
    """Why a search has no answer.

    Attributes:
        cause: for programs.
        message: for people; it names what was given, and what there is instead.
    """

    cause: Cause
    message: str

    def to_dict(self) -> dict[str, str]:
        """As JSON."""
        return {"cause": self.cause, "message": self.message}
