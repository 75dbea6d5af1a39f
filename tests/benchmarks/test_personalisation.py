import io
import json

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from tables import catalog_of, searches_of

from benchmarks.personalisation import (
    CLICKS,
    KNOWN,
    LESS,
    ROWS,
    Known,
    choose,
    cut,
    main,
    print_result,
    summarize,
)
from genrecall.data.shop_data import ShopData
from genrecall.data.shoppers import Shopper
from genrecall.foundation.errors import DataError
from genrecall.shop.config import ShopConfig
from genrecall.shop.make import make_shop
from genrecall.shop.oracle import expected_clicks

MEASURES = ["hit@beam1", "hit@beam10", "hit@beam100", "recall@10"]
SIZE = ("--items", "300", "--searches", "1200", "--shoppers", "12")
TRAINING = ("--quick", "--steps", "4", "--batch", "32")


def test_protocol(tmp_path, capfd):
    """A tiny shop; a second call trains nothing and finds the same."""
    words = [*SIZE, *TRAINING, "--out", str(tmp_path / "out")]
    main([*words, "--json", str(tmp_path / "shoppers.json")])
    printed = capfd.readouterr().out
    result = json.loads((tmp_path / "shoppers.json").read_text("utf-8"))
    assert set(result) == {"settings", "counts", "sids", "rows", "paired"}
    assert list(result["rows"]) == sorted(ROWS)
    measured = result["counts"]["with 20 items chosen before"]
    for figures in result["rows"].values():
        assert list(figures) == MEASURES
        for figure in figures.values():
            assert figure["n"] == measured > 0
            assert 0 <= figure["ci"][0] <= figure["value"] <= figure["ci"][1] <= 1
        hits = [figures[name]["value"] for name in MEASURES[:3]]
        assert hits == sorted(hits)
    for pair, figures in result["paired"].items():
        row, less = pair.split(" - ")
        for name in MEASURES:
            values = (result["rows"][which][name]["value"] for which in (row, less))
            assert figures[name]["value"] == pytest.approx(np.subtract(*values))
    # What is known changes what is found, and the oracle finds more than a model without training.
    values = [[result["rows"][row][name]["value"] for name in MEASURES] for row in KNOWN]
    assert len({tuple(row) for row in values}) > 1
    oracle = result["rows"]["oracle, taste known"]["recall@10"]["value"]
    assert oracle > 0.05 + max(row[-1] for row in values)
    assert "shoppers 12" in printed
    assert "items per SID" in printed
    assert "generator.user_query_to_sid at most 4 steps of 32" in printed

    main(words)
    again = capfd.readouterr()
    assert again.err.count("up to date") == 1 + 7
    assert again.out == printed.rsplit("wrote", 1)[0]


def test_only_the_latest_clicks_are_known():
    shopper = Shopper(profile=(("gender", "male"),), history=tuple("abcdefg"))
    assert cut(shopper, Known(profile=False, clicks=0)) == Shopper()
    assert cut(shopper, Known(profile=True, clicks=0)) == Shopper(shopper.profile)
    assert cut(shopper, Known(profile=False, clicks=1)) == Shopper(history=("g",))
    assert cut(shopper, Known(profile=True, clicks=5)) == Shopper(shopper.profile, tuple("cdefg"))
    assert cut(shopper, Known(profile=True, clicks=20)) == shopper


def test_every_length_is_measured_with_and_without_the_profile():
    assert set(KNOWN.values()) == {
        Known(profile, clicks) for profile in (False, True) for clicks in (0, *CLICKS)
    }


def shop(n, *times):
    """So many items, and one click of another one at each time; some are for validation."""
    rows = [
        {"user_id": "u", "query": "q", "time": time, "split": split, "positives": [time]}
        for time, split in times
    ]
    items = [{"item_id": f"i{row}", "title": "t"} for row in range(n)]
    return ShopData(catalog_of(items), searches_of(rows))


def test_only_searches_after_enough_clicks_are_measured():
    times = [(time, "train") for time in range(19)]
    measured = choose(shop(22, *times, (19, "validation"), (20, "validation"), (21, "test")))
    assert measured.searches.frame["time"].to_list() == [20]
    assert measured.shoppers == [Shopper(history=tuple(f"i{row}" for row in range(20)))]


def test_without_such_a_search_it_says_what_to_change():
    given = shop(2, (0, "train"), (1, "validation"))
    with pytest.raises(DataError, match=r"none of 1 validation searches.*20 items.*--shoppers"):
        choose(given)


def found(values):
    return {row: dict.fromkeys(MEASURES, np.array(values)) for row in ROWS}


def test_intervals_are_over_shoppers_and_runs():
    one, two = found([0.0, 0.0, 1.0, 1.0]), found([1.0, 1.0, 1.0, 1.0])
    shoppers = pl.Series(["a", "a", "b", "b"])
    figure = summarize([one], shoppers)["rows"]["profile"]["recall@10"]
    assert (figure["value"], figure["ci"], figure["n"]) == (0.5, [0.0, 1.0], 4)
    both = summarize([one, two], shoppers)
    assert both["rows"]["profile"]["recall@10"]["value"] == 0.75
    # Two shoppers without a difference say next to nothing.
    same = both["paired"]["profile - nothing known"]["recall@10"]
    assert (same["value"], same["ci"]) == (0.0, pytest.approx([-0.8419, 0.8419], abs=1e-4))


def test_every_row_is_printed_with_its_difference():
    values = found([0.0, 1.0])
    result = summarize([values], pl.Series(["a", "b"]))
    result |= {"settings": {}, "counts": {}, "sids": []}
    text = io.StringIO()
    print_result(result, console=Console(file=text, width=120))
    starts = [line[:29].strip() for line in text.getvalue().splitlines()]
    for row in ROWS:
        assert starts.count(row) == 1 + (row in LESS)
    assert starts.index("less oracle, nothing known:") == len(starts) - 2


@pytest.fixture(scope="module")
def expectations():
    """A shop's log, some of its searches, and what the oracle expects of these."""
    config = ShopConfig(items=400, searches=1500, shoppers=30, distinct_queries=500, seed=3)
    searches, made = np.arange(0, 1500, 5), make_shop(config)
    return made.log, searches, expected_clicks(made, config, searches.tolist(), repetitions=40)


def test_oracle_expects_the_clicks_of_the_log(expectations):
    log, searches, expected = expectations
    assert expected.by_anyone.shape == expected.by_shopper.shape == (300, 400)
    clicks = log.clicked[searches].sum()
    assert expected.by_shopper.sum() == pytest.approx(clicks, rel=0.15)
    assert expected.by_anyone.sum() == pytest.approx(clicks, rel=0.15)


def test_oracle_knows_better_what_is_clicked_when_it_knows_by_whom(expectations):
    log, searches, expected = expectations
    search, position = np.nonzero(log.clicked[searches])
    row = log.shown[searches][search, position]
    floor = 1e-4
    surprise = {
        name: -np.log(floor + clicks[search, row]).mean() + clicks.sum() / len(search)
        for name, clicks in expected._asdict().items()
    }
    assert surprise["by_shopper"] < surprise["by_anyone"] - 0.05
