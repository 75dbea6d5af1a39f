"""A shop whose log was made with recall channels, and another log of the same shop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from genrecall.data.config import TableSource
from genrecall.data.validate import SEARCHES_SCHEMA, read_table
from genrecall.foundation.artifact import file_hash
from genrecall.shop.config import ShopConfig
from genrecall.shop.engine import Recalled
from genrecall.shop.make import Shop, make_items, make_shop
from genrecall.shop.oracle import expected_clicks
from genrecall.shop.write import ShopFiles, write_shop

CONFIG = ShopConfig(
    seed=2, items=300, searches=1_200, shoppers=40, days=10, distinct_queries=150, impressions=6
)


@dataclass
class Fixed:
    """Answers every query with 20 items that follow from its text, but for some that get none."""

    channels: tuple[str, ...] = ("bm25", "dense")
    asked: list[list[str]] = field(default_factory=list)

    def __call__(self, texts: Sequence[str], /) -> list[Recalled]:
        self.asked.append(list(texts))
        return [self.answer(text) for text in texts]

    def answer(self, text: str) -> Recalled:
        n = 0 if len(text) % 5 == 0 else 20
        rows = np.random.default_rng(list(text.encode())).permutation(300)[:n]
        return Recalled(rows, np.linspace(1, 0, n), rows % 3 + 1)


@pytest.fixture(scope="module")
def recall() -> Fixed:
    return Fixed()


@pytest.fixture(scope="module")
def shop(recall: Fixed) -> Shop:
    return make_shop(CONFIG, recall)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ShopFiles:
    return write_shop(CONFIG, tmp_path_factory.mktemp("shop"), Fixed())


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_it_is_asked_once_for_the_distinct_queries_of_the_log(shop: Shop, recall: Fixed) -> None:
    (texts,) = recall.asked
    assert len(set(texts)) == len(texts)
    assert set(texts) == {shop.queries[number].text for number in shop.log.query}


def test_only_its_candidates_are_shown_each_once_and_while_on_the_shelf(shop: Shop) -> None:
    log, catalog = shop.log, shop.catalog
    for number in range(len(log)):
        found = Fixed().answer(shop.queries[log.query[number]].text)
        shown = log.shown[number][log.shown[number] >= 0]
        live = (catalog.entered[found.rows] <= log.time[number]) & (
            log.time[number] < catalog.left[found.rows]
        )
        assert set(shown) <= set(found.rows[live])
        assert len(set(shown)) == len(shown) == min(live.sum(), CONFIG.impressions)


def test_a_query_without_candidates_shows_nothing(shop: Shop) -> None:
    asked = [shop.queries[number].text for number in shop.log.query]
    silent = np.array([len(text) % 5 == 0 for text in asked])
    assert silent.any()
    assert (shop.log.shown[silent] == -1).all()
    assert not shop.log.clicked[silent].any()


def test_what_matches_better_and_sells_better_stands_higher(shop: Shop) -> None:
    log, score = shop.log, np.log(shop.catalog.score)
    match, sales = [], []
    for number in range(len(log)):
        found = Fixed().answer(shop.queries[log.query[number]].text)
        if len(found.rows):
            place = {row: at for at, row in enumerate(found.rows)}
            match.append([found.match[place[row]] for row in log.shown[number]])
            sales.append(score[log.shown[number]] - score.mean())
    assert np.mean(match, axis=0)[0] > np.mean(match, axis=0)[-1] + 0.1
    assert np.mean(match) > 0.7  # 0.5 by chance
    assert np.mean(sales) > 0.2


def test_the_log_knows_who_found_what_is_shown(shop: Shop) -> None:
    log = shop.log
    assert log.channels == ("bm25", "dense")
    assert log.found_by is not None
    there = log.shown >= 0
    assert (log.found_by[there] == log.shown[there] % 3 + 1).all()
    assert (log.found_by[~there] == 0).all()


def test_the_words_of_the_engine_are_no_channel() -> None:
    log = make_shop(CONFIG).log
    assert log.channels == ()
    assert log.found_by is None


def test_oracle_expects_the_clicks_of_the_log(shop: Shop) -> None:
    searches = list(range(len(shop.log)))
    expected = expected_clicks(shop, CONFIG, searches, repetitions=10, recall=Fixed()).by_shopper
    log, catalog = shop.log, shop.catalog
    assert expected.sum() == pytest.approx(log.clicked.sum(), rel=0.15)
    for number in searches[:50]:
        found = Fixed().answer(shop.queries[log.query[number]].text)
        assert set(np.flatnonzero(expected[number])) <= set(found.rows)
        assert (catalog.entered[np.flatnonzero(expected[number])] <= log.time[number]).all()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], r"0 answers to \d+ queries; give one for each"),
        ([np.array([3, 4, 3])], r"an item stands twice in the answer to .*; give each row once"),
    ],
)
def test_unusable_answers_are_refused(answers: list[np.ndarray], message: str) -> None:
    class Wrong(Fixed):
        def __call__(self, texts: Sequence[str], /) -> list[Recalled]:
            return [Recalled(rows, np.ones(len(rows)), rows) for rows in answers for _ in texts]

    with pytest.raises(ValueError, match=message):
        make_shop(CONFIG, Wrong())


# Files


def test_every_item_shown_has_its_channels(files: ShopFiles) -> None:
    names = {0: ["bm25"], 1: ["dense"], 2: ["bm25", "dense"]}
    searches = read(files.searches)
    for search in searches:
        rows = [int(item.removeprefix("i")) for item in search["impressions"]]
        assert search["impression_channels"] == [names[row % 3] for row in rows]
    assert any(not search["impressions"] for search in searches)


def test_the_table_is_read_with_its_channels(files: ShopFiles) -> None:
    table = read_table(TableSource(file=files.searches), SEARCHES_SCHEMA, max_rejects=0)
    assert table.rejects == []
    assert table.frame["impression_channels"].dtype == pl.List(pl.List(pl.String))
    lengths = table.frame.select(
        pl.col("impressions").list.len(), pl.col("impression_channels").list.len()
    )
    assert (lengths["impressions"] == lengths["impression_channels"]).all()
    assert table.frame["impression_channels"].explode().drop_nulls().list.len().max() == 2


def test_without_recall_the_log_has_no_channels(tmp_path: Path) -> None:
    files = write_shop(CONFIG, tmp_path)
    assert all("impression_channels" not in search for search in read(files.searches))


@pytest.mark.parametrize("model", ["position", "cascade"])
def test_the_summary_counts_what_is_in_the_log(tmp_path: Path, model: str) -> None:
    config = CONFIG.model_copy(update={"shopper_model": model, "log_seed": 7})
    files = write_shop(config, tmp_path, Fixed())
    told, searches = json.loads(files.log.read_text("utf-8")), read(files.searches)
    shown = [bits for search in searches for bits in search["impression_channels"]]
    clicked = [
        bits
        for search in searches
        for item, bits in zip(search["impressions"], search["impression_channels"], strict=True)
        if item in search["clicks"]
    ]
    assert told == {
        "simulated": True,
        "logging_policy": "bm25+dense",
        "shopper_model": model,
        "seed": 2,
        "log_seed": 7,
        "page": 6,
        "items": 300,
        "shoppers": 40,
        "distinct_queries": len({search["query"] for search in searches}),
        "searches": 1_200,
        "impressions": len(shown),
        "clicks": len(clicked),
        "purchases": sum(len(search["purchases"]) for search in searches),
        "searches_with_click": sum(bool(search["clicks"]) for search in searches),
        "searches_without_items": sum(not search["impressions"] for search in searches),
        "impressions_by_channel": {
            name: sum(name in bits for bits in shown) for name in ("bm25", "dense")
        },
        "clicks_by_channel": {
            name: sum(name in bits for bits in clicked) for name in ("bm25", "dense")
        },
    }


def test_the_words_of_the_engine_are_the_logging_policy_by_default(tmp_path: Path) -> None:
    told = json.loads(write_shop(CONFIG, tmp_path).log.read_text("utf-8"))
    assert told["logging_policy"] == "words"
    assert told["log_seed"] is None
    assert "impressions_by_channel" not in told


# Another log


def hashes(folder: Path, log_seed: int | None) -> dict[str, str]:
    files = write_shop(CONFIG.model_copy(update={"log_seed": log_seed}), folder)
    return {name: file_hash(path) for name, path in vars(files).items()}


def test_a_log_seed_gives_another_log_of_the_same_shop(tmp_path: Path) -> None:
    made = {seed: hashes(tmp_path / str(seed), seed) for seed in (None, 0, 1)}
    assert hashes(tmp_path / "again", 1) == made[1]
    for name in ("items", "users", "item_truth"):
        assert len({found[name] for found in made.values()}) == 1, name
    for name in ("searches", "log"):
        assert len({found[name] for found in made.values()}) == 3, name
    truths = [
        {row["query"]: row for row in read(tmp_path / str(seed) / "truth.jsonl")} for seed in made
    ]
    both = truths[0].keys() & truths[1].keys()
    assert len(both) > 100
    assert all(truths[0][query] == truths[1][query] for query in both)


def test_items_are_made_alone_as_with_the_shop(shop: Shop) -> None:
    alone = make_items(CONFIG)
    assert alone.drafts == shop.catalog.drafts
    assert (alone.entered == shop.catalog.entered).all()
