"""Which searches are measured, and that every figure counts the same items."""

import numpy as np
import polars as pl
import pytest

from genrecall.bundle import OpenBundle, open_bundle
from genrecall.data.load import load_shop
from genrecall.data.tables import SEARCHES, Catalog, Searches
from genrecall.evaluate.config import EvaluateConfig
from genrecall.evaluate.trec import read_qrels
from genrecall.foundation.progress import SilentLog
from genrecall.funnel.config import FusionConfig
from genrecall.index.live import LiveItems
from genrecall.offline.chosen import choose_searches, only_answerable
from genrecall.offline.measure import Plan, evaluate
from genrecall.offline.trec_files import write_trec

AVAILABLE = np.array([True, True, False, True, False])


def searches(*rows, split="validation"):
    """Searches of `(impressions, positives)`; gains and purchases follow the row's number."""
    frame = [
        dict.fromkeys(SEARCHES)
        | {
            "search_id": f"s{place}",
            "query": "lamp",
            "split": split,
            "impressions": shown,
            "positives": positives,
            "gains": [float(row) for row in positives],
            "bought": [row % 2 == 1 for row in positives],
        }
        for place, (shown, positives) in enumerate(rows)
    ]
    return Searches(pl.DataFrame(frame, schema=SEARCHES))


LOG = searches(([0, 2, 4], [2, 3]), ([1], []), ([2, 4], [4]), ([], [1, 2, 0]))


def choose(available=AVAILABLE, most=10):
    return choose_searches(LOG, "validation", lambda _: available, most=most, seed=0)


def test_only_what_is_available_is_shown_chosen_and_bought():
    kept = only_answerable(LOG, lambda _: AVAILABLE).frame
    assert kept["impressions"].to_list() == [[0], [1], [], []]
    assert kept["positives"].to_list() == [[3], [], [], [1, 0]]
    assert kept["gains"].to_list() == [[3.0], [], [], [1.0, 0.0]]
    assert kept["bought"].to_list() == [[True], [], [], [True, False]]
    assert kept["search_id"].to_list() == ["s0", "s1", "s2", "s3"]
    assert kept.schema == pl.Schema(SEARCHES)


def test_where_all_is_available_nothing_changes():
    assert only_answerable(LOG, lambda _: None) is LOG
    assert choose(None).relevant == {"available": 6, "unavailable": 0}
    assert len(choose(None).searches) == 3


def test_what_does_not_count_is_counted():
    chosen = choose()
    assert [rows.tolist() for rows in chosen.searches.positives] == [[3], [1, 0]]
    assert chosen.rows.tolist() == [0, 2], "places among the searches with a relevant item"
    assert chosen.relevant == {"available": 3, "unavailable": 3}
    assert chosen.excluded == {
        "without a relevant item": 1,
        "no relevant item is available today": 1,
        "not sampled": 0,
    }
    assert sum(chosen.excluded.values()) + len(chosen.searches) == 4


def test_what_does_not_pass_the_filters_of_its_search_counts_as_little():
    even = '{"even": true}'
    filters = pl.Series("filters", [even, even, None, even])
    log = Searches(LOG.frame.with_columns(filters))

    def answerable(filters):
        return AVAILABLE & (np.arange(5) % 2 == 0) if filters == {"even": True} else AVAILABLE

    chosen = choose_searches(log, "validation", answerable, most=10, seed=0)
    assert [rows.tolist() for rows in chosen.searches.positives] == [[0]]
    assert chosen.searches.frame["bought"].to_list() == [[False]]
    assert chosen.relevant == {"available": 1, "unavailable": 3, "filtered_out": 2}
    assert chosen.excluded == {
        "without a relevant item": 1,
        "no relevant item is available today": 1,
        "no relevant item that is available passes the filters": 1,
        "not sampled": 0,
    }
    assert only_answerable(log, answerable).frame["impressions"].to_list() == [[0], [], [], []]


def test_a_sample_is_drawn_of_what_can_be_measured():
    chosen = choose(most=1)
    assert len(chosen.searches) == 1
    assert chosen.excluded["not sampled"] == 1


def test_nothing_is_left_where_nothing_is_available():
    assert len(choose(np.zeros(5, dtype=np.bool_)).searches) == 0


@pytest.fixture(scope="module")
def offline(shop_run):
    """The shop of `shop_run` on a day when two of its four brands are sold out."""
    whole = open_bundle(shop_run.bundle)
    frame = whole.items.catalog.frame
    sold_out = frame.with_columns(available=np.arange(frame.height) // 5 % 4 < 2)
    items = LiveItems(Catalog(sold_out), whole.items.table, whole.items.vectors)
    return evaluate(
        OpenBundle(items, whole.encoder, whole.stages, whole.channels),
        load_shop(shop_run.open_stage("data")),
        split="validation",
        plan=Plan(EvaluateConfig(latency_searches=0, beam=100), FusionConfig()),
        health={},
        log=SilentLog(),
    )


def test_who_answers_with_the_whole_shop_finds_all(offline):
    """Neither lists nor beams have a ceiling that nobody explains."""
    assert offline.metrics["relevant"]["unavailable"] > 0
    for name in ("dense", "two_views", "generative"):
        assert offline.metrics["channels"][name]["recall@1000"]["value"] == 1.0, name
    for stage, hits in offline.metrics["hit@beam"].items():
        assert hits["100"]["value"] == 1.0, stage


def test_what_is_sold_out_is_relevant_nowhere(offline, tmp_path):
    catalog = Catalog(offline.evidence.generated.channel.items.catalog.frame)
    write_trec(offline, catalog, tmp_path / "trec")
    judged = read_qrels(tmp_path / "trec/qrels.txt")
    live = set(catalog.frame.filter("available")["item_id"])
    assert len(judged) == offline.metrics["searches"]
    assert {item for items in judged.values() for item in items} <= live
