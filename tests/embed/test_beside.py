"""What is read of items beside their titles, and how much it counts."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from embed_shop import SUBWORDS, TITLES

from genrecall.data.shop_data import ShopData
from genrecall.data.tables import ITEMS, SEARCHES, Catalog, Searches
from genrecall.data.texts import texts_beside
from genrecall.embed import stage
from genrecall.embed.config import EmbedConfig, InDomainConfig
from genrecall.embed.load import load_embedded
from genrecall.embed.training.beside import USUAL, ReadBeside, fit_beside
from genrecall.embed.views import with_others
from genrecall.foundation.progress import SilentLog
from genrecall.foundation.work import Work

N = 400


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def truth():
    return unit(np.random.default_rng(0).normal(size=(N, 16)))


def read(truth, queries, *, titles, others, seed=0):
    """What a view says of what is true, but for noise of titles and of other texts."""
    random = np.random.default_rng(seed)
    noises = (0.2, titles, others)
    sides = (truth[queries], truth, truth)
    return ReadBeside(
        *(
            unit(of + noise * random.normal(size=of.shape))
            for of, noise in zip(sides, noises, strict=True)
        )
    )


def fit(truth, *, n_searches=300, **noises):
    queries = np.arange(n_searches) % N
    found = {"in_domain": read(truth, queries, **noises)}
    return fit_beside(found, [np.array([row]) for row in queries])["in_domain"]


def test_texts_that_say_more_count_more(truth):
    telling = fit(truth, titles=0.5, others=0.5)
    idle = fit(truth, titles=0.3, others=50.0)
    assert telling > 0.3
    assert 0.0 <= idle < 0.05


def test_few_searches_say_little_and_none_nothing(truth):
    assert fit(truth, n_searches=0, titles=0.3, others=50.0) == USUAL
    few = fit(truth, n_searches=4, titles=0.3, others=50.0)
    assert 0.5 * USUAL < few < USUAL


def test_each_view_has_its_own_weight(truth):
    queries = np.arange(300)
    views = {
        "in_domain": read(truth, queries, titles=0.5, others=50.0),
        "static": read(truth, queries, titles=0.5, others=0.4, seed=1),
    }
    weights = fit_beside(views, [np.array([row]) for row in queries])
    assert weights["static"] > weights["in_domain"] + 0.2


def test_vectors_with_other_texts_are_of_length_one(truth):
    others = truth[::-1].copy()
    others[0] = 0.0
    titles = truth.copy()
    titles[1] = 0.0  # of which nothing is known
    found = with_others(titles, others, 0.5)
    np.testing.assert_array_equal(found[0], titles[0] / np.linalg.norm(titles[0]))
    assert not found[1].any()
    np.testing.assert_allclose(np.linalg.norm(found[2:], axis=1), 1.0, atol=1e-6)
    expected = unit(titles[2:] + 0.5 * others[2:])
    np.testing.assert_allclose(found[2:], expected, atol=1e-6)


def shop(descriptions):
    """A shop without a log whose items are told apart by what stands beside their titles."""
    frame = pl.DataFrame(
        {
            "item_id": [str(row) for row in range(len(TITLES))],
            "title": TITLES,
            "description": descriptions,
        }
    )
    searches = Searches(pl.DataFrame(schema=SEARCHES))
    return ShopData(Catalog(frame).completed(), searches)


def made(data, out, **settings):
    config = EmbedConfig(
        views=("in_domain",), subwords=SUBWORDS, in_domain=InDomainConfig(steps=5), **settings
    )
    work = Work(out, inputs="", seed=0, log=SilentLog())
    return load_embedded(stage.run(config, data, work))


def test_an_items_vector_knows_what_stands_beside_its_title(tmp_path):
    words = ["soft blue kettle" if row % 2 else None for row in range(len(TITLES))]
    plain, told = (
        made(shop([None] * len(TITLES)), tmp_path / "a"),
        made(shop(words), tmp_path / "b"),
    )
    same = np.isclose(plain.item_vectors, told.item_vectors, atol=1e-6).all(axis=1)
    assert same.tolist() == [word is None for word in words]
    assert told.encoder.beside == (("description",), {"in_domain": USUAL})
    assert plain.encoder.beside.fields == ()
    again = told.encoder.encode_items(TITLES, [word or "" for word in words])
    np.testing.assert_allclose(again, told.item_vectors, atol=2e-4)
    alone = told.encoder.encode_items(TITLES)
    np.testing.assert_allclose(alone, plain.item_vectors, atol=2e-4)


def test_fields_that_are_not_named_are_not_read(tmp_path):
    words = shop(["soft blue kettle"] * len(TITLES))
    assert made(words, tmp_path / "a", fields=("brand",)).encoder.beside.fields == ()


def test_all_fields_are_read_together_and_long_ones_in_part():
    items = dataclasses.replace(
        Catalog(
            pl.DataFrame(
                {
                    "brand": ["Acme", None],
                    "attributes": [[{"key": "color", "value": ["red", "blue"]}], None],
                    "description": ["very " * 100, None],
                },
                schema_overrides={"attributes": ITEMS["attributes"]},
            )
        )
    ).frame
    first, second = texts_beside(items, ["brand", "attributes", "description"])
    assert first.split()[:4] == ["Acme", "red", "blue", "very"]
    assert len(first.split()) == 60
    assert second == ""
    assert texts_beside(items, []) == ["", ""]
