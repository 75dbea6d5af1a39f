"""Amazon Shopping Queries (ESCI): products and human judgments of hard queries, in three locales.

Reddy et al. 2022, Shopping Queries Dataset (arXiv:2206.06588). Relevance is the publisher's gain
of each label: Exact 1.0, Substitute 0.1, Complement 0.01, Irrelevant 0. So with the default
`positive_from: 1.0` only exact matches are relevant items. The publisher's train and test queries
come together; queries are split as the config says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from genrecall.data.rows.readers import pick
from genrecall.data.values.convert import Column
from genrecall.importers import Option
from genrecall.importers.base import Tables

LAYOUT: Final = """\
  the folder shopping_queries_dataset of https://github.com/amazon-science/esci-data
    shopping_queries_dataset_products.parquet
        product_id, product_title, product_brand, product_color, product_locale
    shopping_queries_dataset_examples.parquet
        query, product_id, product_locale, esci_label, small_version, large_version"""

OPTIONS: Final = {
    "locale": Option("us", ("us", "es", "jp"), "the shop whose products and queries are read"),
    "version": Option("large", ("small", "large"), "all judgments, or those of the ranking task"),
}

GAINS: Final = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}
"""Relevance of each label: the gains of the publisher's ranking task."""


def import_files(source: Path, tables: Tables) -> None:
    """Read the data set's folder `source` into `items` and `judgments` of one locale."""
    products = tables.find(source / "shopping_queries_dataset_products.parquet")
    examples = tables.find(source / "shopping_queries_dataset_examples.parquet")
    _read_products(tables, products)
    _read_examples(tables, examples)
    gains = ", ".join(f"{label} {gain:g}" for label, gain in GAINS.items())
    tables.notes.append(
        f"relevance is the publisher's gain of each label ({gains}); by default only exact matches "
        "are relevant items. The publisher's split is not kept"
    )


def _read_products(tables: Tables, file: Path) -> None:
    needed = ("product_id", "product_title", "product_locale")
    wanted = (*needed, "product_brand", "product_color")
    for chunk in tables.read(file, wanted=wanted, needed=needed):
        theirs = pick(chunk, _equal(chunk.columns["product_locale"], tables.options["locale"]))
        columns: dict[str, Column] = {
            "item_id": theirs.columns["product_id"],
            "title": theirs.columns["product_title"],
            "brand": theirs.columns["product_brand"],
            "attributes": [
                {"color": [color]} if isinstance(color, str) else None
                for color in theirs.columns["product_color"]
            ],
        }
        tables.take("items", file, theirs._replace(columns=columns))


def _read_examples(tables: Tables, file: Path) -> None:
    version = f"{tables.options['version']}_version"
    wanted = ("query", "product_id", "product_locale", "esci_label", version)
    for chunk in tables.read(file, wanted=wanted, needed=wanted):
        here = set(_equal(chunk.columns["product_locale"], tables.options["locale"]))
        theirs = pick(chunk, sorted(here.intersection(_equal(chunk.columns[version], 1))))
        labels = list(theirs.columns["esci_label"])
        wrong = {
            row: (f"esci_label is none of {', '.join(GAINS)}", repr(label))
            for row, label in enumerate(labels)
            if label not in GAINS
        }
        theirs = tables.drop(file, theirs, wrong)
        columns: dict[str, Column] = {
            "query": theirs.columns["query"],
            "item_id": theirs.columns["product_id"],
            "relevance": [GAINS[str(label)] for label in theirs.columns["esci_label"]],
        }
        tables.take("judgments", file, theirs._replace(columns=columns))


def _equal(column: Column, value: object) -> list[int]:
    """Positions of a value."""
    if isinstance(column, pl.Series):
        return (column == value).fill_null(False).arg_true().to_list()
    return [row for row, given in enumerate(column) if given == value]
