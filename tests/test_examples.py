"""Every shipped config parses, and runs on a small data set in the layout that it describes."""

import csv
import json
from pathlib import Path

import pytest
from tiny_shop import COLORS, KINDS, SETTINGS, items, searches, write_jsonl

from genrecall.config import Config, load_config
from genrecall.foundation.progress import SilentLog
from genrecall.pipeline.outputs import Outputs
from genrecall.pipeline.run import run

EXAMPLES = Path(__file__).parents[1] / "examples"


def write_homedepot(folder):
    folder.mkdir()
    products = [
        {
            "product_uid": item["item_id"],
            "title": item["title"],
            "brand": item["brand"],
            "color": item["attributes"]["color"],
            "material": [],
            "derived_type": [item["category"][-1], item["title"].split()[1]],
        }
        for item in items()
    ]
    write_jsonl(folder / "products.jsonl", products)
    with (folder / "judgments.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "product_uid", "relevance"])
        for color in COLORS:
            for kind in KINDS:
                for product in products:
                    if kind in product["title"]:
                        grade = 3 if color in product["color"] else 1.67
                        writer.writerow([f"{color} {kind}", product["product_uid"], grade])


def write_amazon(folder):
    folder.mkdir()
    products = [
        {
            "item_id": number,
            "asin": f"B{number:09}",
            "title": item["title"],
            "brand": item["brand"],
            "category": ["Shop", *item["category"], item["title"].split()[1]],
        }
        for number, item in enumerate(items())
    ]
    write_jsonl(folder / "items.jsonl", products)
    write_jsonl(
        folder / "users.jsonl",
        [
            {
                "user_id": user,
                "train": [(user * 20 + step * 7) % len(products) for step in range(1 + user % 5)],
                "valid": [(user * 20 + 3) % len(products)] if user % 4 == 0 else [],
            }
            for user in range(60)
        ],
    )


def write_simulated(folder):
    folder.mkdir()
    write_jsonl(folder / "items.jsonl", items())
    write_jsonl(folder / "searches.jsonl", searches())
    write_jsonl(folder / "users.jsonl", [{"user_id": "shopper-0", "gender": "female"}])


def write_bestbuy(folder):
    folder.mkdir()
    products = [
        {
            "sku": item["item_id"],
            "title": item["title"],
            "manufacturer": item["brand"],
            "category_path": item["category"] if number % 10 == 0 else None,
        }
        for number, item in enumerate(items())
    ]
    write_jsonl(folder / "products.jsonl", products)
    clicks = [
        {"query": f"{color} {kind}", "sku": product["sku"], "clicks": 1 + number % 3}
        for number, product in enumerate(products)
        for color in COLORS
        for kind in KINDS
        if kind in product["title"] and color in product["title"]
    ]
    write_jsonl(folder / "clicks.jsonl", clicks)
    write_jsonl(folder / "queries.jsonl", [{"query": f"cheap {kind}"} for kind in KINDS])


WRITERS = {
    "align.yaml": ("shop", write_simulated),
    "beauty.yaml": ("amazon_beauty", write_amazon),
    "bestbuy.yaml": ("bestbuy", write_bestbuy),
    "games.yaml": ("amazon_games", write_amazon),
    "homedepot.yaml": ("homedepot", write_homedepot),
}


ALIGNED = {"steps": 2, "searches": 8, "validate_every": 1}


def merged(values, changes):
    """Nested settings with some of them changed."""
    both = {
        key: merged(values.get(key, {}), change) if isinstance(change, dict) else change
        for key, change in changes.items()
    }
    return values | both


def test_every_example_has_a_data_set_here():
    assert {path.name for path in EXAMPLES.glob("*.yaml")} == set(WRITERS)


@pytest.mark.parametrize("name", WRITERS)
def test_example_parses_without_the_environment(name, monkeypatch):
    for variable in ("GENRECALL_DATA", "GENRECALL_SHOP"):
        monkeypatch.delenv(variable, raising=False)
    file = load_config(EXAMPLES / name).data.items.file
    assert file.is_absolute()
    assert ("runs/shop" if name == "align.yaml" else "shared/data") in str(file)


@pytest.mark.parametrize("name", WRITERS)
def test_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.setenv("GENRECALL_DATA", str(tmp_path))
    monkeypatch.setenv("GENRECALL_SHOP", str(tmp_path / "shop"))
    folder, write = WRITERS[name]
    write(tmp_path / folder)
    example = load_config(EXAMPLES / name)
    # Its own settings, but trained for a moment only.
    changes = (
        merged(SETTINGS, {"generator": {"align": ALIGNED}}) if name == "align.yaml" else SETTINGS
    )
    config = Config.model_validate(merged(example.model_dump(), changes))
    assert config.data == example.data
    result = run(config, Outputs(tmp_path / "run"), log=SilentLog())
    tables = json.loads((tmp_path / "run/stages/data/summary.json").read_text("utf-8"))["tables"]
    assert all(table["rejected"] == 0 for table in tables.values())
    assert result.metrics["searches"] > 0
    assert result.metrics["quantize"]["category_purity"] > 0
