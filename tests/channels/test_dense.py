import numpy as np
from channel_shop import shop_of, with_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from genrecall.channels import dense
from genrecall.channels.base import Request
from genrecall.channels.dense import DenseChannel
from genrecall.channels.topk import top_k
from genrecall.foundation.halves import to_halves

SHOP = shop_of(["drill"] * 60)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def channel(vectors, queries):
    def encode(requests):
        return queries[[int(request.query) for request in requests]]

    return DenseChannel(with_vectors(SHOP, vectors), encode=encode)


def test_order_is_that_of_the_exact_inner_products():
    random = np.random.default_rng(0)
    vectors, queries = unit(random.normal(size=(60, 16))), unit(random.normal(size=(70, 16)))
    rankings = channel(vectors, queries).rank([Request(str(i)) for i in range(70)], 9)
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    for scores, ranking in zip(exact, rankings, strict=True):
        assert ranking.rows.tolist() == np.argsort(-scores)[:9].tolist()
        np.testing.assert_allclose(ranking.scores, np.sort(scores)[::-1][:9], rtol=1e-6)


def test_equal_items_tie_and_stand_in_catalog_order():
    random = np.random.default_rng(1)
    vectors = unit(random.normal(size=(3, 16)))[np.arange(60) % 3]
    queries = unit(random.normal(size=(40, 16)))
    together = channel(vectors, queries).rank([Request(str(i)) for i in range(40)], 30)
    for ranking in together:
        assert len(set(ranking.scores.tolist())) == 2  # twenty of the best, ten of the next
        for score in set(ranking.scores.tolist()):
            assert (np.diff(ranking.rows[ranking.scores == score]) == 3).all()


def test_a_very_large_shop_is_answered_alike_from_halves_in_parts(monkeypatch):
    random = np.random.default_rng(3)
    vectors = to_halves(unit(random.normal(size=(60, 16)))[np.arange(60) % 50])
    queries = unit(random.normal(size=(40, 16)))
    asked = [Request(str(i)) for i in range(40)]
    expected = channel(vectors, queries).rank(asked, 9)
    monkeypatch.setattr(dense, "_MOST_KEPT", 0)
    monkeypatch.setattr(dense, "_PART", 16)
    large = channel(vectors, queries)
    alone = [large.rank([request], 9)[0] for request in asked]
    for found in (large.rank(asked, 9), alone):
        for ranking, wanted in zip(found, expected, strict=True):
            assert ranking.rows.tolist() == wanted.rows.tolist()
            assert ranking.scores.tolist() == wanted.scores.tolist()


def test_query_that_the_encoder_does_not_know_has_an_empty_answer():
    vectors = unit(np.random.default_rng(2).normal(size=(60, 4)))
    rankings = channel(vectors, np.zeros((1, 4), np.float32)).rank([Request("0")], 10)
    assert rankings[0].rows.tolist() == []


@settings(max_examples=50)
@given(st.lists(st.integers(-2, 2), max_size=30), st.integers(1, 12), st.randoms())
def test_top_k_equals_a_sort(scores, k, random):
    rows = random.sample(range(100), len(scores))
    ranking = top_k(np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float32), k)
    expected = sorted(zip(scores, rows, strict=True), key=lambda pair: (-pair[0], pair[1]))[:k]
    assert ranking.rows.tolist() == [row for _, row in expected]
    assert ranking.scores.tolist() == [score for score, _ in expected]
