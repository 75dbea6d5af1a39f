"""A very large shop through the pipeline, tried on a tiny one."""

import io
import json

import numpy as np
import polars as pl
import pytest
import yaml
from rich.console import Console

from benchmarks.million import __main__ as million
from benchmarks.million.__main__ import STEPS, Measured, command_of, main, print_table
from benchmarks.million.shop import write_tables
from genrecall.pipeline.outputs import Outputs

TINY = {
    "embed": {
        "views": ["in_domain"],
        "subwords": {"vocabulary": 300},
        "in_domain": {"steps": 3, "width": 16, "dim": 8, "batch": 16},
    },
    "quantize": {"training": {"epochs": 1}},
    "generator": {
        "width": 16,
        "item_to_sid": {"steps": 2, "batch": 16},
        "query_to_sid": {"steps": 2, "batch": 16},
        "user_query_to_sid": {"steps": 2, "batch": 16},
        "pseudo_queries": 50,
    },
    "evaluate": {"searches": 20, "beam": 5, "curve_beam": 5, "latency_searches": 2},
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write_tables(folder, items=450, searches=300, seed=1)
    return folder


def test_the_tables_are_as_large_as_they_should_be_and_fit_each_other(tables):
    items, searches, users = (
        pl.read_parquet(tables / f"{name}.parquet") for name in ("items", "searches", "users")
    )
    assert (items.height, searches.height) == (450, 300)
    assert items["item_id"].n_unique() == items["title"].n_unique() == 450
    known = set(items["item_id"])
    for column, count in (("impressions", 10), ("clicks", 2)):
        assert searches[column].list.len().to_list() == [count] * 300
        assert set(searches[column].explode()) <= known
    assert searches["timestamp"].is_sorted()
    assert set(searches["user_id"]) <= set(users["user_id"])
    assert len((tables / "queries.txt").read_text("utf-8").splitlines()) == 60


def test_the_words_of_a_query_stand_in_what_was_clicked(tables):
    titles = dict(pl.read_parquet(tables / "items.parquet").select("item_id", "title").iter_rows())
    searches = pl.read_parquet(tables / "searches.parquet")
    for query, clicks in searches.select("query", "clicks").iter_rows():
        assert set(query.split()) <= set(titles[clicks[0]].lower().split())


def test_some_searches_ask_for_no_more_than_a_price(tables):
    items = pl.read_parquet(tables / "items.parquet").select("item_id", "price")
    prices = dict(items.iter_rows())
    searches = pl.read_parquet(tables / "searches.parquet").drop_nulls("filters")
    assert 15 <= searches.height <= 45
    for filters, clicks in searches.select("filters", "clicks").iter_rows():
        bound = json.loads(filters)["price"]["lte"]
        assert bound % 5 == 0
        assert bound - 5 <= prices[clicks[0]] < bound  # one series: that is what was looked for


def test_products_come_in_series_when_there_are_more_items(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.million.shop.MOST_PRODUCTS", 120)
    write_tables(tmp_path, items=300, searches=50, seed=0)
    items = pl.read_parquet(tmp_path / "items.parquet")
    assert items["title"][120] == f"{items['title'][0]} Boal"
    assert items["category"][120].to_list() == items["category"][0].to_list()
    assert items["title"].n_unique() == 300


def test_the_same_seed_gives_the_same_tables(tables, tmp_path):
    write_tables(tmp_path, items=450, searches=300, seed=1)
    for name in ("items", "searches", "users"):
        one, other = (pl.read_parquet(folder / f"{name}.parquet") for folder in (tables, tmp_path))
        assert one.equals(other)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """All steps on a tiny shop, each in a process of its own."""
    out = tmp_path_factory.mktemp("million")
    (out / "tiny.yaml").write_text(yaml.safe_dump(TINY), "utf-8")
    arguments = ["--items", "300", "--searches", "200", "--threads", "1"]
    arguments += ["--settings", str(out / "tiny.yaml"), "--out", str(out)]
    main(arguments)
    return out, arguments


def test_every_step_is_measured_and_the_bundle_answers(measured):
    out, _ = measured
    kept = json.loads((out / "measured.json").read_text("utf-8"))["steps"]
    assert list(STEPS) == [step for step in STEPS if step in kept]
    for took in kept.values():
        assert took["seconds"] > 0
        assert took["cpu"] > 0
        assert took["peak"] > 50 << 20
        assert took["resumed"] is False
    assert Outputs(out / "run").bundle.is_dir()
    answered = {line.split()[0] for line in (out / "answers.run").read_text("utf-8").splitlines()}
    assert len(answered) == 40


def test_a_measured_step_is_not_run_again(measured, monkeypatch, capsys):
    out, arguments = measured
    kept = json.loads((out / "measured.json").read_text("utf-8"))
    del kept["steps"]["evaluate"]
    (out / "measured.json").write_text(json.dumps(kept), "utf-8")
    ran = []

    def measure(command, folder):
        ran.append((command, folder))
        return Measured(1.5, 2.5, 3 << 30, resumed=True)

    monkeypatch.setattr(million, "measure", measure)
    main(arguments)
    config = out / "million.yaml"
    assert ran == [(command_of("evaluate", out, config, {}), out)]
    lines = capsys.readouterr().out.splitlines()
    assert "items 300, searches 200" in lines[1]
    (row,) = [line for line in lines if line.split()[:1] == ["evaluate"]][1:]
    assert row.split() == ["evaluate", ">2", "2", "3.00"]
    assert lines[-1] == "3.00 GiB at most, in evaluate"
    ran.clear()
    main([*arguments, "--seed", "5"])
    assert len(ran) == len(STEPS)  # another shop


def test_a_step_that_fails_ends_the_measurement(tmp_path):
    with pytest.raises(SystemExit, match=r"'-c raise SystemExit\(3\)' failed; see .*said.log"):
        million.measure(["-c", "raise SystemExit(3)"], tmp_path)


def test_peak_memory_is_that_of_the_process(tmp_path):
    hold = "import numpy; numpy.ones(200 << 20, dtype=numpy.int8)"
    small, large = (million.measure(["-c", code], tmp_path) for code in ("import numpy", hold))
    assert large.peak - small.peak == pytest.approx(200 << 20, rel=0.2)


def test_the_table_shows_settings_steps_and_the_most():
    stream = io.StringIO()
    took = {"data": Measured(61.4, 100.0, 1 << 30), "embed": Measured(1.0, 1.0, 5 << 29)}
    print_table({"items": 7}, {"embed": {}}, took, console=Console(file=stream, width=100))
    text = stream.getvalue()
    assert text.startswith('settings: items 7\nof the run: {"embed": {}}\n')
    assert np.char.count(text, "1.00")
    assert text.endswith("2.50 GiB at most, in embed\n")
