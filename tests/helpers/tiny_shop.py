"""A shop of 120 items that a pipeline run gets through in a second or two; for tests."""

import json

import yaml

COLORS = ("red", "blue", "green", "black", "white")
BRANDS = ("Acme", "Bolt", "Corvid", "Dorn")
KINDS = {
    "cordless drill": ("Tools", "Drills"),
    "circular saw": ("Tools", "Saws"),
    "running shoes": ("Sport", "Shoes"),
    "rain jacket": ("Sport", "Jackets"),
    "coffee maker": ("Kitchen", "Coffee"),
    "table lamp": ("Home", "Lamps"),
}
SETTINGS = {
    "embed": {
        "views": ["in_domain"],
        "subwords": {"vocabulary": 300, "pair_buckets": 64},
        "in_domain": {"width": 16, "dim": 8, "steps": 20, "batch": 32},
    },
    "quantize": {
        "min_items": 5,
        "items_per_sid": 3,
        "training": {"epochs": 2, "hidden": 16, "batch_size": 32},
    },
    "generator": {
        "dim": 8,
        "width": 16,
        "item_to_sid": {"steps": 4, "batch": 32},
        "query_to_sid": {"steps": 8, "batch": 32},
        "user_query_to_sid": {"steps": 8, "batch": 32},
        "pseudo_queries": 100,
        "teacher_items": 4,
    },
    "evaluate": {"searches": 20, "beam": 10, "latency_searches": 0},
    "threads": 1,
}


def in_domain(**settings):
    """`SETTINGS["embed"]` with other settings of the view that is trained."""
    embed = SETTINGS["embed"]
    return embed | {"in_domain": embed["in_domain"] | settings}


LM = {
    "family": "lm",
    "lm": {"vocabulary": 512, "device": "cpu"},
    "item_to_sid": {"steps": 2, "batch": 16},
    "query_to_sid": {"steps": 12, "batch": 32, "learning_rate": 3e-3},
    "user_query_to_sid": {"steps": 4, "batch": 16},
}
"""What of `SETTINGS["generator"]` is otherwise for a language model."""


def items():
    rows = []
    for kind, path in KINDS.items():
        for brand in BRANDS:
            for color in COLORS:
                number = len(rows)
                rows.append(
                    {
                        "item_id": f"item-{number}",
                        "title": f"{brand} {kind} {color} M{number}",
                        "category": list(path),
                        "brand": brand,
                        "attributes": {"color": [color]},
                        "price": 5.0 + number,
                        "available": number % 10 != 9,
                    }
                )
    return rows


def searches():
    """Every colour and kind is asked for by ten shoppers, who click the item of one brand."""
    rows, catalog = [], items()
    for number in range(300):
        kind = list(KINDS)[number % len(KINDS)]
        color = COLORS[number // len(KINDS) % len(COLORS)]
        fitting = [item["item_id"] for item in catalog if f"{kind} {color}" in item["title"]]
        clicked = fitting[number % 4]
        rows.append(
            {
                "search_id": f"search-{number}",
                "timestamp": number,
                "user_id": f"shopper-{number % 17}",
                "query": f"{color} {kind}",
                "impressions": fitting,
                "clicks": [clicked],
                "purchases": [clicked] if number % 3 == 0 else [],
            }
        )
    return rows


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_shop(folder, *, data=None, settings=None):
    """Write tables and config; returns the config's path. `data` and `settings` change it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_jsonl(folder / "items.jsonl", items())
    write_jsonl(folder / "searches.jsonl", searches())
    tables = {
        "items": {"file": "items.jsonl"},
        "searches": {"file": "searches.jsonl"},
        "split": {"by": "query"},  # some shoppers train and others measure: queries are unseen
    }
    config = SETTINGS | {"data": tables | (data or {})} | (settings or {})
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path
