"""One spelling for queries and titles: case, accents, units, fractions, model numbers.

The rules are for product text, where `3/4"`, `3/4 in.` and `¾ inch` are one size, and `DX-4120` and
`dx4120` one model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

from genrecall.text.clean import clean, drop_unseen

Stemmer = Literal["plural", "none"]
"""`plural` takes English plural endings off words; `none` leaves words as they stand."""

_LENGTHS: Final[dict[str, tuple[str, ...]]] = {
    "in": ("in", "inch", "inches"),
    "ft": ("ft", "foot", "feet"),
    "yd": ("yd", "yard", "yards"),
    "mm": ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
    "m": ("m", "meter", "meters", "metre", "metres"),
}
_UNITS: Final = _LENGTHS | {
    "oz": ("oz", "ounce", "ounces"),
    "lb": ("lb", "lbs", "pound", "pounds"),
    "kg": ("kg", "kilogram", "kilograms"),
    "g": ("g", "gram", "grams"),
    "gal": ("gal", "gallon", "gallons"),
    "qt": ("qt", "quart", "quarts"),
    "pt": ("pt", "pint", "pints"),
    "l": ("l", "liter", "liters", "litre", "litres"),
    "ml": ("ml", "milliliter", "milliliters", "millilitre", "millilitres"),
    "v": ("v", "volt", "volts"),
    "w": ("w", "watt", "watts"),
    "a": ("amp", "amps", "ampere", "amperes"),
    "ah": ("ah",),
    "mah": ("mah",),
    "hp": ("hp", "horsepower"),
    "ga": ("ga", "gauge"),
    "gb": ("gb", "gigabyte", "gigabytes"),
    "tb": ("tb", "terabyte", "terabytes"),
    "pc": ("pc", "pcs", "piece", "pieces"),
    "pk": ("pk", "pack", "packs"),
    "ct": ("ct", "count"),
}
_CANONICAL: Final = {name: unit for unit, names in _UNITS.items() for name in names}
_UNIT: Final = "|".join(sorted(_CANONICAL, key=len, reverse=True))
_LENGTH: Final = "|".join(name for name in _UNIT.split("|") if _CANONICAL[name] in _LENGTHS)

_LETTERS: Final = re.compile("[A-Za-z ]*")
_TRADE_SIGNS: Final = re.compile("[™℠]")
_MARKS: Final = (
    (re.compile(r"(?<=\d)\s*(?:[\"”“]|['′’‘]{2})"), " in "),
    (re.compile(r"(?<=\d)\s*['′’‘](?=[\W\dx]|$)"), " ft "),
)
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_POSSESSIVE: Final = re.compile(r"(?<=[a-z])['’]s?(?![a-z])")
_MIXED_FRACTION: Final = re.compile(r"(?<![\d./])(\d+)-(\d+/\d+)(?!\d)")
_NO_ZERO: Final = re.compile(r"(?:(?<![\w.])|(?<=\dx))\.(?=\d)")
_NOT_DECIMAL_POINT: Final = re.compile(r"(?<!\d)\.|\.(?!\d)")
_NOT_FRACTION_SLASH: Final = re.compile(r"(?<!\d)/|/(?!\d)")
_TIMES: Final = re.compile(r"×|(?<=\w)\*(?=\d)|(?<=\d) \* (?=\d)")
_OTHER: Final = re.compile(r"[^\w./%-]|_")
_BETWEEN_NUMBERS: Final = re.compile(r"(?<=\d)[\s-]*(?:x[\s-]*)+(?=\d)|(?<=\d)[\s-]+by[\s-]+(?=\d)")
_BETWEEN_SIZES: Final = re.compile(
    rf"(?<![a-wyz\d])(\d+(?:[./]\d+)?)[\s-]*({_LENGTH})[\s-]*x[\s-]*(?=\d)"
)
_UNIT_AFTER_NUMBER: Final = re.compile(rf"(?<![a-z\d])(\d+(?:[./]\d+)?)[\s-]*({_UNIT})(?![a-z\d])")
_COUNTED_WORD: Final = re.compile(r"(?<![a-z\d])(\d+)-(?=[a-z]{3,})")
_MODEL_HYPHEN: Final = re.compile(r"(?<=[a-z])-(?=\d)|(?<=\d)-(?=[a-z]{1,2}(?![a-z]))")


@lru_cache(maxsize=256)  # all that reads a query asks for the same
def normalize(text: str) -> str:
    """Bring a query or title into the one spelling that everything else works on.

    What is normalized stays as it is when it is normalized again.

    >>> normalize('Crème 3/4" Elbow')
    'creme 3/4 in elbow'
    >>> normalize("18-Volt DX-4120 Drill, 1½ in.")
    '18 v dx4120 drill 1 1/2 in'
    >>> normalize("15'x15' tarp") == normalize("15 ft. x 15 ft. tarp")
    True
    """
    if _LETTERS.fullmatch(text):  # most queries; no rule is about letters alone
        return " ".join(text.lower().split())
    return _respell(text)


def _respell(text: str) -> str:
    """By all rules, one after another."""
    text = _fold(drop_unseen(clean(text))).replace("&", " and ")
    for mark, unit in _MARKS:
        text = mark.sub(unit, text)
    text = _POSSESSIVE.sub("", _THOUSANDS.sub("", text))
    text = _NO_ZERO.sub("0.", _MIXED_FRACTION.sub(r"\1 \2", text))
    text = _NOT_FRACTION_SLASH.sub(" ", _NOT_DECIMAL_POINT.sub(" ", text))
    text = _OTHER.sub(_blank, _TIMES.sub(" x ", text))
    text = _BETWEEN_NUMBERS.sub(" x ", " ".join(text.split()))
    text = _BETWEEN_SIZES.sub(lambda m: f"{m[1]} {_CANONICAL[m[2]]} x ", text)
    text = _UNIT_AFTER_NUMBER.sub(lambda m: f"{m[1]} {_CANONICAL[m[2]]} ", text)
    text = _MODEL_HYPHEN.sub("", _COUNTED_WORD.sub(r"\1 ", text))
    return " ".join(text.replace("-", " ").split())


def read_words(text: str, stemmer: Stemmer) -> list[str]:
    """The words that are read of a text: normalized, their forms brought together.

    >>> read_words("Drill-Bits, 2 pcs", "plural")
    ['drill', 'bit', '2', 'pc']
    """
    return [stem(word, stemmer) for word in normalize(text).split()]


def query_key(query: str) -> str:
    """What makes two queries one: the words that are read of them.

    Splits, slices, popularity and the units of intervals all tell queries apart by it. English
    plural endings never count, also where `stemmer: none` lets the models read them: two queries
    of one key may be read differently, but two that are read alike are never of two keys.

    >>> query_key("  Drill BITS ") == query_key("drill bit")
    True
    """
    return " ".join(read_words(query, "plural"))


def query_keys(queries: Sequence[str]) -> list[str]:
    """The key of each query.

    >>> query_keys(["drill bits", "saw", "Drill bit"])
    ['drill bit', 'saw', 'drill bit']
    """
    key = {query: query_key(query) for query in set(queries)}
    return [key[query] for query in queries]


def stem(word: str, stemmer: Stemmer) -> str:
    """Bring the forms of a word together, by the named rule.

    >>> stem("drills", "plural"), stem("drills", "none")
    ('drill', 'drills')
    """
    return strip_plural(word) if stemmer == "plural" else word


def strip_plural(word: str) -> str:
    """Take an English plural ending off: the S stemmer of Harman, How Effective Is Suffixing, 1991.

    It is extended by `-es` after a hiss, since shops are full of `brushes` and `boxes`.

    >>> [strip_plural(word) for word in ("drills", "batteries", "boxes", "glass", "gas", "bus")]
    ['drill', 'battery', 'box', 'glass', 'gas', 'bus']
    """
    if len(word) > 4 and word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and word[-2] not in "us":
        return word[:-1]
    return word


def _fold(text: str) -> str:
    """One letter case, no accents, compatible forms such as `㎝` and `Ⅳ` spelled out."""
    if text.isascii():
        return text.lower()
    text = "".join(_spell_fraction(char) for char in _TRADE_SIGNS.sub(" ", text))
    text = unicodedata.normalize("NFKD", text.casefold()).casefold()
    text = "".join(char for char in text if not _is_accent(char))
    return unicodedata.normalize("NFC", text).replace("⁄", "/")


def _is_accent(char: str) -> bool:
    """Accents, and the vowel points of Hebrew and Arabic, which shoppers leave out.

    Other combining classes are parts of letters: `か` and `が` are two, and so are Indic and Thai
    vowels.
    """
    place = unicodedata.combining(char)
    return place == 1 or 10 <= place <= 36 or place >= 200


def _blank(match: re.Match[str]) -> str:
    """A space for a sign; marks that belong to letters stay."""
    return match[0] if unicodedata.category(match[0]).startswith("M") else " "


def _spell_fraction(char: str) -> str:
    """`½` to ` 1/2`, so that `1½` does not become `11/2`."""
    if unicodedata.category(char) == "No":
        spelled = unicodedata.normalize("NFKD", char)
        if "⁄" in spelled:
            return " " + spelled.replace("⁄", "/")
    return char
