"""How much views count, what their maps learn, and the searches that both are kept apart by."""

import numpy as np
import polars as pl
import pytest
from embed_shop import no_pairs

from genrecall.data.held_out import hold_out
from genrecall.data.pairs import LoggedPairs
from genrecall.data.tables import SEARCHES, Searches
from genrecall.embed.frozen import mapped
from genrecall.embed.training.maps import Read, learn_maps
from genrecall.embed.training.weights import USUAL, Judged, fit_view_weights
from genrecall.text.normalize import query_key

N = 400


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def view(truth, queries, *, noise, seed):
    """Vectors that say what is true, but for noise of their own."""
    random = np.random.default_rng(seed)
    return Judged(
        *(unit(of + noise * random.normal(size=of.shape)) for of in (truth[queries], truth))
    )


@pytest.fixture(scope="module")
def truth():
    return unit(np.random.default_rng(0).normal(size=(N, 16)))


def fit(truth, noises, *, n_searches=300):
    queries = np.arange(n_searches) % N
    names = dict(zip(("in_domain", "static", "pretrained"), noises, strict=False))
    views = {
        name: view(truth, queries, noise=noise, seed=seed)
        for seed, (name, noise) in enumerate(names.items())
    }
    return fit_view_weights(views, [np.array([row]) for row in queries])


def test_the_better_view_weighs_more(truth):
    one = fit(truth, (0.2, 0.5))
    assert one["in_domain"] > 0.6
    other = fit(truth, (0.5, 0.2))
    assert other["static"] > 0.6
    assert sum(one.values()) == pytest.approx(1.0)


def test_a_view_of_noise_weighs_little(truth):
    weights = fit(truth, (0.3, 50.0, 0.3))
    assert weights["static"] < 0.05
    assert min(weights["in_domain"], weights["pretrained"]) > 0.2


def test_few_searches_say_little_and_none_nothing(truth):
    usual = {name: USUAL[name] / (USUAL["in_domain"] + USUAL["static"]) for name in USUAL}
    assert fit(truth, (0.2, 50.0), n_searches=0)["static"] == pytest.approx(usual["static"])
    few, many = (fit(truth, (0.2, 50.0), n_searches=n)["static"] for n in (20, 300))
    assert many < few < usual["static"]
    assert fit(truth, (0.2,)) == {"in_domain": 1.0}


def test_searches_whose_items_no_view_finds_say_nothing(truth):
    views = {name: view(truth, np.arange(3), noise=0.1, seed=0) for name in ("in_domain", "static")}
    assert fit_view_weights(views, [np.array([], dtype=np.int32)] * 3)["static"] == pytest.approx(
        USUAL["static"] / (USUAL["in_domain"] + USUAL["static"])
    )


def test_maps_keep_the_cosines_where_nothing_is_cut():
    items = unit(np.random.default_rng(1).normal(size=(50, 12)))
    maps = learn_maps(Read(items, items[:0]), no_pairs(), dim=None, seed=0)
    turned = mapped(items, maps.item)
    np.testing.assert_allclose(turned @ turned.T, items @ items.T, atol=1e-5)
    assert maps.query.shape == (12, 12)


def test_few_numbers_keep_what_the_shop_needs():
    random = np.random.default_rng(1)
    basis = random.normal(size=(4, 32))
    items = unit(random.normal(size=(80, 4)) @ basis + 0.01 * random.normal(size=(80, 32)))
    maps = learn_maps(Read(items, items[:0]), no_pairs(), dim=4, seed=0)
    turned = mapped(items, maps.item)
    np.testing.assert_allclose(turned @ turned.T, items @ items.T, atol=0.02)


def test_maps_draw_queries_to_their_items():
    items = unit(np.random.default_rng(2).normal(size=(200, 16)))
    queries = items * np.where(np.arange(16) < 8, 1, -1).astype(np.float32)
    rows = np.tile(np.arange(200), 25)
    pairs = LoggedPairs(rows, rows, np.ones(len(rows)))
    before = (queries * items).sum(axis=1).mean()
    maps = learn_maps(Read(items, queries), pairs, dim=16, seed=0)
    after = (mapped(queries, maps.query) * mapped(items, maps.item)).sum(axis=1).mean()
    assert after > before + 0.02
    again = learn_maps(Read(items, queries), pairs, dim=16, seed=0)
    assert (again.query == maps.query).all()
    assert (again.item == maps.item).all()


def searches(n, *, times=False):
    rows = [
        {
            "search_id": str(row),
            "query": f"query {row // 2}",
            "user_id": f"user {row // 4}",
            "time": row if times else None,
            "split": "train",
            "positives": [row % 7],
            "gains": [1.0],
        }
        for row in range(n)
    ]
    return Searches(pl.DataFrame(rows, schema=SEARCHES))


def test_the_latest_are_held_out_of_a_split_by_time():
    kept, held = hold_out(searches(400, times=True), "time")
    assert held.frame["time"].min() > kept.frame["time"].max()
    assert len(held) == 20
    assert len(kept) == 380


@pytest.mark.parametrize(("column", "by"), [("query", "query"), ("user_id", "shopper")])
@pytest.mark.parametrize("times", [False, True])
def test_else_all_searches_of_some_queries_or_shoppers_are(column, by, times):
    kept, held = hold_out(searches(4000, times=times), by)
    assert not set(held.frame[column]) & set(kept.frame[column])
    assert len(kept) + len(held) == 4000
    assert 120 < len(held) < 280


def test_a_frequent_query_does_not_take_more_than_its_share():
    frame = searches(1000).frame
    often = pl.col("search_id").cast(pl.Int64) < 900
    for number in range(40):  # whatever the hash draws
        query = pl.when(often).then(pl.lit(f"often {number}")).otherwise("query").alias("query")
        assert len(hold_out(Searches(frame.with_columns(query)), "query").kept) >= 900


def test_a_query_and_its_other_spellings_are_held_out_together():
    frame = searches(2000).frame
    row = pl.col("search_id").cast(pl.Int64)
    for number in range(40):
        often, rare = pl.lit(f"qx{number} widget"), pl.lit(f"QX{number} widgets")
        query = pl.when(row < 200).then(often).when(row < 203).then(rare).otherwise("query")
        kept, held = hold_out(Searches(frame.with_columns(query.alias("query"))), "query")
        assert not set(map(query_key, held.queries)) & set(map(query_key, kept.queries))


def test_of_many_searches_no_more_are_held_out_than_are_needed():
    assert len(hold_out(searches(100_000, times=True), "time").held) == 2000


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("by", ["time", "query", "shopper"])
def test_hardly_any_searches_are_all_kept(n, by):
    kept, held = hold_out(searches(n, times=True), by)
    assert len(held) == 0
    assert len(kept) == n
