import json
import math

import numpy as np
import polars as pl
import pytest
from report_data import beams, inputs, rows

from genrecall.data.tables import ITEMS, Catalog
from genrecall.evaluate.measures import only_here, target_ranks
from genrecall.foundation.sid import SidSpace, SidTable
from genrecall.report.clusters import Clusters
from genrecall.report.codebook import describe_codebook
from genrecall.report.curves import beam_curves, cut_curve, found_by, overlap, steps
from genrecall.report.examples import choose
from genrecall.report.projection import MOST, draw_sample, project
from genrecall.report.training import read_curves


def values(figures):
    return [pytest.approx(figure["value"]) for figure in figures]


def test_steps_end_where_the_curve_ends():
    assert steps(1) == [1]
    assert steps(300)[-3:] == [150, 200, 300]
    assert steps(1000) == sorted({*steps(1000)})


def test_beam_curves_by_hand():
    (curve,) = beam_curves(inputs(), {"query_to_sid": beams()})
    assert curve["stage"] == "query_to_sid"
    assert curve["beams"] == [1, 2, 3]  # no search has a fourth
    # Relevant SIDs: 0 and 0, 2, 4 and 3, 4.
    assert values(curve["hit@beam"]) == [(1 + 0 + 0 + 0) / 4, (1 + 1 + 0 + 1) / 4, 3 / 4]
    assert values(curve["candidates@beam"]) == [6 / 4, 12 / 4, 16 / 4]


def test_beams_that_find_nothing_have_a_curve():
    (curve,) = beam_curves(inputs(), {"align": np.full((4, 3), -1)})
    assert (curve["beams"], values(curve["hit@beam"])) == ([1], [0.0])


def test_more_beams_push_relevant_items_out_of_a_cut_answer():
    """The relevant item of the first beam stands behind 1,000 items of the second."""
    many = np.arange(2000, 3000, dtype=np.int32)
    answer = (np.concatenate([many, rows(0)]), np.repeat([1, 0], [1000, 1]))
    nothing = (rows(), np.array([], dtype=np.int64))
    curve = cut_curve(inputs(), [answer, nothing, nothing, nothing], [1, 2])
    assert curve["beams"] == [1, 2]
    assert values(curve["recall"]) == [0.5 / 4, 0.0]


def test_shares_of_the_channels_sum_to_one_and_hold_what_one_has_alone():
    parts = overlap(inputs())
    assert parts["channels"] == ["bm25", "dense", "generative"]  # neither fusions nor controls
    by_set = {tuple(part["channels"]): part["share"]["value"] for part in parts["sets"]}
    assert sum(by_set.values()) == pytest.approx(1)
    assert by_set == {
        ("dense", "generative"): pytest.approx((0.5 + 1) / 4),
        ("generative",): pytest.approx(1 / 4),
        ("bm25", "generative"): pytest.approx(0.5 / 4),
        ("bm25",): pytest.approx(0.5 / 4),
        (): pytest.approx(0.5 / 4),
    }
    assert list(by_set.values()) == sorted(by_set.values(), reverse=True)


def test_what_one_list_has_alone_is_that_of_the_measures():
    random = np.random.default_rng(0)
    targets = [random.choice(30, size=3, replace=False) for _ in range(50)]
    ranks = {
        name: target_ranks([random.permutation(30)[:12] for _ in targets], targets)
        for name in ("a", "b", "c")
    }
    alone = found_by(ranks, 10)[("a",)]
    assert np.allclose(alone, only_here(ranks["a"], [ranks["b"], ranks["c"]], 10))


def test_examples_come_from_the_best_and_the_worst_quarter():
    recall = np.linspace(0, 1, 80)
    good, bad = choose(recall, seed=3)
    assert len(good) == len(bad) == 10
    assert recall[good].min() >= recall[60]
    assert recall[bad].max() <= recall[19]
    assert (np.diff(recall[good]) < 0).all()
    assert [part.tolist() for part in choose(recall, seed=3)] == [good.tolist(), bad.tolist()]
    assert good.tolist() != choose(recall, seed=4).good.tolist()


@pytest.mark.parametrize("n", [0, 1, 2, 7, 20, 21])
def test_no_query_is_an_example_twice(n):
    good, bad = choose(np.zeros(n), seed=0)
    assert len(good) == len(bad) == min(10, n // 2)
    assert len({*good.tolist(), *bad.tolist()}) == len(good) + len(bad)


def test_codebook_counts_items_of_codes_and_sids():
    codes = np.array([[0, 0, 0]] * 3 + [[0, 1, 0], [2, 1, 1]], dtype=np.int32)
    found = describe_codebook(SidTable(SidSpace((4, 2, 2)), codes))
    assert found["levels"][0] == {"codes": 4, "used": 2, "rank": [1, 2], "items": [4, 1]}
    assert found["levels"][1] == {"codes": 2, "used": 2, "rank": [1, 2], "items": [3, 2]}
    assert found["items_per_sid"] == {"items": [1, 2, 3], "sids": [2, 0, 1]}


def test_a_large_codebook_is_described_in_bounded_size():
    codes = np.stack([np.arange(5000) ** 2 % 3000] * 3, axis=1).astype(np.int32)
    codes = np.concatenate([codes, np.zeros((900, 3), dtype=np.int32)])
    table = SidTable(SidSpace((3000, 3000, 3000)), codes)
    found = describe_codebook(table)
    assert len(found["levels"][0]["rank"]) <= 200
    assert found["levels"][0]["rank"][-1] == found["levels"][0]["used"]
    assert len(found["items_per_sid"]["items"]) <= 61
    assert sum(found["items_per_sid"]["sids"]) == len(table.packed)


def test_clusters_are_described_by_their_middle():
    titles = ["far", "near", "middle", "lonely"]
    frame = pl.DataFrame(
        {
            "item_id": list("abcd"),
            "title": titles,
            "category": [["Tools"], ["Home", "Lamps"], ["Home", "Lamps"], None],
        },
        schema_overrides=dict(ITEMS),
    )
    codes = np.array([[0, 0, 0]] * 3 + [[1, 0, 0]], dtype=np.int32)
    vectors = np.array([[1, 0], [0, 1], [0.1, 1], [1, 0]], dtype=np.float32)
    table = SidTable(SidSpace((2, 1, 1)), codes)
    live = np.array([True, True, False, False])
    clusters = Clusters(Catalog(frame), table, vectors, live=live)
    assert len(clusters) == 2
    assert clusters.means[0] == pytest.approx(vectors[:3].mean(axis=0))
    assert clusters.describe(0) == {
        "sid": [0, 0, 0],
        "items": 2,
        "category": ["Home", "Lamps"],
        "titles": ["middle", "near", "far"],
    }
    assert clusters.describe(1) == {
        "sid": [1, 0, 0],
        "items": 0,
        "category": None,
        "titles": ["lonely"],
    }


def test_the_map_keeps_neighbours_together_and_repeats():
    random = np.random.default_rng(0)
    middles = np.eye(3, 8)[np.repeat(np.arange(3), 20)] * 9
    vectors = (middles + random.normal(size=(60, 8))).astype(np.float32)
    places = project(vectors, seed=0)
    assert places.shape == (60, 2)
    assert np.array_equal(places, project(vectors, seed=0))
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance.argmin(axis=1) // 20 == np.arange(60) // 20).all()


@pytest.mark.parametrize("distinct", [1, 3, 12])
def test_equal_vectors_have_one_place_on_the_map(distinct):
    """Where all are equal, as of titles without a word, t-SNE alone ends the process."""
    vectors = np.eye(12, dtype=np.float32)[np.arange(60) * 7 % distinct]
    places = project(vectors, seed=0)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == distinct
    for row in range(60):
        assert (places[row] == places[(np.arange(60) * 7 % distinct == row * 7 % distinct)]).all()


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6])
def test_few_clusters_have_a_map(n):
    places = project(np.eye(n, 8, dtype=np.float32), seed=0)
    assert places.shape == (n, 2)
    assert len(np.unique(places, axis=0)) == n


def test_a_map_of_many_clusters_is_a_sample():
    assert draw_sample(3, seed=0).tolist() == [0, 1, 2]
    sample = draw_sample(MOST + 1, seed=0)
    assert len(sample) == MOST
    assert (np.diff(sample) > 0).all()


def point(stage, done, loss, total=100):
    return json.dumps(
        {"event": "measured", "time": 1.5, "stage": stage, "done": done, "total": total}
        | {"loss": loss}
    )


def test_training_curves_are_those_of_the_last_training():
    lines = [
        point("encoder", 50, 9.0, total=70),  # with other settings
        json.dumps({"event": "say", "text": "  encoder"}),
        point("encoder", 50, 3.0),
        point("encoder", 75, 2.5),  # lost when the run was killed; it went on from 60
        point("rq-vae", 100, 1.0),
        point("encoder", 70, 2.0),
        point("encoder", 100, 1.5),
        '{"event": "measured", "stage": "enco',  # cut off
    ]
    encoder, quantizer = read_curves(lines)
    assert encoder == {
        "stage": "encoder",
        "done": [50, 70, 100],
        "losses": [{"name": "loss", "values": [3.0, 2.0, 1.5]}],
    }
    assert quantizer["done"] == [100]
    assert read_curves([]) == []


def test_a_training_that_diverged_has_a_curve_with_gaps():
    lines = [
        point("encoder", done, loss) for done, loss in ((1, 3.0), (2, math.nan), (3, math.inf))
    ]
    (curve,) = read_curves(lines)
    assert curve["losses"] == [{"name": "loss", "values": [3.0, None, None]}]
