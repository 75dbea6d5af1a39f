"""Shoes and clothing: line names instead of model numbers, sizes, an audience."""

from __future__ import annotations

from genrecall.shop.traits import (
    audience,
    choice,
    colour,
    department,
    feature,
    group,
    material,
    measure,
    pack,
    product,
    sizes,
)

_ANYONE = audience("Women's", "Men's", "Kids'")
_ADULTS = audience("Women's", "Men's")
_WOMEN = audience("Women's")
_MEN = audience("Men's")
_SHOE_SIZES = sizes(8, 9, 7, 10, 6, 11, 12)
_SIZES = sizes("Medium", "Large", "Small", "X-Large")
_WEAR = colour("Black", "White", "Navy", "Grey", "Red", "Olive", "Pink", "Burgundy", "Beige")
_LEATHERS = colour("Black", "Brown", "Tan", "Burgundy")

SHOES = department(
    "Shoes",
    "shoes, footwear",
    "Strydane, Pacerra, Solevo, Trekkona, Fleetora, Marchwell, Zephyrun, Kickaro, Heelora, "
    "Tarsano, Bootwick, Lacewyn",
    group(
        "Athletic Shoes",
        "athletic shoes, sport shoes",
        product("Running Shoes", "trainers, sneakers, jogging shoes", 95, _ANYONE,
                feature("Cushioned", "Trail", "Lightweight"), demand=4, size=2),
        product("Walking Shoes", "comfort shoes, walkers", 75, _ADULTS,
                feature("Slip-On", "Wide Fit")),
        product("Basketball Shoes", "basketball sneakers, high tops", 110, _ANYONE,
                feature("High-Top")),
        product("Fashion Sneakers", "sneakers, trainers, casual shoes", 70, _ANYONE,
                material("Canvas", "Leather", "Suede"), demand=2.5, size=1.6),
        shared=(_SHOE_SIZES, _WEAR),
        named=True,
    ),
    group(
        "Boots",
        "boots",
        product("Hiking Boots", "trekking boots, hiking shoes", 125, _ADULTS,
                feature("Waterproof", "Mid-Height"), demand=1.5, size=1.3),
        product("Work Boots", "safety boots, safety shoes", 120, _ADULTS,
                feature("Steel Toe", "Waterproof", share=0.8)),
        product("Rain Boots", "wellies, rubber boots", 45, _ANYONE, material("Rubber")),
        product("Ankle Boots", "booties, short boots", 88, _WOMEN, material("Leather", "Suede")),
        shared=(_SHOE_SIZES, colour("Brown", "Black", "Tan", "Olive", "Red")),
        named=True,
    ),
    group(
        "Casual Shoes",
        "casual footwear, everyday shoes",
        product("Sandals", "flip flops, summer shoes", 42, _ANYONE,
                feature("Strappy", "Slide", "Sport"), demand=1.5),
        product("Slippers", "house shoes, indoor shoes", 30, _ANYONE, material("Fleece", "Suede")),
        product("Loafers", "slip on shoes, moccasins", 85, _ADULTS, material("Leather", "Suede")),
        product("Ballet Flats", "flats, ballerinas", 48, _WOMEN),
        product("High Heels", "pumps, stilettos", 72, _WOMEN, material("Leather", "Satin")),
        product("Dance Shoes", "ballroom shoes", 64, _WOMEN, size=0.06),
        shared=(_SHOE_SIZES, _LEATHERS),
        named=True,
    ),
)  # fmt: skip

CLOTHING = department(
    "Clothing",
    "clothing, clothes",
    "Wovenby, Threadmoor, Modarelle, Jerseva, Denimarsh, Layerly, Stitchaven, Norvellan, Garmondo, "
    "Velourie, Fibrana, Knitsby, Brisanta, Tweedale",
    group(
        "Tops",
        "tops, shirts",
        product("T-Shirt", "tee, tshirt", 19, _ANYONE, material("Cotton", "Linen"),
                feature("Graphic", "V-Neck", "Long Sleeve"), demand=3, size=1.5),
        product("Hoodie", "hooded sweatshirt, hoody", 45, _ANYONE,
                feature("Zip-Up", "Pullover"), demand=2),
        product("Sweater", "jumper, pullover", 55, _ADULTS, material("Wool", "Cashmere", "Cotton"),
                feature("Crewneck", "Turtleneck")),
        product("Dress Shirt", "button down shirt, formal shirt", 42, _MEN,
                choice("fit", "Slim Fit", "Regular Fit")),
        product("Polo Shirt", "golf shirt, collared shirt", 34, _ADULTS),
        product("Tank Top", "sleeveless shirt, vest top", 17, _ADULTS, feature("Athletic")),
        shared=(_SIZES, _WEAR),
        named=True,
    ),
    group(
        "Bottoms",
        "bottoms, pants, trousers",
        product("Jeans", "denim pants, denims", 58, _ANYONE,
                choice("fit", "Slim", "Straight", "Skinny", "Relaxed"), demand=3, size=1.4),
        product("Leggings", "yoga pants, tights", 36, _WOMEN, feature("High-Waisted", "Fleece"),
                demand=1.5),
        product("Chinos", "khakis, casual trousers", 49, _MEN, choice("fit", "Slim", "Straight")),
        product("Shorts", "short pants, bermudas", 30, _ANYONE, feature("Cargo", "Athletic")),
        product("Joggers", "sweatpants, track pants", 40, _ANYONE),
        product("Skirt", "midi skirt, a line skirt", 38, _WOMEN,
                choice("cut", "Pleated", "Pencil", "Wrap")),
        shared=(_SIZES, colour("Black", "Dark Blue", "Grey", "Khaki", "Light Blue", "Olive")),
        named=True,
    ),
    group(
        "Outerwear",
        "outerwear, coats and jackets",
        product("Rain Jacket", "raincoat, rain coat", 82, _ANYONE, feature("Packable", "Hooded")),
        product("Puffer Jacket", "quilted jacket, padded jacket", 125, _ADULTS,
                material("Down", "Synthetic"), demand=1.5),
        product("Fleece Jacket", "fleece pullover, polar fleece", 58, _ANYONE),
        product("Winter Coat", "parka, overcoat", 155, _ADULTS, material("Wool", "Down")),
        shared=(_SIZES, _WEAR),
        named=True,
    ),
    group(
        "Dresses",
        "dresses",
        product("Maxi Dress", "long dress, sundress", 56, _WOMEN, feature("Floral", "Sleeveless"),
                demand=1.5),
        product("Cocktail Dress", "party dress, evening dress", 84, _WOMEN,
                material("Lace", "Satin", "Velvet")),
        shared=(_SIZES, _WEAR),
        named=True,
    ),
    group(
        "Underwear & Sleepwear",
        "underwear, sleepwear",
        product("Crew Socks", "socks, athletic socks", 15, _ANYONE, material("Cotton", "Wool"),
                pack(3, 6, 12)),
        product("Boxer Briefs", "trunks, boxers", 24, _MEN, _SIZES, pack(3, 5)),
        product("Sports Bra", "workout bra, athletic bra", 30, _WOMEN, _SIZES, _WEAR),
        product("Pajama Set", "pyjamas, pjs", 38, _ANYONE, material("Flannel", "Satin", "Cotton"),
                _SIZES, _WEAR),
        named=True,
    ),
    group(
        "Accessories",
        "fashion accessories",
        product("Leather Belt", "dress belt, waist belt", 32, _ADULTS, _SIZES, _LEATHERS),
        product("Baseball Cap", "ball cap, trucker hat", 21, _WEAR),
        product("Beanie", "knit hat, winter hat", 18, material("Wool", "Acrylic"), _WEAR),
        product("Winter Gloves", "warm gloves, touchscreen gloves", 26, _ADULTS, _SIZES, size=0.6),
        product("Wallet", "billfold, card holder", 38, _ADULTS, material("Leather", "Canvas"),
                _LEATHERS),
        product("Sunglasses", "shades, sun glasses", 62, choice("shape", "Aviator", "Round",
                "Square"), feature("Polarized"), colour("Black", "Brown", "Gold"), demand=1.5),
        product("Backpack", "rucksack, bookbag", 58, measure("volume", "L", 25, 20, 35),
                feature("Laptop", "Waterproof"), _WEAR, demand=2),
        named=True,
    ),
)  # fmt: skip
