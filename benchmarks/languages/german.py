"""A German shop with a search log, synthetic: invented products, brands and shoppers.

Nouns are compounds, plurals change vowels, shoppers write umlauts out or split compounds, and say a
thing by another word than its title does. Of each kind one such word is in no query until
the last fifth of the log, which is what is measured: whoever knows it has learned German elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl


class Kind(NamedTuple):
    """A kind of product.

    Attributes:
        noun: in titles.
        path: its category.
        plural: of the noun.
        word: another one, which shoppers use.
        new: one more, which nobody uses in the first four fifths of the log.
        split: the noun as it is split, if it is a compound.
    """

    noun: str
    path: str
    plural: str
    word: str
    new: str
    split: str | None = None


_KINDS: Final = """\
Werkzeug > Elektrowerkzeug
  Akkuschrauber, Akkuschrauber, Akkubohrer, Schraubmaschine, Akku Schrauber
  Stichsäge, Stichsägen, Pendelsäge, Dekupiersäge, Stich Säge
  Winkelschleifer, Winkelschleifer, Flex, Trennschleifer, Winkel Schleifer
  Bohrhammer, Bohrhämmer, Schlagbohrer, Meißelhammer, Bohr Hammer
Werkzeug > Handwerkzeug
  Schraubendreher, Schraubendreher, Schraubenzieher, Kreuzschlitz, Schrauben Dreher
  Maulschlüssel, Maulschlüssel, Gabelschlüssel, Schraubenschlüssel, Maul Schlüssel
  Wasserwaage, Wasserwaagen, Richtwaage, Nivelliergerät, Wasser Waage
  Zollstock, Zollstöcke, Gliedermaßstab, Meterstab, Zoll Stock
Garten > Bewässerung
  Gartenschlauch, Gartenschläuche, Wasserschlauch, Bewässerungsschlauch, Garten Schlauch
  Gießkanne, Gießkannen, Wasserkanne, Blumenkanne, Gieß Kanne
Garten > Pflege
  Rasenmäher, Rasenmäher, Mäher, Grasschneider, Rasen Mäher
  Heckenschere, Heckenscheren, Strauchschere, Buschschneider, Hecken Schere
  Hochdruckreiniger, Hochdruckreiniger, Druckreiniger, Dampfstrahler, Hochdruck Reiniger
  Schubkarre, Schubkarren, Karre, Schiebetruhe, Schub Karre
Wohnen > Licht
  Schreibtischlampe, Schreibtischlampen, Tischleuchte, Leselicht, Schreibtisch Lampe
  Deckenleuchte, Deckenleuchten, Deckenlampe, Plafond, Decken Leuchte
  Lichterkette, Lichterketten, Lichtergirlande, Weihnachtsbeleuchtung, Lichter Kette
Wohnen > Möbel
  Sofa, Sofas, Couch, Kanapee
  Sessel, Sessel, Lehnstuhl, Polsterstuhl
  Kleiderschrank, Kleiderschränke, Garderobenschrank, Wäscheschrank, Kleider Schrank
  Bücherregal, Bücherregale, Bücherbord, Bibliothek, Bücher Regal
  Nachttisch, Nachttische, Nachtkästchen, Bettschränkchen, Nacht Tisch
Wohnen > Textil
  Vorhang, Vorhänge, Gardine, Store
  Bettdecke, Bettdecken, Zudecke, Steppdecke, Bett Decke
  Kissen, Kissen, Polster, Kopfkeil
  Teppich, Teppiche, Läufer, Vorleger
Küche > Geräte
  Wasserkocher, Wasserkocher, Teekessel, Heißwasserbereiter, Wasser Kocher
  Toaster, Toaster, Brotröster, Röstautomat
  Kaffeemaschine, Kaffeemaschinen, Kaffeeautomat, Espressobereiter, Kaffee Maschine
  Mixer, Mixer, Blender, Smoothiemaker
  Kühlschrank, Kühlschränke, Kühlgerät, Eisschrank, Kühl Schrank
Küche > Kochen
  Bratpfanne, Bratpfannen, Pfanne, Omelettpfanne, Brat Pfanne
  Kochtopf, Kochtöpfe, Topf, Kasserolle, Koch Topf
  Schneidebrett, Schneidebretter, Küchenbrett, Hackbrett, Schneide Brett
  Küchenmesser, Küchenmesser, Kochmesser, Klinge, Küchen Messer
Technik > Telefon
  Smartphone, Smartphones, Handy, Mobiltelefon
  Kopfhörer, Kopfhörer, Ohrhörer, Headset, Kopf Hörer
  Ladekabel, Ladekabel, Netzkabel, Aufladekabel, Lade Kabel
Technik > Computer
  Notebook, Notebooks, Laptop, Klapprechner
  Bildschirm, Bildschirme, Monitor, Display, Bild Schirm
  Tastatur, Tastaturen, Keyboard, Tastenfeld
Sport > Rad
  Fahrradhelm, Fahrradhelme, Radhelm, Kopfschutz, Fahrrad Helm
Sport > Wandern
  Zelt, Zelte, Igluzelt, Campingunterkunft
  Schlafsack, Schlafsäcke, Mumiensack, Daunensack, Schlaf Sack
  Wanderschuhe, Wanderschuh, Bergschuhe, Trekkingstiefel, Wander Schuhe
Kleidung > Oberteile
  Pullover, Pullover, Pulli, Strickpulli
Kleidung > Winter
  Mütze, Mützen, Haube, Beanie
  Handschuhe, Handschuh, Fäustlinge, Fingerlinge, Hand Schuhe
"""
_BRANDS: Final = (
    "Alwina",
    "Brönner",
    "Castell",
    "Dornfeld",
    "Elmshorn",
    "Falk",
    "Grünau",
    "Hollmann",
)
_COLOURS: Final = ("schwarz", "weiß", "grün", "blau", "rot", "grau", "gelb", "braun")
_DETAILS: Final = ("klein", "groß", "leicht", "robust", "faltbar", "günstig")
_WRITTEN_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})

SEARCHES: Final = 10_000
NEW_FROM: Final = 0.8
"""Share of the log in which nobody knows the new words."""

_NEW: Final = 0.4  # of the later searches
_START: Final = datetime(2024, 1, 1, tzinfo=UTC)


def kinds() -> list[Kind]:
    """All kinds of products.

    >>> kinds()[0].plural, len(kinds())
    ('Akkuschrauber', 48)
    """
    found, path = [], ""
    for line in _KINDS.splitlines():
        if not line.startswith(" "):
            path = line
            continue
        noun, plural, word, new, *split = line.strip().split(", ")
        found.append(Kind(noun, path, plural, word, new, split[0] if split else None))
    return found


def new_words() -> frozenset[str]:
    """What no query of the first four fifths holds, as it is typed."""
    words = {kind.new.lower() for kind in kinds()}
    return frozenset(words | {word.translate(_WRITTEN_OUT) for word in words})


def write_shop(folder: Path) -> None:
    """Write `items.parquet` and `searches.parquet`; the same call writes the same rows."""
    folder.mkdir(parents=True, exist_ok=True)
    items = list(_items())
    pl.DataFrame([item for _, item in items]).write_parquet(folder / "items.parquet")
    pl.DataFrame(list(_searches(items))).write_parquet(folder / "searches.parquet")


def _items() -> Iterator[tuple[Kind, dict[str, Any]]]:
    draw = random.Random(11)
    for kind in kinds():
        for brand in _BRANDS:
            for colour in _COLOURS:
                detail = draw.choice(_DETAILS)
                yield (
                    kind,
                    {
                        "item_id": f"{kind.noun}-{brand}-{colour}".lower(),
                        "title": f"{brand} {kind.noun} {detail}, {colour}",
                        "category": kind.path,
                        "brand": brand,
                    },
                )


def _searches(items: list[tuple[Kind, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    draw = random.Random(12)
    of_kind: dict[Kind, list[dict[str, Any]]] = {}
    for kind, item in items:
        of_kind.setdefault(kind, []).append(item)
    for number in range(SEARCHES):
        kind = draw.choice(list(of_kind))
        wish = draw.choice([*_BRANDS, *_COLOURS, *_DETAILS, ""])
        fitting = [item for item in of_kind[kind] if wish in item["title"]]
        later = number >= NEW_FROM * SEARCHES
        clicked = draw.sample(fitting, min(len(fitting), draw.randint(1, 4)))
        yield {
            "query": _query(kind, wish, draw, new=later and draw.random() < _NEW),
            "timestamp": int((_START + timedelta(minutes=number)).timestamp()),
            "clicks": [item["item_id"] for item in clicked],
        }


def _query(kind: Kind, wish: str, draw: random.Random, *, new: bool) -> str:
    """How a shopper says it."""
    ways = (kind.noun, kind.plural, kind.split or kind.noun, kind.word)
    word = kind.new if new else draw.choices(ways, weights=(4, 2, 1, 3))[0]
    query = " ".join(part for part in (word, wish) if part).lower()
    return query.translate(_WRITTEN_OUT) if draw.random() < 0.2 else query
