import json
from argparse import ArgumentParser

import numpy as np
import polars as pl
import pytest
from tiny_shop import items, searches, write_jsonl, write_shop

from benchmarks.command import add_arguments, read_config, repetition
from benchmarks.figures import say_figure
from benchmarks.holdout import hide_items, is_hidden
from genrecall.config import load_config
from genrecall.data import stage as data_stage
from genrecall.data.load import load_tables
from genrecall.data.tables import ITEMS
from genrecall.foundation.errors import DataError
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work

SHARE = 0.25


def read(data, out):
    """What the data stage makes of the tables."""
    return load_tables(data_stage.run(data, Work(out, inputs="", seed=0, log=SilentLog())))


@pytest.fixture
def shop(tmp_path):
    """The data section of a shop whose log says which channel showed what."""
    path = write_shop(tmp_path, data={"split": {"by": "time"}})
    rows = [row | {"impression_channels": [["bm25"]] * 4} for row in searches()]
    write_jsonl(tmp_path / "searches.jsonl", rows)
    return load_config(path).data


def judged_shop(folder):
    path = write_shop(folder, data={"searches": None, "judgments": {"file": "judgments.jsonl"}})
    rows = [
        {"query": search["query"], "item_id": item, "relevance": place % 2}
        for search in searches()
        for place, item in enumerate(search["impressions"])
    ]
    write_jsonl(folder / "judgments.jsonl", rows)
    return load_config(path).data


def mentioned(folder):
    """All texts in the written tables."""
    found = set()
    for file in folder.iterdir():
        found |= set(json.dumps(pl.read_parquet(file).to_dicts()).split('"'))
    return found


@pytest.mark.parametrize("by_judgments", [False, True])
def test_no_table_names_a_hidden_item(shop, tmp_path, by_judgments):
    data = judged_shop(tmp_path / "judged") if by_judgments else shop
    holdout = hide_items(data, tmp_path / "tables", share=SHARE, seed=3)
    hidden = set(holdout.items["item_id"])
    assert 10 < len(hidden) < 60
    texts = mentioned(tmp_path / "tables")
    assert not hidden & texts
    assert not set(holdout.items["title"]) & texts
    assert {item["item_id"] for item in items()} - hidden <= texts
    read_again, log = read(holdout.data, tmp_path / "data")
    assert not hidden & set(read_again.item_ids)
    assert len(log.of("train")) > 0
    summary = data_stage.validate(holdout.data)
    assert summary["unknown_items"] == {"impressions": 0, "positives": 0, "examples": []}
    assert all(table["rejected"] == 0 for table in summary["tables"].values())


@pytest.mark.parametrize("by_judgments", [False, True])
def test_what_is_not_hidden_stays_as_it_was(shop, tmp_path, by_judgments):
    data = judged_shop(tmp_path / "judged") if by_judgments else shop
    holdout = hide_items(data, tmp_path / "tables", share=SHARE, seed=3)
    hidden = set(holdout.items["item_id"])
    assert dict(holdout.items.schema) == ITEMS
    whole, log = read(data, tmp_path / "whole")
    rest, rest_log = read(holdout.data, tmp_path / "rest")
    kept = ~pl.col("item_id").is_in(list(hidden))
    assert rest.frame.equals(whole.frame.filter(kept))

    def searches_of(catalog, log, column):
        """By search id what was relevant or shown, less what is hidden, with its split."""
        ids = np.array(catalog.item_ids)
        return {
            name: (split, [item for item in ids[rows] if item not in hidden])
            for name, split, rows in log.frame.select("search_id", "split", column).iter_rows()
        }

    for column in ("impressions", "positives"):
        before = searches_of(whole, log, column)
        after = searches_of(rest, rest_log, column)
        # A query all of whose judged items are hidden is no search of that shop.
        assert after.items() <= before.items()
        assert all(not before[name][1] for name in before.keys() - after.keys())
        assert by_judgments or before.keys() == after.keys()


def test_what_is_hidden_depends_on_id_and_seed_alone():
    ids = [f"item {i}" for i in range(4000)]
    hidden = is_hidden(ids, share=0.1, seed=0)
    assert 340 < hidden.sum() < 460
    np.testing.assert_array_equal(hidden[100:200], is_hidden(ids[100:200], share=0.1, seed=0))
    other = is_hidden(ids, share=0.1, seed=1)
    assert (hidden & other).sum() < 80
    # A larger share hides the same and more.
    assert (hidden <= is_hidden(ids, share=0.2, seed=0)).all()


def test_the_same_tables_are_written_again(shop, tmp_path):
    for name in ("one", "two"):
        hide_items(shop, tmp_path / name, share=SHARE, seed=0)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_hides_none_or_all_is_refused(shop, tmp_path, share):
    with pytest.raises(DataError, match=r"hides (0|120) of 120 items; give one that hides some"):
        hide_items(shop, tmp_path / "tables", share=share, seed=0)


def test_arguments_name_a_config(shop, tmp_path):
    parser = ArgumentParser()
    add_arguments(parser, out="runs/benchmark")
    given = parser.parse_args([str(tmp_path / "shop.yaml")])
    assert (given.share, given.seeds, str(given.out)) == (0.1, 1, "runs/benchmark")
    config = read_config(given)
    assert config.data == shop
    assert (config.seed, repetition(config, 2).seed) == (0, 2)
    assert repetition(config, 1, data=shop).data == shop


def test_figures_are_told_with_their_interval():
    figure = {"value": 0.4121, "ci": [-0.398, 1.0]}
    assert say_figure(figure) == ".412 [-.398 1.000]"
    assert say_figure(figure, "+") == "+.412 [-.398 +1.000]"
