"""Words of shops in English, German, French, Spanish, Italian, Dutch and Polish.

`init` knows them, and writes those that it saw into the config; nothing is read by them unasked.
"""

from __future__ import annotations

from typing import Final

from genrecall.data.values.words import plain_word

_YES: Final = """
true t y yes on ja j oui vrai si sí sì verdadero vero waar tak prawda wahr
in stock|instock|in_stock|available|auf lager|lieferbar|sofort lieferbar|verfügbar|vorrätig
en stock|disponible|disponibile|en existencias|op voorraad|leverbaar|beschikbaar
dostępny|w magazynie|backorder|on backorder|onbackorder|preorder|pre-order
limited availability|active|enabled|published
aktiv|activo|attivo|actif|actief|aktywny|aktywne|dostępne
"""
_NO: Final = """
false f n no off nein non faux falso nee onwaar nie fałsz falsch
out of stock|outofstock|out_of_stock|oos|unavailable|sold out|soldout|discontinued|not available
ausverkauft|vergriffen|nicht verfügbar|nicht lieferbar|nicht auf lager|nicht vorrätig
rupture|en rupture|rupture de stock|épuisé|indisponible|no disponible|agotado|sin existencias
non disponibile|esaurito|niet op voorraad|niet leverbaar|niet beschikbaar|uitverkocht
niedostępny|niedostępne|brak|brak w magazynie|wyprzedane|draft|archived|disabled
unpublished|inactive|inaktiv|inactivo|inattivo|inactif|inactief|nieaktywny|nieaktywne
"""


def _words(lines: str) -> set[str]:
    """Words of a line: between bars, or else between blanks."""
    return {
        word
        for line in lines.strip().splitlines()
        for word in (line.split("|") if "|" in line else line.split())
        if word
    }


_EMPTY: Final = """
null nil none nan n/a na #n/a #nv k.a. n.v. b/d s/o \\n <na> ? - -- – —
k. a.|0000-00-00|0000-00-00 00:00:00
"""
_MONEY: Final = """
€ eur euro
$ usd us$
£ gbp
chf fr. sfr sfr.
zł zl zł. zl. pln
kr kr. sek nok dkk
kč kc czk
ft huf
lei ron
лв лв. bgn
₺ tl try
₹ rs rs. inr
¥ jpy cny
₽ руб руб. rub
₴ грн грн. uah
r$ brl
ca$ c$ cad
a$ au$ aud
nz$ nzd
hk$ hkd
s$ sgd
mx$ mxn
zar
aed
sar
"""

EMPTY: Final = frozenset(_words(_EMPTY))
"""Of a missing value, in lower case."""

MONEY: Final = {
    name: names[0] for names in map(str.split, _MONEY.strip().splitlines()) for name in names
}
"""Signs and names of currencies, in lower case, and the first that means the same; others are known
by the kind of their sign."""

FLAGS: Final = dict.fromkeys(map(plain_word, _words(_NO)), False) | dict.fromkeys(
    map(plain_word, _words(_YES)), True
)
"""What can be bought, also what comes later, and what cannot; as `plain_word` writes it."""
