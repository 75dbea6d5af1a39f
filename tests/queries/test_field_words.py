"""How much a query's words say for an item: BM25 as Lucene computes it, of a few items."""

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrecall.foundation.artifact import open_artifact, writing
from genrecall.queries import field_words
from genrecall.queries.field_words import FieldWords
from genrecall.queries.vocabulary import Vocabulary
from genrecall.text.normalize import read_words

TITLES = ["Red saw", "Blue circular saw blade", "Lamp", "", "Red lamp 18 V", "Saws, red"]


def words_of(titles):
    vocabulary = Vocabulary.learn(titles, ["green saw"], stemmer="plural")
    return FieldWords.of(titles, vocabulary)


def by_bm25s(titles, query):
    """The scores of all titles by the library."""
    number = {}
    documents = [
        sorted({number.setdefault(word, len(number)) for word in read_words(title, "plural")})
        for title in titles
    ]
    index = bm25s.BM25(k1=0.5, b=0.5, method="lucene", backend="numpy")
    index.index((documents, number), show_progress=False)
    asked = sorted({number[word] for word in read_words(query, "plural") if word in number})
    if not asked:
        return np.zeros(len(titles))
    return index.get_scores_from_ids(np.array(asked))


@pytest.mark.parametrize("query", ["red saw", "saws saw", "18v lamp", "green", "", "blue RED"])
def test_scores_are_those_of_the_library(query):
    rows = np.array([5, 0, 3, 1, 4, 2])
    found = words_of(TITLES).scores(query, rows)
    np.testing.assert_allclose(found, by_bm25s(TITLES, query)[rows], rtol=1e-5)


words = st.sampled_from(["red", "blue", "saw", "lamp", "18", "v"])
titles = st.lists(words, min_size=1, max_size=5).map(" ".join)


@given(st.lists(titles, min_size=1, max_size=8), st.lists(words, max_size=4).map(" ".join))
def test_scores_of_any_shop_are_those_of_the_library(titles, query):
    found = words_of(titles).scores(query, np.arange(len(titles)))
    np.testing.assert_allclose(found, by_bm25s(titles, query), rtol=1e-4, atol=1e-6)


@given(st.lists(titles, min_size=1, max_size=8), st.lists(words, max_size=4).map(" ".join))
def test_without_the_library_scores_are_the_same(titles, query):
    rows = np.arange(len(titles))[::-1]
    found = words_of(titles).scores(query, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(field_words, "library", lambda: None)
        np.testing.assert_allclose(words_of(titles).scores(query, rows), found, rtol=1e-6)


def test_no_items_have_no_scores():
    assert words_of(TITLES).scores("red saw", np.arange(0)).shape == (0,)
    assert words_of([]).scores("red", np.arange(0)).shape == (0,)


def test_what_is_saved_scores_equally(tmp_path):
    whole = words_of(TITLES)
    with writing(tmp_path / "queries", kind="queries") as folder:
        whole.save(folder, "title")
    artifact = open_artifact(tmp_path / "queries", kind="queries")
    vocabulary = Vocabulary.learn(TITLES, ["green saw"], stemmer="plural")
    read = FieldWords.load(artifact, "title", vocabulary)
    rows = np.arange(len(TITLES))
    assert (read.scores("red saw", rows) == whole.scores("red saw", rows)).all()


def test_more_titles_stand_behind_these():
    vocabulary = Vocabulary.learn(TITLES[:4], (), stemmer="plural")
    grown = vocabulary.with_items(TITLES[4:])
    more = FieldWords.of(TITLES[:4], vocabulary).with_texts(TITLES[4:], grown)
    assert len(more) == len(TITLES)
    np.testing.assert_allclose(
        more.scores("red lamp", np.arange(6)), by_bm25s(TITLES, "red lamp"), rtol=1e-5
    )
