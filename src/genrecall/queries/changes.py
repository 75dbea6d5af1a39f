"""What of a query is read otherwise, and the query so read, all else as it was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from genrecall.text.normalize import normalize


class Change(NamedTuple):
    """What was typed, and what it is read as; both normalized."""

    typed: str
    read: str


def rewrite(query: str, changes: Sequence[Change], read: str) -> str:
    """A query with what was changed in its place.

    Letter case and signs of the rest stay, since pretrained models read them. Where what was
    changed cannot be found as it stands, all is normalized.

    Args:
        query: as it was typed.
        changes: in the order of the words.
        read: the words that it is read as, normalized.

    >>> rewrite('18V Cordles "Dril"', [Change("cordles", "cordless")], "18 v cordless dril")
    '18V cordless "Dril"'
    """
    text, at = query, 0
    for change in changes:
        words = r"[\W_]+".join(map(re.escape, change.typed.split()))
        found = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE).search(text, at)
        if found is None:
            return read
        text = text[: found.start()] + change.read + text[found.end() :]
        at = found.start() + len(change.read)
    return text if normalize(text) == read else read
