"""What a German shop exports by Excel: semicolons, decimal commas, Windows-1252, HTML in texts.

Invented. The products are laid out as Shopify's, variants and pictures in rows of their own. The
same call writes the same bytes, so that documents can show what is printed.
"""

import csv
import html
import io
import itertools
import random
from datetime import datetime, timedelta

KINDS = {
    "Akkuschrauber": "Werkzeug > Elektrowerkzeug > Akkuschrauber",
    "Stichsäge": "Werkzeug > Elektrowerkzeug > Sägen",
    "Bügelsäge": "Werkzeug > Handwerkzeug > Sägen",
    "Gartenschlauch": "Garten > Bewässerung > Schläuche",
    "Gießkanne": "Garten > Bewässerung > Kannen",
    "Hochdruckreiniger": "Garten > Reinigung > Hochdruckreiniger",
    "Schreibtischlampe": "Wohnen > Licht > Lampen",
    "Küchenstuhl": "Wohnen > Möbel > Stühle",
}
BRANDS = ("Müller", "Grünwald", "Hansen", "Köhler")
COLOURS = ("schwarz", "grün", "weiß")
SERIES = ("Basis", "Profi", "Größe XL")
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", " ": "-"})
START = datetime(2024, 2, 1, 8)
SEARCHES = 1_600


def handle(text):
    return text.lower().translate(UMLAUTS)


def money(amount):
    """`1.299,00`, and without decimal places where there are no cents."""
    text = f"{amount:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
    return text.removesuffix(",00")


def products():
    """Handle, name, kind and price of each product."""
    draw = random.Random(4)
    for kind, brand, colour, series in itertools.product(KINDS, BRANDS, COLOURS, SERIES):
        name = f"{brand} {kind} {series}, {colour}"
        price = draw.uniform(5, 1500)
        yield handle(name.replace(",", "")), name, kind, round(price) if price > 900 else price


def product_rows():
    draw = random.Random(5)
    for key, name, kind, price in products():
        title = "".join(f"&{html.entities.codepoint2name[ord(char)]};" if ord(char) > 127 else char
                        for char in name)  # fmt: skip
        first = {
            "Handle": key,
            "Title": f"<b>Neu:</b> {title}" if draw.random() < 0.1 else title,
            "Vendor": name.split()[0],
            "Product Category": html.escape(KINDS[kind]) if draw.random() < 0.95 else "-",
            "Variant SKU": f"{key[:3].upper()}-{draw.randrange(10_000):04}",
            "Variant Price": "auf Anfrage" if draw.random() < 0.01 else f"{money(price)} €",
            "Image Src": f"{key}-1.jpg",
            "Status": "draft" if draw.random() < 0.04 else "active",
        }
        yield first
        yield {"Handle": key, "Variant SKU": "X", "Variant Price": f"{money(price + 4)} €"}
        yield {"Handle": key, "Image Src": f"{key}-2.jpg"}


def search_rows():
    draw = random.Random(6)
    catalog = list(products())
    for number in range(SEARCHES):
        kind = draw.choice(list(KINDS))
        other = draw.choice([*BRANDS, *COLOURS, "Profi", "", ""])
        fitting = [key for key, name, of_kind, _ in catalog if of_kind == kind and other in name]
        shown = draw.sample(fitting, min(len(fitting), 8))
        clicked = [
            key for place, key in enumerate(shown)
            if draw.random() < (0.6 if "profi" in key else 0.3) / (place + 1)
        ]  # fmt: skip
        time = START + timedelta(minutes=number * 27)
        yield {
            "Suchbegriff": f"{kind} {other}".strip().lower(),
            "Zeitpunkt": time.strftime("%d.%m.%Y %H:%M"),
            "Kundennummer": f"K{draw.randrange(200):03}",
            "Angezeigt": ", ".join(shown),
            "Angeklickt": ", ".join(clicked),
            "Gekauft": clicked[-1] if clicked and draw.random() < 0.2 else "",
        }


def write_german_exports(folder):
    """Write `produkte.csv` and `suchen.csv`."""
    for name, rows in {"produkte": product_rows(), "suchen": search_rows()}.items():
        rows = list(rows)
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, list(rows[0]), delimiter=";", lineterminator="\r\n")
        table.writeheader()
        table.writerows(rows)
        (folder / f"{name}.csv").write_bytes(text.getvalue().encode("cp1252"))
