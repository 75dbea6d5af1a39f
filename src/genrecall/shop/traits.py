"""What the assortment is made of: departments, groups, product types and their traits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Place = Literal["front", "back"]
"""Where a title names a trait: before the noun, or at the end after a comma."""


@dataclass(frozen=True)
class Trait:
    """Something that tells the products of one type apart.

    Attributes:
        key: name of the attribute.
        values: what it can be, the commonest first, spelled as in the attributes.
        place: where titles name it.
        varies: whether the variants of one product differ in it.
        share: share of the products that have it.
        costs: whether later values cost more.
    """

    key: str
    values: tuple[str, ...]
    place: Place = "front"
    varies: bool = False
    share: float = 1.0
    costs: bool = False


@dataclass(frozen=True)
class ProductType:
    """One kind of product.

    Attributes:
        noun: head noun of its titles.
        synonyms: other nouns that shoppers, and some titles, use for it; in lower case.
        price: median price.
        traits: what its products differ in.
        demand: how much it is searched for, against 1 for an ordinary type.
        size: how many products it has, against 1 for an ordinary type.
        named: whether products have a line name ("Drift") instead of a model number.
    """

    noun: str
    synonyms: tuple[str, ...]
    price: float
    traits: tuple[Trait, ...]
    demand: float
    size: float
    named: bool


@dataclass(frozen=True)
class Group:
    """A shelf of related product types; `asked_as` are the words of a broad query for it."""

    name: str
    asked_as: tuple[str, ...]
    types: tuple[ProductType, ...]


@dataclass(frozen=True)
class Department:
    """A department; its brands sell in several of its groups."""

    name: str
    asked_as: tuple[str, ...]
    brands: tuple[str, ...]
    groups: tuple[Group, ...]


def product(
    noun: str,
    synonyms: str,
    price: float,
    *traits: Trait,
    demand: float = 1.0,
    size: float = 1.0,
) -> ProductType:
    """Describe a product type; synonyms are separated by commas."""
    return ProductType(noun, _split(synonyms), price, traits, demand, size, named=False)


def group(
    name: str,
    asked_as: str,
    *types: ProductType,
    shared: tuple[Trait, ...] = (),
    named: bool = False,
) -> Group:
    """Put types on one shelf; `shared` traits come before those of each type."""
    full = tuple(replace(kind, traits=(*shared, *kind.traits), named=named) for kind in types)
    return Group(name, _split(asked_as), full)


def department(name: str, asked_as: str, brands: str, *groups: Group) -> Department:
    """Put groups into a department; brands are separated by commas."""
    return Department(name, _split(asked_as), _split(brands), groups)


def measure(key: str, unit: str, *numbers: float | str, place: Place = "front") -> Trait:
    """A number with a unit, such as `measure("voltage", "V", 12, 18)`; more costs more."""
    return Trait(key, tuple(f"{number} {unit}" for number in numbers), place, costs=True)


def pack(*counts: int) -> Trait:
    """How many pieces are sold together; variants differ in it."""
    return replace(measure("pack_size", "pack", *counts, place="back"), varies=True)


def choice(key: str, *values: str, share: float = 1.0, varies: bool = False) -> Trait:
    """One of a few words before the noun."""
    return Trait(key, values, varies=varies, share=share)


def material(*values: str) -> Trait:
    """What it is made of."""
    return choice("material", *values)


def feature(*values: str, share: float = 0.6) -> Trait:
    """A selling point that some products have."""
    return choice("feature", *values, share=share)


def colour(*values: str) -> Trait:
    """Colours; variants differ in them."""
    return Trait("color", values, "back", varies=True)


def sizes(*values: float | str) -> Trait:
    """Sizes; variants differ in them."""
    return Trait("size", tuple(str(value) for value in values), "back", varies=True)


def audience(*values: str) -> Trait:
    """Whom it is made for: `Women's`, `Men's`, `Kids'`."""
    return choice("audience", *values)


def _split(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(",") if word.strip())
