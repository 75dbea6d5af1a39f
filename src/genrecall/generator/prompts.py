"""What a generator reads, and how it is written as text: one format per stage.

| stage | prompt |
| --- | --- |
| item→SID | `item: Acme cordless drill 18V` |
| query→SID | `query: cordless drill` |
| user+query→SID | `gender: female; age_band: 25-34; clicked: <c1_3><c2_0><c3_5> <c1_3><c2_1><c3_0>; query: drill` |

In the last one every part but the query is left out where it is not known. The `compact` family
reads the same parts without the words around them.

SIDs stand in a prompt as tokens, and only those of a history do: a query, a title or a profile in
which somebody typed `<c1_3>` is text, letter by letter.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from genrecall.data.shoppers import Pair as Pair

ITEM: Final = "item"
QUERY: Final = "query"


@dataclass(frozen=True)
class Prompt:
    """What a generator reads.

    Attributes:
        text: the query, or an item's title in stage item→SID.
        profile: what the shop knows of the shopper, as (field, value).
        history: catalog rows that the shopper clicked before, oldest first. They are items, not
            SIDs, so that a new SID space does not orphan them.
    """

    text: str
    profile: tuple[Pair, ...] = ()
    history: tuple[int, ...] = ()


class WrittenPrompt(NamedTuple):
    """A prompt as text, and the SIDs in it apart, so that no text is taken for one.

    Attributes:
        text: all of it, or what stands behind the SIDs.
        before: what stands before them.
        sids: of a history, as strings.
    """

    text: str
    before: str = ""
    sids: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.before}{' '.join(self.sids)}{self.text}"


def write_prompt(
    prompt: Prompt, *, kind: str = QUERY, sids: Callable[[Sequence[int]], Sequence[str]]
) -> WrittenPrompt:
    """Write a prompt as text.

    Args:
        prompt: what to write.
        kind: `ITEM` for a title, `QUERY` for a query.
        sids: the SIDs of catalog rows, as strings.
    """
    profile = [f"{field}: {value}" for field, value in prompt.profile]
    text = f"{kind}: {prompt.text}"
    if not prompt.history:
        return WrittenPrompt("; ".join([*profile, text]))
    before = "; ".join([*profile, "clicked: "])
    return WrittenPrompt(f"; {text}", before, tuple(sids(prompt.history)))
