"""Guess which columns of a shop's file are ours, by their names.

By our name, then by one that means the same, then by these without what stands in brackets; letter
case, accents and whatever stands between words do not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from genrecall.data.guess.synonyms import SYNONYMS
from genrecall.data.validate import TableSchema


@dataclass(frozen=True)
class GuessedColumns:
    """What a file's columns are in our words.

    Attributes:
        theirs: their column behind each of ours that was found; each of theirs occurs once.
        unused: their columns that are none of ours, in the order of the file.
    """

    theirs: Mapping[str, str]
    unused: Sequence[str]


def match_columns(
    names: Sequence[str], schema: TableSchema, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Our column to theirs; what is known already stays.

    >>> from genrecall.data.validate import ITEMS_SCHEMA
    >>> match_columns(["id", "SKU", "Product Name", "title_en"], ITEMS_SCHEMA)
    {'item_id': 'SKU', 'title': 'Product Name'}
    >>> match_columns(["Artikelnr. (intern)", "Titel", "Bruttopreis (EUR)"], ITEMS_SCHEMA)
    {'item_id': 'Artikelnr. (intern)', 'title': 'Titel', 'price': 'Bruttopreis (EUR)'}
    """
    synonyms = SYNONYMS.get(schema.name, {})
    found = dict(known or {})
    for ours in schema.columns:
        if ours in names and ours not in found and ours not in found.values():
            found[ours] = ours
    for own_name, bare in ((True, False), (False, False), (True, True), (False, True)):
        free: dict[str, str] = {}
        for name in names:
            if name not in found.values():
                free.setdefault(_plain(_without_brackets(name) if bare else name), name)
        for ours in schema.columns:
            wanted = (_plain(ours),) if own_name else synonyms.get(ours, ())
            hit = next((name for name in wanted if name in free), None)
            if ours not in found and hit is not None:
                found[ours] = free.pop(hit)
    return {ours: found[ours] for ours in schema.columns if ours in found}


def is_called(name: str, words: Collection[str]) -> bool:
    """Whether a column has one of some names, as they stand in the synonyms."""
    return _plain(name) in words or _plain(_without_brackets(name)) in words


def _without_brackets(name: str) -> str:
    """A name without its unit or remark.

    >>> _without_brackets("Price (EUR)"), _without_brackets("weight [kg]")
    ('Price ', 'weight ')
    """
    return re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", name)


def _plain(name: str) -> str:
    """A name without letter case, accents and separators.

    >>> _plain("Clicked-Item IDs"), _plain("Verfügbar?"), _plain("dostępność")
    ('clickeditemids', 'verfugbar', 'dostepnosc')
    """
    letters = unicodedata.normalize("NFD", name.casefold().replace("ł", "l"))
    return re.sub(r"[\W_]+", "", letters)  # accents are no letters
