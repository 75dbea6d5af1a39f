"""Texts of a web shop as they are meant: without HTML and without characters that nobody sees.

Cleaned text is what is shown and what models read; `normalize` cleans once more, since queries come
from everywhere.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import Final

_AND: Final = re.compile(r"&(?:amp;|#38;|#[xX]26;)+")  # written over and over, it is one
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]\w{1,31});")

# Tags by name: `<5 mm` is text, and so is a size `<S>`.
_INLINE: Final = (
    "a|abbr|b|big|code|del|em|font|i|ins|mark|nobr|small|span|strike|strong|sub|sup|tt|u|wbr"
)
_BLOCK: Final = (
    "article|blockquote|br|button|center|dd|div|dl|dt|footer|form|h[1-6]|header|hr|iframe|img|input"
    "|label|li|ol|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul"
)
_WITHIN_A_WORD: Final = re.compile(rf"</?(?:{_INLINE})(?:\s[^<>]*)?/?>", re.IGNORECASE)
# What is hidden ends before its like begins, so that a text is read once, however often it begins.
_BETWEEN_WORDS: Final = re.compile(
    r"<!--(?:(?!<!--).)*?-->|<(script|style)\b(?:(?!<\1\b).)*?</\1\s*>"
    rf"|</?(?:{_BLOCK})(?:\s[^<>]*)?/?>",
    re.IGNORECASE | re.DOTALL,
)

_DEEPEST: Final = 8  # tags in tags, entities in entities: what goes on is no text, but malice

_NEVER_NEEDED: Final = "\u00ad\u034f\u2060-\u2064\ufeff\ufff9-\ufffb"
"""Soft hyphen, joiners and byte order marks: of no script."""

_OF_SCRIPTS: Final = "\u061c\u180e\u200b-\u200f\u202a-\u202e\u2066-\u206f"
"""Zero-width space, non-joiner, joiner, and marks of direction: needed beside some scripts."""

_SCRIPTS: Final = re.compile(
    "[\u0590-\u1dff\u2190-\u2bff\ua800-\uabff\ufb1d-\ufdff\ufe00-\ufe0f\ufe70-\ufefe"
    "\U00010000-\U0001ffff]"
)
"""Characters beside which those are needed: from Hebrew to Khmer, and the parts of emoji."""

_UNSEEN: Final = re.compile(rf"[{_NEVER_NEEDED}{_OF_SCRIPTS}]+")
_NEVER: Final = re.compile(f"[{_NEVER_NEEDED}]")

_NON_JOINER: Final = re.compile(
    "(?<=[\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufefc])\u200c|\u200c(?=[\u0600-\u08ff\ufb50-\ufdff])"
)
"""Where it parts what Persian writes apart; in Indic scripts it only shapes letters."""

SUSPECT: Final = rf"[&<{_NEVER_NEEDED}{_OF_SCRIPTS}]"
"""Regular expression of what a text holds that may have to be cleaned."""

_SUSPECT: Final = re.compile(SUSPECT)


def clean(text: str) -> str:
    r"""Take HTML and unseen characters out of a text.

    Entities become what they stand for, also where they were written twice over. Tags that stand
    between words become spaces, tags within a word nothing. Characters that nobody sees are
    dropped where they would cut a word in two; beside scripts that need them they stay.

    >>> clean("M&uuml;ller <b>Akku</b>schrauber<br/>18&nbsp;V &amp;amp; Koffer")
    'Müller Akkuschrauber 18 V & Koffer'
    >>> clean("Akku\u00adschrauber, <5 mm"), clean("R&D <S>")
    ('Akkuschrauber, <5 mm', 'R&D <S>')
    """
    if not _SUSPECT.search(text):
        return text
    given, before, passes = text, "", 0
    while text != before:
        before, passes = text, passes + 1
        if passes > _DEEPEST:
            text = text.replace("<", " ").replace("&", " ")
        text = _ENTITY.sub(_unescape, _AND.sub("&", text))
        text = _WITHIN_A_WORD.sub("", _BETWEEN_WORDS.sub(" ", text))
        text = _UNSEEN.sub(_needed, text)
    return text if text == given else " ".join(text.split())


def drop_unseen(text: str) -> str:
    """Drop what `clean` leaves of characters that nobody sees; for comparing, not for showing.

    A zero-width space parts words in scripts without blanks, and so does the non-joiner of Persian.
    """
    text = _NON_JOINER.sub(" ", text.replace("\u200b", " "))
    return _UNSEEN.sub("", text)


def _unescape(match: re.Match[str]) -> str:
    """Unescape an entity by its whole name, where `html` also takes `&notes;` for `¬es;`."""
    entity = match[0]
    return html.unescape(entity) if entity[1] == "#" or entity[1:] in html5 else entity


def _needed(match: re.Match[str]) -> str:
    text = match.string
    around = text[match.start() - 1 : match.start()] + text[match.end() : match.end() + 1]
    return _NEVER.sub("", match[0]) if _SCRIPTS.search(around) else ""
