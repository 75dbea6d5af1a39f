"""What a shop writes over its products: "Corvane 18V Brushless Cordless Drill CV-4120, Red"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from genrecall.shop.traits import ProductType
from genrecall.shop.units import spelling

_AUDIENCES: Final = ("Women's", "Men's", "Kids'", "Kids")

Values = Mapping[str, str]
"""The value of each trait of an item, in the order in which titles name them."""


def write_title(
    kind: ProductType, *, brand: str, name: str, noun: str, values: Values, style: int
) -> str:
    """Write one title.

    Args:
        kind: the product's type.
        brand: its brand.
        name: its model number, or line name if `kind.named`.
        noun: the head noun to use.
        values: what to say about it; traits that are left out are not named.
        style: any number; a brand writes all its titles in one style.

    >>> from genrecall.shop.traits import colour, feature, measure, product
    >>> traits = (measure("voltage", "V", 18), feature("Compact"), colour("Red"))
    >>> drill = product("Cordless Drill", "", 110, *traits)
    >>> values = {"voltage": "18 V", "feature": "Compact", "color": "Red"}
    >>> for style in (0, 4):
    ...     write_title(drill, brand="Corvane", name="CV-4120", noun=drill.noun, values=values,
    ...                 style=style)
    'Corvane 18 V Compact Cordless Drill CV-4120, Red'
    'Corvane CV-4120 Compact Cordless Drill 18-Volt - Red'
    """
    numbers_last = style > 0 and style % 4 == 0
    front: list[str] = []
    late: list[str] = []
    back: list[str] = []
    for trait in kind.traits:
        value = values.get(trait.key)
        if value is None or value.lower() in noun.lower():
            continue
        forms = spelling(value).titles
        text = forms[style // 2 % len(forms)]
        if trait.place == "back":
            back.append(f"Size {text}" if trait.key == "size" and text.isdigit() else text)
        elif numbers_last and text[0].isdigit():
            late.append(text)
        else:
            front.append(text)
    front.sort(key=lambda text: text not in _AUDIENCES)  # "Women's Waterproof …"
    name_first = kind.named or numbers_last
    words = [brand, *([name] if name_first else []), *front, noun, *late]
    start = " ".join(words if name_first else [*words, name])
    return (" - " if numbers_last else ", ").join([start, *([", ".join(back)] if back else [])])
