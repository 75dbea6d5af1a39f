"""Exports of widespread shop systems, known by the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple


@dataclass(frozen=True)
class Preset:
    """An export of products.

    Attributes:
        name: of the shop system.
        signs: names of columns that it has, and hardly any other has together; in each language.
        columns: their columns that may be ours, the best first.
        dialect: how it is written, as far as that is always so.
        first_row_of: as in the config.
        note: what to know about it.
    """

    name: str
    signs: Sequence[frozenset[str]]
    columns: Mapping[str, tuple[str, ...]]
    dialect: Mapping[str, Any] = field(default_factory=dict)
    first_row_of: str | None = None
    note: str = ""


_A_PRODUCT: Final = (
    "an item is a product, known by its handle, with the price of its first variant; if your log "
    "knows products by another column, map `item_id` to it"
)


class _Woo(NamedTuple):
    """Columns of WooCommerce, which writes them in the language of the shop's back office.

    Attributes:
        sku: the shop's own name of an item.
        title: of it.
        price: without an offer.
        category: its paths.
        also: what tells it from others' exports, where these names are everybody's.
    """

    sku: str
    title: str
    price: str
    category: str
    also: str = "ID"


_WOO_SIGNS: Final = (
    _Woo("SKU", "Name", "Regular price", "Categories"),
    _Woo("Artikelnummer", "Name", "Regulärer Preis", "Kategorien"),
    _Woo("UGS", "Nom", "Tarif régulier", "Catégories"),
    _Woo("SKU", "Nombre", "Precio normal", "Categorías"),
    _Woo("COD", "Nome", "Prezzo di listino", "Categorie"),
    _Woo("SKU", "Naam", "Reguliere prijs", "Categorieën"),
    _Woo("SKU", "Nazwa", "Cena", "Kategorie", also="Opublikowano"),
)

PRESETS: Final = (
    Preset(
        "Shopify",
        (frozenset({"Handle", "Title", "Vendor", "Variant Price"}),),
        {
            "item_id": ("Handle",),
            "title": ("Title",),
            "category": ("Product Category", "Type"),
            "brand": ("Vendor",),
            "price": ("Variant Price",),
            "available": ("Status", "Published"),
        },
        first_row_of="Handle",
        note=_A_PRODUCT,
    ),
    Preset(  # its newer template
        "Shopify",
        (frozenset({"URL handle", "Title", "Vendor", "Price"}),),
        {
            "item_id": ("URL handle",),
            "title": ("Title",),
            "category": ("Product category", "Type"),
            "brand": ("Vendor",),
            "price": ("Price",),
            "available": ("Status", "Published on online store"),
        },
        first_row_of="URL handle",
        note=_A_PRODUCT,
    ),
    Preset(
        "WooCommerce",
        tuple(frozenset({"ID", *names}) for names in _WOO_SIGNS),
        {
            "item_id": ("ID",),
            "title": tuple(names.title for names in _WOO_SIGNS),
            "category": tuple(names.category for names in _WOO_SIGNS),
            "brand": ("Brands", "Brand", "Marken", "Marques", "Marque", "Marcas"),
            "price": tuple(names.price for names in _WOO_SIGNS),
            "available": (
                *("In stock?", "Vorrätig?", "En stock ?", "¿Existencias?", "Op voorraad?"),
                "W magazynie?",
            ),
            "group_id": (
                *("Parent", "Übergeordnetes Produkt", "Superior", "Genitore"),
                "Element nadrzędny",
            ),
        },
        {"path_separator": ","},
        note="items are known by their ID; if your log holds SKUs, map `item_id` to their column. "
        "Products that are not published are read, too: export without them",
    ),
    Preset(
        "Magento",
        (frozenset({"sku", "attribute_set_code", "product_type", "categories"}),),
        {
            "item_id": ("sku",),
            "title": ("name",),
            "category": ("categories",),
            "price": ("price",),
            "available": ("is_in_stock", "product_online"),
        },
        {"level_separator": "/", "path_separator": ","},
    ),
    Preset(
        "Google Merchant",
        (frozenset({"id", "title", "link", "price", "availability"}),),
        {
            "item_id": ("id",),
            "title": ("title",),
            "category": ("product_type", "google_product_category"),
            "brand": ("brand",),
            "price": ("price",),
            "available": ("availability",),
            "group_id": ("item_group_id",),
        },
    ),
)


def find_preset(names: Sequence[str]) -> Preset | None:
    """Find the shop system whose columns these are; a blank may stand for an underscore.

    >>> found = find_preset(["id", "title", "link", "price", "availability", "image link"])
    >>> found.name
    'Google Merchant'
    """
    known = {_plain(name) for name in names}
    return next(
        (
            preset
            for preset in PRESETS
            if any({_plain(sign) for sign in signs} <= known for signs in preset.signs)
        ),
        None,
    )


def preset_columns(preset: Preset, names: Sequence[str]) -> dict[str, str]:
    """Their column behind each of ours, of those that are there."""
    theirs = {_plain(name): name for name in reversed(names)}
    found = {}
    for ours, candidates in preset.columns.items():
        hit = next((theirs[_plain(name)] for name in candidates if _plain(name) in theirs), None)
        if hit is not None:
            found[ours] = hit
    return found


def _plain(name: str) -> str:
    """A name with plain blanks, also for its underscores: Google's are written both ways."""
    return " ".join(name.replace("_", " ").split())
