import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from decoding import look_ahead_of
from polars.testing import assert_frame_equal
from trained import open_whole

from genrecall.channels.base import Request
from genrecall.data.tables import ITEMS
from genrecall.foundation.errors import DataError
from genrecall.foundation.halves import to_halves
from genrecall.generator.load import STAGES
from genrecall.generator.prompts import Prompt
from genrecall.pipeline.outputs import Outputs
from genrecall.quantize.load import load_sids

QUERIES = ["red cordless drill", "violet table lamp", "coffee maker", "Acme shoes"]
NEW = [
    ("new-0", "Acme cordless drill violet N0", ["Tools", "Drills"]),
    ("new-1", "Bolt table lamp violet N1", ["Home", "Lamps"]),
    ("new-2", "Corvid coffee maker violet N2", ["Kitchen", "Coffee"]),
    ("new-3", "Dorn running shoes violet N3", None),
    ("new-4", "Dorn garden gnome violet N4", ["Garden"]),
]


@pytest.fixture(scope="module")
def parts(shop_run):
    return open_whole(shop_run)


def frame(rows=NEW, **changes):
    """New items; `changes` replace a column's values by one."""
    items = [
        dict.fromkeys(ITEMS)
        | {"item_id": item_id, "title": title, "category": category, "price": 7.5}
        | changes
        for item_id, title, category in rows
    ]
    return pl.DataFrame(items, schema=ITEMS)


def channels(parts):
    return [*(parts.generative(stage) for stage in STAGES), parts.dense(), parts.lexical()]


def answers(parts, k=50):
    """What every channel says: rows and scores."""
    requests = [Request(query) for query in QUERIES]
    return [
        (ranking.rows.tolist(), ranking.scores)
        for channel in channels(parts)
        for ranking in channel.rank(requests, k)
    ]


def assert_same_answers(one, other):
    for (rows, scores), (other_rows, other_scores) in zip(one, other, strict=True):
        assert rows == other_rows
        np.testing.assert_allclose(scores, other_scores, rtol=1e-5, atol=1e-6)


def test_new_items_stand_behind_the_others_which_keep_their_place(parts):
    grown = parts.with_items(frame())
    n = len(parts.items.catalog)
    assert grown.items.catalog.item_ids == [*parts.items.catalog.item_ids, *(row[0] for row in NEW)]
    assert_frame_equal(grown.items.catalog.frame[:n], parts.items.catalog.frame)
    np.testing.assert_array_equal(grown.items.vectors[:n], parts.items.vectors)
    np.testing.assert_array_equal(grown.items.table.codes[:n], parts.items.table.codes)
    encoded = parts.encoder.encode_items([title for _, title, _ in NEW])
    np.testing.assert_array_equal(grown.items.vectors[n:], to_halves(encoded))
    assert len(parts.items.catalog) == len(parts.items.vectors) == len(parts.items.table.codes) == n


def test_new_items_take_populated_sids_of_their_category(parts):
    grown = parts.with_items(frame())
    np.testing.assert_array_equal(grown.items.table.packed, parts.items.table.packed)
    assert grown.items.table.space == parts.items.table.space
    categories = load_sids(parts.stages["quantize"]).categories
    first = grown.items.table.codes[len(parts.items.catalog) :, 0]
    for code, (_, _, path) in zip(first, NEW, strict=True):
        known = categories.code(None if path is None else tuple(path))
        assert known in (-1, code)  # an unknown category takes the nearest SID of all
    assert [categories.code(None), categories.code(("Garden",))] == [-1, -1]


def test_all_channels_answer_with_new_items(parts):
    grown = parts.with_items(frame())
    n = len(parts.items.catalog)
    for channel in channels(grown):
        rows = channel.rank([Request("violet table lamp")], 30)[0].rows
        assert n + 1 in rows, channel.name
    hits = grown.generative().recall("violet coffee maker", k=30)
    assert {hit.item_id: hit.title for hit in hits}["new-2"] == NEW[2][1]


def test_filters_know_new_items(parts):
    grown = parts.with_items(frame())
    for channel in channels(grown):
        request = Request("violet table lamp", filters={"category": "Lamps", "price": 7.5})
        assert channel.rank([request], 10)[0].rows.tolist() == [len(parts.items.catalog) + 1]


def test_unavailable_new_items_are_not_answered(parts):
    grown = parts.with_items(frame(available=False))
    for rows, _ in answers(grown, k=200):
        assert max(rows, default=0) < len(parts.items.catalog)


def test_no_new_item_changes_no_answer(parts):
    before = answers(parts)
    assert_same_answers(before, answers(parts.with_items(frame([]))))
    parts.with_items(frame())
    assert_same_answers(before, answers(parts))


def test_items_may_come_in_several_parts(parts):
    at_once = parts.with_items(frame())
    in_parts = parts.with_items(frame(NEW[:2])).with_items(frame([])).with_items(frame(NEW[2:]))
    assert in_parts.items.catalog.item_ids == at_once.items.catalog.item_ids
    np.testing.assert_array_equal(in_parts.items.table.codes, at_once.items.table.codes)
    assert_same_answers(answers(at_once), answers(in_parts))


def test_the_look_ahead_follows_the_catalog(parts):
    titles = [(f"lamp-{i}", NEW[1][1], NEW[1][2]) for i in range(40)]
    grown = parts.with_items(frame(titles))
    sid = grown.items.table.sid_of_item[-1]
    said = []
    for of in (parts, grown):
        features = look_ahead_of(of.generative().generator, [Prompt("lamp")])[0]
        said.append(features[sid] - np.logaddexp.reduce(features))
    assert said[1] > said[0]


def test_columns_may_stand_in_any_order(parts):
    grown = parts.with_items(frame().select(*reversed(ITEMS)))
    assert grown.items.catalog.frame.columns == list(ITEMS)
    assert grown.items.catalog.item_ids[-1] == NEW[-1][0]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (frame([*NEW, NEW[0]]), r"2 of 6 new items share an item_id with another one.*'new-0'"),
        (frame([("item-7", "lamp", None), NEW[0]]), r"1 of 2 new items are in the catalog already.*"
         r"only be added.*'item-7'\."),
        (frame(title=" "), r"5 of 5 new items have no title.*'new-0', 'new-1', 'new-2', …"),
        (frame(item_id=None), "5 of 5 new items have no item_id"),
        (frame(price=-1.0), "have a price that is not a finite number of at least 0"),
        (frame(score=float("nan")), "have a score that is not a finite number"),
        (frame().drop("brand"), "new items need the columns.*: brand is missing"),
        (frame().with_columns(size=1), "size is unknown"),
        (frame().with_columns(price=pl.lit("7")), "price is String, not Float64"),
    ],
)  # fmt: skip
def test_unusable_items_are_refused(parts, items, message):
    with pytest.raises(DataError, match=message):
        parts.with_items(items)


def test_more_items_need_nothing_from_disk(shop_run, tmp_path):
    shutil.copytree(shop_run.folder, tmp_path / "run")
    opened = open_whole(Outputs(tmp_path / "run"))
    expected = answers(opened.with_items(frame()))
    for channel in channels(opened):
        channel.rank([Request("lamp")], 1)
    opened.with_items(frame(NEW[:1]))
    shutil.rmtree(tmp_path / "run")
    grown = opened.with_items(frame(NEW[:2])).with_items(frame(NEW[2:]))
    assert_same_answers(expected, answers(grown))


def test_what_was_open_before_keeps_answering_as_before(parts):
    channel, before = parts.generative(), answers(parts)
    grown = parts.with_items(frame())
    assert len(grown.items) == len(parts.items) + len(NEW)
    assert channel.items is parts.generative().items
    assert_same_answers(before, answers(parts))


def test_threads_may_ask_while_items_are_added(shop_run):
    opened = open_whole(shop_run)
    stages = [*STAGES, *STAGES]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(lambda s=s: opened.generative(s).items) for s in stages]
        grown = [pool.submit(opened.with_items, frame()) for _ in range(4)]
        by_stage = [future.result() for future in asked]
        sizes = {len(future.result().items) for future in grown}
    assert sizes == {len(opened.items) + len(NEW)}
    assert all(one is other for one, other in zip(by_stage[:3], by_stage[3:], strict=True))


def test_other_stages_have_their_own_sids(shop_run):
    opened = open_whole(shop_run)
    opened.with_items(frame())
    other = dataclasses.replace(opened, stages={**opened.stages, "quantize": None})
    with pytest.raises(AttributeError):  # they are read, not those of before
        other.with_items(frame())
