"""Making products: which types are sold, by which brands, under which names, in which variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Final

import numpy as np

from genrecall.shop.assortment import DEPARTMENTS, LINES
from genrecall.shop.titles import write_title
from genrecall.shop.traits import ProductType, Trait

ITEMS_PER_TYPE: Final = 50
"""A shop sells one product type for every so many items, until the assortment is exhausted."""

BRANDS: Final = tuple(brand for department in DEPARTMENTS for brand in department.brands)
"""All brands by number."""

_SHORT_FORMS: Final = frozenset({"tv", "pc", "rc", "bbq", "usb", "sd", "led", "mtb", "ac"})
_SHELVES: Final = tuple((top, shelf) for top in DEPARTMENTS for shelf in top.groups)
_BRAND_NUMBER: Final = {brand: number for number, brand in enumerate(BRANDS)}


@dataclass(frozen=True)
class SoldType:
    """A product type at its place in the tree.

    Attributes:
        kind: the type.
        group: number of its group, counted over all departments.
        path: names of department, group and type, as in the `category` column.
    """

    kind: ProductType
    group: int
    path: tuple[str, str, str]


@dataclass(frozen=True)
class Draft:
    """One item; those of the same `product` are variants of each other.

    Attributes:
        product: number of the product.
        type_of: number of its type among those sold.
        brand_of: number of its brand in `BRANDS`.
        price: in the shop's currency.
        attractiveness: what makes any shopper click; roughly a standard normal.
        title: what the shop writes over it.
        name: its model number or line name.
        values: the value of each trait that it has.
    """

    product: int
    type_of: int
    brand_of: int
    price: float
    attractiveness: float
    title: str
    name: str
    values: dict[str, str]


def sold_types(items: int) -> tuple[SoldType, ...]:
    """The types that a shop of this size sells.

    The first type of every group comes before the second of any; very small types count as the
    third at most, so that a shop of moderate size has some.
    """
    ranked: list[tuple[tuple[int, int], SoldType]] = []
    for number, (top, shelf) in enumerate(_SHELVES):
        for position, kind in enumerate(shelf.types):
            rank = min(position, 2) if kind.size < 0.1 else position
            path = (top.name, shelf.name, plural(kind.noun))
            ranked.append(((rank, top.groups.index(shelf)), SoldType(kind, number, path)))
    ranked.sort(key=lambda entry: entry[0])  # stable: departments keep their order
    chosen = [sold for _, sold in ranked[: max(items // ITEMS_PER_TYPE, 2)]]
    return tuple(sorted(chosen, key=lambda sold: sold.group))


def plural(noun: str) -> str:
    """Plural of a noun phrase.

    >>> plural("Cordless Drill"), plural("Car Battery"), plural("Workbench"), plural("Jeans")
    ('Cordless Drills', 'Car Batteries', 'Workbenches', 'Jeans')
    """
    low = noun.lower()
    if low.endswith(("ss", "x", "ch", "sh")):
        return noun + "es"
    if low.endswith("s"):
        return noun
    if low.endswith("y") and low[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if low.endswith("knife"):
        return noun[:-2] + "ves"
    return noun + "s"


class ProductMaker:
    """Makes the products of one type after the other; no two products have the same name."""

    def __init__(self, types: Sequence[SoldType], rng: np.random.Generator) -> None:
        self._types, self._rng = types, rng
        self._made = 0
        self._numbers = rng.permutation(np.arange(1_001, 9_999))
        self._style = rng.integers(0, 12, len(BRANDS))
        self._luxury = rng.normal(0, 0.25, len(BRANDS))
        self._lines = [self._some(LINES, share=0.3) for _ in BRANDS]
        self._shelf_brands = [self._some(top.brands, share=0.6) for top, _ in _SHELVES]
        self._names: set[tuple[int, int, str]] = set()

    def of_type(self, number: int, count: int) -> list[Draft]:
        """Make `count` items of the type with this number."""
        brands = self._some(self._shelf_brands[self._types[number].group], share=0.75)
        shares = 1 / np.arange(1, len(brands) + 1)  # the first brand leads, as in real shops
        shares /= shares.sum()
        drafts: list[Draft] = []
        while len(drafts) < count:
            brand = _BRAND_NUMBER[brands[int(self._rng.choice(len(brands), p=shares))]]
            drafts += self._product(number, brand, at_most=count - len(drafts))
        return drafts

    def _product(self, number: int, brand: int, *, at_most: int) -> list[Draft]:
        kind, rng = self._types[number].kind, self._rng
        name = self._name(number, brand)
        common = {
            trait.key: _pick(trait, rng)
            for trait in kind.traits
            if not trait.varies and rng.random() < trait.share
        }
        level = float(self._luxury[brand] + rng.normal(0, 0.22))
        attractiveness = float(0.8 * self._luxury[brand] + rng.normal(0, 0.9))
        noun = kind.noun
        if kind.synonyms and rng.random() < 0.1:  # some sellers use another noun
            noun = _as_title(kind.synonyms[0])
        unsaid = {key for key in common if key != "audience" and rng.random() < 0.15}
        drafts = []
        for varying in self._variants(kind, at_most):
            values = _in_order({**common, **varying}, kind)
            title = write_title(
                kind,
                brand=BRANDS[brand],
                name=name,
                noun=noun,
                values={key: value for key, value in values.items() if key not in unsaid},
                style=int(self._style[brand]),
            )
            drafts.append(
                Draft(
                    product=self._made,
                    type_of=number,
                    brand_of=brand,
                    price=_price_tag(kind.price * float(np.exp(level + _surcharge(kind, values)))),
                    attractiveness=attractiveness + float(rng.normal(0, 0.3)),
                    title=title,
                    name=name,
                    values=values,
                )
            )
        self._made += 1
        return drafts

    def _variants(self, kind: ProductType, at_most: int) -> list[dict[str, str]]:
        """Distinct values of the traits in which variants differ."""
        varying = [trait for trait in kind.traits if trait.varies]
        if not varying:
            return [{}]
        every = list(combinations(*(trait.values for trait in varying)))
        shares = np.ones(len(every))
        for position, trait in enumerate(varying):
            rank = {value: i for i, value in enumerate(trait.values)}
            shares /= [2 + rank[combination[position]] for combination in every]
        wanted = int(self._rng.choice([1, 2, 3, 4, 6], p=[0.3, 0.25, 0.2, 0.15, 0.1]))
        count = min(wanted, at_most, len(every))
        chosen = self._rng.choice(len(every), count, replace=False, p=shares / shares.sum())
        keys = [trait.key for trait in varying]
        return [dict(zip(keys, every[int(i)], strict=True)) for i in chosen]

    def _name(self, number: int, brand: int) -> str:
        if not self._types[number].kind.named:
            name = BRANDS[brand].upper()
            consonant = next(letter for letter in name[1:] if letter not in "AEIOUY")
            turn, at = divmod(self._made, len(self._numbers))
            return f"{name[0]}{consonant}-{self._numbers[at]}{'ABCDEFGHIJ'[turn] if turn else ''}"
        lines = self._lines[brand]
        line = name = lines[int(self._rng.integers(len(lines)))]
        generation = 1
        while (number, brand, name) in self._names:
            generation += 1
            name = f"{line} {generation}"
        self._names.add((number, brand, name))
        return name

    def _some(self, names: Sequence[str], *, share: float) -> list[str]:
        count = max(2, round(share * len(names)))
        return [names[int(i)] for i in self._rng.permutation(len(names))[:count]]


def _as_title(noun: str) -> str:
    """Title case that leaves short forms such as TV alone."""
    words = [word.upper() if word in _SHORT_FORMS else word.capitalize() for word in noun.split()]
    return " ".join(words)


def _pick(trait: Trait, rng: np.random.Generator) -> str:
    shares = 1 / (2 + np.arange(len(trait.values)))
    return trait.values[int(rng.choice(len(trait.values), p=shares / shares.sum()))]


def _in_order(values: Mapping[str, str], kind: ProductType) -> dict[str, str]:
    return {trait.key: values[trait.key] for trait in kind.traits if trait.key in values}


def _surcharge(kind: ProductType, values: Mapping[str, str]) -> float:
    """What large, strong or many adds to the log of the price; 0 for a middling product."""
    total = 0.0
    for trait in kind.traits:
        if trait.costs and trait.key in values and len(trait.values) > 1:
            ascending = sorted(trait.values, key=_amount)
            place = ascending.index(values[trait.key]) / (len(ascending) - 1)
            total += 0.7 * (place - 0.5)
    return total


def _amount(value: str) -> float:
    """Number of a measured value: "1-1/4 in" is 1.25."""
    number = value.split(" ")[0]
    return sum(
        int(part.split("/")[0]) / int(part.split("/")[1]) if "/" in part else float(part)
        for part in number.split("-")
    )


def _price_tag(price: float) -> float:
    """A price as shops write it: 19.99, 249.00."""
    return max(round(price), 1) - 0.01 if price < 100 else float(round(price / 5) * 5 - 1)
