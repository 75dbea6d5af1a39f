"""Examples of the commands, as `--help` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "demo": (
        "genrecall demo",
        "genrecall demo --items 2000 --searches 10000 --out runs/small",
    ),
    "shop": (
        "genrecall shop --items 5000 --searches 50000 --out runs/shop",
        "genrecall shop --items 5000 --log-seed 1 --bundle runs/shop/bundle --out runs/second",
    ),
    "import": (
        "genrecall import",
        "genrecall import ubi exports --out imported",
        "genrecall import esci esci-data --out esci --option locale=jp",
    ),
    "init": (
        "genrecall init --items products.csv --searches searches.jsonl",
        "genrecall init --items items.parquet --judgments judged.csv --positive-from 2",
    ),
    "validate": (
        "genrecall validate genrecall.yaml",
        "genrecall validate genrecall.yaml --json summary.json",
    ),
    "run": (
        "genrecall run genrecall.yaml",
        "genrecall run genrecall.yaml --from generator --out runs/second -q",
    ),
    "evaluate": (
        "genrecall evaluate runs/demo/bundle",
        "genrecall evaluate runs/demo/bundle --split test --report test.html",
        "genrecall evaluate runs/demo/bundle --split test --trec runs/demo/test",
    ),
    "bench decode": (
        "genrecall bench decode runs/demo/bundle",
        "genrecall bench decode runs/demo/bundle --beams 20,100 -k 100 --json decode.json",
    ),
    "tune beams": (
        "genrecall tune beams runs/demo/bundle",
        "genrecall tune beams runs/demo/bundle -k 20 --widths 10,20,50 --loss 0.01",
    ),
    "recall": (
        "genrecall recall runs/demo/bundle 'cordless drill 18v' -k 10 --explain",
        "genrecall recall runs/demo/bundle drill --filter 'price<=50' --filter brand=Acme",
        "genrecall recall runs/demo/bundle drill --filter 'item_id!=i000922' --field price",
        "genrecall recall runs/demo/bundle --queries queries.txt -k 1000 --run answers.trec",
        "genrecall recall runs/demo/bundle --queries queries.txt --json answers.json",
    ),
    "rollback": (
        "genrecall rollback runs/demo/bundle",
        "genrecall rollback runs/demo/bundle --to 000002",
    ),
}
"""By command."""


def shown(name: str) -> str:
    """The examples of a command, for the end of its help."""
    # \b keeps the lines as they are.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[name])])
