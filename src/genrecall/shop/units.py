"""How one value is spelled: "18 V" is "18-Volt" in a title and "18v" in a query."""

from __future__ import annotations

from typing import Final, NamedTuple


class Spelling(NamedTuple):
    """Forms of a unit; `{}` stands for the number."""

    titles: tuple[str, ...]
    queries: tuple[str, ...]


def _measure(short: str, title: str, *spoken: str) -> Spelling:
    titles = (f"{{}} {short}", f"{{}}{short}", f"{{}}-{title}")
    low = short.lower().replace(".", "")
    queries = (f"{{}} {low}", f"{{}}{low}", *(f"{{}} {word}" for word in spoken))
    return Spelling(titles, tuple(dict.fromkeys(queries)))


UNITS: Final[dict[str, Spelling]] = {
    "V": _measure("V", "Volt", "volt", "volts"),
    "W": _measure("W", "Watt", "watt", "watts"),
    "A": _measure("A", "Amp", "amp", "amps"),
    "Ah": _measure("Ah", "Amp Hour", "amp hour"),
    "mAh": _measure("mAh", "mAh"),
    "L": _measure("L", "Liter", "liter", "litre", "liters"),
    "qt": _measure("qt.", "Quart", "quart", "quarts"),
    "gal": _measure("gal.", "Gallon", "gallon", "gallons"),
    "oz": _measure("oz.", "Ounce", "ounce", "ounces"),
    "lb": _measure("lb.", "Pound", "pound", "lbs", "pounds"),
    "in": Spelling(
        ("{} in.", '{}"', "{}-Inch"), ("{} inch", "{}in", "{} in", '{}"', "{} inches", "{}-inch")
    ),
    "ft": _measure("ft.", "Foot", "foot", "feet"),
    "cu ft": _measure("cu. ft.", "Cubic Foot", "cubic foot"),
    "GB": _measure("GB", "GB", "gig"),
    "TB": _measure("TB", "TB", "terabyte"),
    "BTU": Spelling(("{} BTU",), ("{} btu", "{}btu")),
    "lumen": Spelling(("{} Lumen",), ("{} lumen", "{} lumens", "{}lm")),
    "cup": Spelling(("{}-Cup", "{} Cup"), ("{} cup", "{}-cup", "{} cups")),
    "drawer": Spelling(("{}-Drawer", "{} Drawer"), ("{} drawer", "{}-drawer")),
    "light": Spelling(("{}-Light", "{} Light"), ("{} light", "{}-light")),
    "outlet": Spelling(("{}-Outlet", "{} Outlet"), ("{} outlet", "{} outlets")),
    "pack": Spelling(
        ("{}-Pack", "Pack of {}", "{} Count"), ("{} pack", "pack of {}", "{}-pack", "{}pk")
    ),
    "person": Spelling(("{}-Person", "{} Person"), ("{} person", "{}-person", "{} man")),
    "piece": Spelling(("{}-Piece", "{} Pc."), ("{} piece", "{} pc", "{}-piece")),
    "speed": Spelling(("{}-Speed", "{} Speed"), ("{} speed", "{}-speed")),
    "tier": Spelling(("{}-Tier", "{} Tier"), ("{} tier", "{}-tier")),
}
"""By the unit of the canonical value, which is the number, a space and the unit."""

WORDS: Final[dict[str, Spelling]] = {
    "Women's": Spelling(("Women's",), ("womens", "women's", "women", "ladies")),
    "Men's": Spelling(("Men's",), ("mens", "men's", "men")),
    "Kids'": Spelling(("Kids'", "Kids"), ("kids", "childrens", "boys", "girls")),
    "Small": Spelling(("Small", "S"), ("small", "size s")),
    "Medium": Spelling(("Medium", "M"), ("medium", "size m")),
    "Large": Spelling(("Large", "L"), ("large", "size l")),
    "X-Large": Spelling(("X-Large", "XL"), ("xl", "x-large", "extra large")),
    "Grey": Spelling(("Grey", "Gray"), ("grey", "gray")),
    "Stainless Steel": Spelling(("Stainless Steel",), ("stainless steel", "stainless", "steel")),
    "Waterproof": Spelling(("Waterproof",), ("waterproof", "water proof")),
    "Cordless": Spelling(("Cordless",), ("cordless", "battery powered", "wireless")),
}
"""Values without a unit that have more than one spelling."""


def spelling(value: str) -> Spelling:
    """All forms of a canonical value, the commonest first.

    >>> spelling("18 V").titles
    ('18 V', '18V', '18-Volt')
    >>> spelling("18 V").queries
    ('18 v', '18v', '18 volt', '18 volts')
    >>> spelling("Walnut").queries
    ('walnut',)
    """
    number, _, unit = value.partition(" ")
    if unit in UNITS and number[0].isdigit():
        forms = UNITS[unit]
        return Spelling(
            tuple(form.format(number) for form in forms.titles),
            tuple(form.format(number) for form in forms.queries),
        )
    if value in WORDS:
        return WORDS[value]
    return Spelling((value,), (value.lower(),))
