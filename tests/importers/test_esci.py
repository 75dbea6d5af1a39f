import polars as pl
import pytest
from imported import Import, write

from genrecall.foundation.errors import DataError

PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"


def product(product_id, title, *, brand=None, color=None, locale="us"):
    return {
        "product_id": product_id,
        "product_title": title,
        "product_description": "<p>long</p>",
        "product_bullet_point": None,
        "product_brand": brand,
        "product_color": color,
        "product_locale": locale,
    }


def example(query, product_id, label, *, locale="us", small=1):
    return {
        "example_id": 1,
        "query": query,
        "query_id": 7,
        "product_id": product_id,
        "product_locale": locale,
        "esci_label": label,
        "small_version": small,
        "large_version": 1,
        "split": "train",
    }


def write_source(folder, products, examples):
    folder.mkdir(exist_ok=True)
    pl.DataFrame(products, infer_schema_length=None).write_parquet(folder / PRODUCTS)
    pl.DataFrame(examples, infer_schema_length=None).write_parquet(folder / EXAMPLES)
    return folder


@pytest.fixture
def source(tmp_path):
    """The folder as Amazon publishes it, with a few rows."""
    return write_source(
        tmp_path / "shopping_queries_dataset",
        [
            product("P1", "Wool Scarf", brand="Lanolin", color="Red|Blue"),
            product("P2", "Silk Scarf"),
            product("P1", "ウールのマフラー", brand="羊", locale="jp"),
            product("P3", None),
            product("P2", "Silk Scarf again"),
            product("P4", " "),
        ],
        [
            example("scarf", "P1", "E"),
            example("scarf", "P2", "S", small=0),
            example("scarf pin", "P1", "C"),
            example("lamp", "P2", "I"),
            example("マフラー", "P1", "E", locale="jp"),
            example("scarf", "P9", "X"),
            example(None, "P1", "E"),
        ],
    )


def test_products_and_gains_of_one_locale(source):
    imported = Import("esci", source)
    assert imported.table("items") == [
        {
            "item_id": "P1",
            "title": "Wool Scarf",
            "brand": "Lanolin",
            "attributes": [{"key": "color", "value": ["Red|Blue"]}],
        },
        {"item_id": "P2", "title": "Silk Scarf", "brand": None, "attributes": None},
    ]
    assert imported.table("judgments") == [
        {"query": "scarf", "item_id": "P1", "relevance": 1.0},
        {"query": "scarf", "item_id": "P2", "relevance": 0.1},
        {"query": "scarf pin", "item_id": "P1", "relevance": 0.01},
        {"query": "lamp", "item_id": "P2", "relevance": 0.0},
    ]
    assert imported.done.positive_from is None
    assert "(E 1, S 0.1, C 0.01, I 0); by default only exact matches" in imported.notes[0]
    assert sorted(imported.rejects) == [
        (EXAMPLES, 6, "esci_label is none of E, S, C, I"),
        (EXAMPLES, 7, "query is missing"),
        (PRODUCTS, 4, "title is missing"),
        (PRODUCTS, 5, "item_id occurs twice"),
        (PRODUCTS, 6, "title is empty"),
    ]
    assert '"product_id": "P9"' in imported.reject_rows[0]["raw"]


def test_locale_and_version_are_chosen(source):
    imported = Import("esci", source, locale="jp", version="small")
    assert [row["title"] for row in imported.table("items")] == ["ウールのマフラー"]
    assert [row["query"] for row in imported.table("judgments")] == ["マフラー"]
    assert imported.rejects == []


def test_the_small_version_is_part_of_the_large_one(source):
    imported = Import("esci", source, version="small")
    assert [row["relevance"] for row in imported.table("judgments")] == [1.0, 0.01, 0.0]


def test_a_locale_without_rows_is_told(source):
    with pytest.raises(DataError, match=r"gives no row of items, judgments\. Its files hold no ro"):
        Import("esci", source, locale="es")


def test_missing_files_and_columns_are_named(source):
    pl.DataFrame([{"query": "q", "product_id": "P1"}]).write_parquet(source / EXAMPLES)
    with pytest.raises(DataError, match=r"no column product_locale, esci_label, large_version; it"):
        Import("esci", source)
    (source / EXAMPLES).unlink()
    with pytest.raises(DataError, match=rf"has no {EXAMPLES}; it holds {PRODUCTS}\. Expected"):
        Import("esci", source)


def test_a_file_that_is_not_parquet_is_named(source):
    write(source / PRODUCTS, b"product_id,product_title\n")
    with pytest.raises(DataError, match=rf"{PRODUCTS} cannot be read as parquet"):
        Import("esci", source)
