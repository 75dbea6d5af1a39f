"""What the synthetic shop sells: product types in a tree, with invented brands. Data only."""

from __future__ import annotations

from typing import Final

from genrecall.shop.assortment.home import APPLIANCES, FURNITURE, GARDEN, KITCHEN
from genrecall.shop.assortment.leisure import BABY, BEAUTY, PETS, SPORTS
from genrecall.shop.assortment.technology import AUTO, ELECTRONICS, HARDWARE, OFFICE, TOOLS
from genrecall.shop.assortment.wear import CLOTHING, SHOES
from genrecall.shop.traits import Department

DEPARTMENTS: Final[tuple[Department, ...]] = (
    TOOLS, HARDWARE, KITCHEN, APPLIANCES, FURNITURE, GARDEN, SHOES, CLOTHING,
    ELECTRONICS, SPORTS, BABY, BEAUTY, PETS, OFFICE, AUTO,
)  # fmt: skip

LINES: Final[tuple[str, ...]] = (
    "Drift", "Summit", "Harbor", "Cascade", "Ember", "Willow", "Meridian", "Juniper", "Comet",
    "Prairie", "Solstice", "Voyager", "Lagoon", "Granite", "Saffron", "Breeze", "Nomad",
    "Aurora", "Cinder", "Fable", "Tundra", "Marigold", "Orbit", "Canyon", "Heron", "Velvet",
    "Pioneer", "Clover", "Zenith", "Birch", "Ripple", "Monarch", "Indigo", "Alder", "Quartz",
    "Sierra", "Lark", "Falcon", "Maple", "Coral", "Echo", "Sable", "Tempo", "Vesper", "Rowan",
    "Opal", "Delta", "Fjord",
)  # fmt: skip
"""Names of product lines, for products that have no model number."""
