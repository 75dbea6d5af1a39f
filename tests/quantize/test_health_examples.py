"""Examples of clusters: chosen as said, shaped as documented, titled by whoever has the catalog."""

from __future__ import annotations

import json

import numpy as np

from genrecall.foundation.sid import Sid, SidSpace, SidTable
from genrecall.quantize.health.examples import find_examples, with_titles

# SIDs of 7, 3, 2 and 1 items on a line; row 12 is alone, row 2 far from the others of its SID.
SIZES = (7, 3, 2, 1)
PLACES = [0.0, 0.1, 2.0, 0.2, 0.3, 0.4, 0.5, 5.0, 5.2, 5.1, 8.0, 8.1, 9.0]
CATEGORIES = [0] * 7 + [0, 1, 1] + [0, 1] + [-1]
TABLE = SidTable(
    SidSpace((1, 1, 4)),
    np.array([[0, 0, sid] for sid, n in enumerate(SIZES) for _ in range(n)], dtype=np.int32),
)


def examples(categories=CATEGORIES, seed=0):
    return find_examples(
        TABLE,
        np.array(categories, dtype=np.int32),
        latents=np.array(PLACES, dtype=np.float32)[:, None],
        seed=seed,
    )


def test_largest_first_and_at_most_five_rows_from_the_middle():
    first, *others = examples()["largest"]
    assert first == {"sid": str(Sid(0, 0, 0)), "items": 7, "rows": [6, 5, 4, 3, 1]}
    assert [cluster["items"] for cluster in others] == [3, 2, 1]
    assert others[0]["rows"] == [9, 7, 8]


def test_mixed_are_sorted_by_purity_and_hold_more_than_one_category():
    found = examples()["mixed"]
    assert [(one["sid"], round(one["purity"], 2)) for one in found] == [
        (str(Sid(0, 0, 2)), 0.5),
        (str(Sid(0, 0, 1)), 0.67),
    ]
    assert examples([-1] * 13)["mixed"] == []


def test_singletons_hold_one_item():
    assert examples()["singletons"] == [{"sid": str(Sid(0, 0, 3)), "items": 1, "rows": [12]}]


def test_typical_clusters_lie_between_the_quartiles():
    assert {one["items"] for one in examples()["typical"]} == {2, 3}


def test_the_farthest_item_comes_first_with_the_others_of_its_sid():
    first, *others = examples()["far"]
    assert (first["row"], first["sid"]) == (2, str(Sid(0, 0, 0)))
    assert 2 not in first["rows"] and len(first["rows"]) == 5
    distances = [one["distance"] for one in [first, *others]]
    assert distances == sorted(distances, reverse=True)
    assert 12 not in [one["row"] for one in others]


def test_the_same_seed_draws_the_same_clusters():
    assert examples(seed=3) == examples(seed=3)


def test_titles_take_the_place_of_rows():
    found = with_titles(json.loads(json.dumps(examples())), [f"item {row}" for row in range(13)])
    assert found["singletons"] == [{"sid": str(Sid(0, 0, 3)), "items": 1, "titles": ["item 12"]}]
    first = found["far"][0]
    assert first["title"] == "item 2"
    assert first["titles"][0] == "item 6"
    assert not {"row", "rows"} & set(first)
