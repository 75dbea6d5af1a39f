import math

import numpy as np
import pytest
from channel_shop import shop_of

from genrecall.channels.base import Request
from genrecall.channels.config import LexicalConfig
from genrecall.channels.lexical import LexicalChannel
from genrecall.text.normalize import strip_plural

TITLES = [
    "red drill",
    "blue drill with drill bits",
    "red lamp",
    "lamp shade red red",
    "red drill",
    "chair",
]


def channel(titles=TITLES, **settings):
    return LexicalChannel(shop_of(titles), LexicalConfig(**settings))


def bm25(query, titles, *, k1, b):
    """BM25 as Lucene has it, document by document."""
    documents = [title.split() for title in titles]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for words in documents:
        score = 0.0
        for word in query.split():
            df = sum(word in other for other in documents)
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            tf = words.count(word)
            score += idf * tf / (tf + k1 * (1 - b + b * len(words) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["red drill", "lamp", "drill drill", "red sofa", "shade bits"])
def test_scores_equal_bm25_by_hand(query):
    (ranking,) = channel(k1=1.2, b=0.6, stemmer="none").rank([Request(query)], 10)
    expected = bm25(query, TITLES, k1=1.2, b=0.6)
    order = sorted((-score, row) for row, score in enumerate(np.float32(expected)) if score > 0)
    assert ranking.rows.tolist() == [row for _, row in order]
    np.testing.assert_allclose(ranking.scores, [-score for score, _ in order], rtol=1e-5)


def test_equal_titles_stand_in_catalog_order_also_at_the_cut():
    titles = ["lamp"] * 50 + ["drill"] * 3
    (ranking,) = channel(titles).rank([Request("lamp")], 7)
    assert ranking.rows.tolist() == list(range(7))


def test_plural_and_singular_are_one_word():
    assert len(channel().rank([Request("chairs")], 10)[0].rows) == 1
    assert len(channel(stemmer="none").rank([Request("chairs")], 10)[0].rows) == 0


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("brushes", "brush"),
        ("hinges", "hinge"),
        ("batteries", "battery"),
        ("ties", "tie"),
        ("shoes", "shoe"),
        ("glass", "glass"),
        ("stainless", "stainless"),
        ("cactus", "cactus"),
        ("boxes", "box"),
        ("s", "s"),
        ("gas", "gas"),
        ("3/8", "3/8"),
    ],
)
def test_plural_endings(word, stem):
    assert strip_plural(word) == stem


def test_query_of_unknown_words_has_an_empty_answer():
    (ranking,) = channel().rank([Request("zzz !!!")], 10)
    assert ranking.rows.tolist() == []


def test_catalog_without_a_word_answers_nothing():
    (ranking,) = channel(["", ""]).rank([Request("drill")], 10)
    assert ranking.rows.tolist() == []
