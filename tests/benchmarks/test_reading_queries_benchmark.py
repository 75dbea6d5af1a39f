"""The benchmark of reading queries: what it counts and compares."""

import json

import polars as pl
import pytest

from benchmarks import spelling
from genrecall.bundle import open_bundle
from genrecall.data.load import load_shop
from genrecall.data.tables import Searches


@pytest.fixture
def mistyped(shop_run, monkeypatch):
    """The shop's searches, half of them with a slip."""
    shop = load_shop(shop_run.open_stage("data"))
    frame = shop.searches.frame.with_row_index("place")
    slips = pl.when(pl.col("place") % 2 == 0).then(
        pl.col("query").str.replace("hammer", "hamemr").str.replace("drill", "driill")
    )
    frame = frame.with_columns(query=slips.otherwise("query")).drop("place")
    changed = type(shop)(shop.catalog, Searches(frame), shop.users)
    bundle = open_bundle(shop_run.bundle)
    monkeypatch.setattr(spelling, "open_run", lambda _: (bundle, changed))
    return changed.searches.of("validation")


def test_searches_are_compared_as_typed_and_as_read(shop_run, mistyped, tmp_path, capsys):
    spelling.main([str(shop_run.bundle), "--json", str(tmp_path / "s.json")])
    told = json.loads((tmp_path / "s.json").read_text("utf-8"))
    read = told["read"]
    reader = open_bundle(shop_run.bundle).reader
    changed = sum(bool(reader.read(query).changes) for query in mistyped.queries)
    assert read["searches"] == len(mistyped)
    assert 0 < read["read otherwise"] == changed <= read["with an unknown word"]
    assert read["read as typed, to the byte"] == len(mistyped) - changed
    assert set(told["channels"]) == {"generative", "dense", "bm25"}
    of = told["channels"]["bm25"]["recall@100"]
    assert of["read"]["value"] >= of["typed"]["value"]
    assert of["difference"]["value"] == pytest.approx(of["read"]["value"] - of["typed"]["value"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"searches {len(mistyped)}, with an unknown word ")
    assert "| generative | recall@10 |" in printed


def test_where_nothing_is_read_otherwise(shop_run, tmp_path, capsys):
    spelling.main([str(shop_run.bundle), "--json", str(tmp_path / "s.json")])
    told = json.loads((tmp_path / "s.json").read_text("utf-8"))
    if not told["read"]["read otherwise"]:
        assert told["channels"] == {}
        assert "no validation query is read otherwise" in capsys.readouterr().out
