"""What a shop exports: a CSV of products and a UBI log of searches, with their usual faults.

Both are invented. The same call writes the same bytes, so that documents can show what is printed.
"""

import csv
import itertools
import json
import random
from datetime import UTC, datetime, timedelta

KINDS = {
    "Hand Saw": "Tools > Hand Tools > Saws",
    "Claw Hammer": "Tools > Hand Tools > Hammers",
    "Cordless Drill": "Tools > Power Tools > Drills",
    "Belt Sander": "Tools > Power Tools > Sanders",
    "Garden Hose": "Garden > Watering > Hoses",
    "Watering Can": "Garden > Watering > Cans",
    "Work Gloves": "Garden > Clothing > Gloves",
    "Rain Jacket": "Garden > Clothing > Jackets",
    "Desk Lamp": "Home > Lighting > Desk Lamps",
    "Floor Lamp": "Home > Lighting > Floor Lamps",
    "Bar Stool": "Home > Seating > Stools",
    "Storage Box": "Home > Storage > Boxes",
}
BRANDS = ("Alder", "Brightwell", "Corvid", "Dunmore", "Elmstead")
COLOURS = ("Black", "Blue", "Green", "Red", "White")
SERIES = ("Basic", "Plus", "Pro")
START = datetime(2025, 3, 1, tzinfo=UTC)
SEARCHES = 4_000
PAGE = 10


def products():
    """Rows of `products.csv`; some prices are no numbers, and one product has no name."""
    draw = random.Random(1)
    rows = []
    for kind, brand, colour, series in itertools.product(KINDS, BRANDS, COLOURS, SERIES):
        number = len(rows)
        rows.append(
            {
                "sku": 400_000 + number,
                "name": "" if number == 500 else f"{brand} {series} {kind}, {colour}",
                "category_path": "" if draw.random() < 0.05 else KINDS[kind],
                "manufacturer": brand,
                "price": "on request" if number % 300 == 7 else f"{draw.uniform(5, 120):.2f}",
                "in_stock": "no" if draw.random() < 0.03 else "yes",
                "colour": colour.lower(),
                "warehouse": draw.choice("NS"),
            }
        )
    return rows


def log(catalog):
    """Documents of the two indices; the catalog lost some products since."""
    draw = random.Random(2)
    shelf = {}
    for row in [*catalog, *({"sku": 390_000 + n, "name": "Desk Lamp, Red"} for n in range(5))]:
        for word in row["name"].lower().replace(",", "").split():
            shelf.setdefault(word, set()).add(row["sku"])
    names = {row["sku"]: row["name"].lower() for row in catalog}
    queries, events = [], []
    for number in range(SEARCHES):
        text = _text(draw)
        fitting = sorted(set.intersection(*(shelf[word] for word in text.split())))
        shown = draw.sample(fitting, min(len(fitting), PAGE))
        search = {"query_id": f"q-{number:05}", "client_id": f"c-{draw.randrange(300):03}"}
        time = START + timedelta(seconds=number * 600)
        queries.append(_query(search, time, text, shown))
        if number % 80 == 3:  # a category page, logged without a text
            queries[-1]["user_query"] = ""
        clicked = [
            sku
            for place, sku in enumerate(shown)
            if draw.random() < (0.6 if "pro" in names.get(sku, "") else 0.3) / (place + 1)
        ]
        for sku in clicked:
            place = shown.index(sku)
            events.append(_event(search, time + timedelta(seconds=9 + place), "click", sku, place))
        if clicked and draw.random() < 0.2:
            order = _event(search, time + timedelta(seconds=300), "purchase", clicked[-1], 0)
            if number % 3 == 0:  # the checkout forgot which search it came from
                del order["query_id"]
            events.append(order)
        if number % 4 == 0:
            events.append(_event(search, time, "page_view", None, 0))
    clicks = [event for event in events if event["action_name"] == "click"]
    clicks[100]["query_id"] = clicks[101]["query_id"] = "q-of-last-year"
    clicks[200]["event_attributes"] = {}
    return queries, events


def _text(draw):
    kind = draw.choice(list(KINDS)).lower()
    other = draw.choice([*COLOURS, *BRANDS, *SERIES, "", ""]).lower()
    return f"{other} {kind}".strip()


def _query(search, time, text, shown):
    return search | {
        "application": "shop",
        "user_query": text,
        "timestamp": time.isoformat(),
        "object_id_field": "sku",
        "query_response_hit_ids": [str(sku) for sku in shown],
    }


def _event(search, time, action, sku, place):
    found = {} if sku is None else {"object": {"object_id": sku, "object_id_field": "sku"}}
    return search | {
        "application": "shop",
        "action_name": action,
        "timestamp": time.isoformat(),
        "event_attributes": found | {"position": {"ordinal": place + 1}},
    }


def write_exports(folder):
    """Write `products.csv` and the folder `ubi`; the last line of the events is cut off."""
    (folder / "ubi").mkdir(parents=True)
    catalog = products()
    with (folder / "products.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(catalog[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(catalog)
    queries, events = log(catalog)
    for name, documents in {"ubi_queries": queries, "ubi_events": events}.items():
        text = "".join(json.dumps(document) + "\n" for document in documents)
        end = -40 if name == "ubi_events" else None
        (folder / "ubi" / f"{name}.jsonl").write_text(text[:end], "utf-8")
