from itertools import pairwise

import numpy as np
import pytest
from embed_shop import TITLES
from hypothesis import given
from hypothesis import strategies as st

from genrecall.text.fragments import draw_fragments, drop_words
from genrecall.text.subwords import SubwordTokenizer

LONG = "one two three four five six seven eight nine ten"
TEXTS = [LONG, "alone", "", "left right", *TITLES]
TOKENIZER = SubwordTokenizer.train(TEXTS * 2, vocabulary=300, pair_buckets=8, stemmer="none")
WORDS = TOKENIZER.words(TEXTS)

numbers = st.lists(st.integers(0, len(TEXTS) - 1), max_size=20)


def draw(texts, seed=0):
    return draw_fragments(WORDS, np.array(texts, dtype=np.int64), np.random.default_rng(seed))


def parts(fragments):
    """The word numbers of each fragment."""
    return [fragments.ids[a:b].tolist() for a, b in pairwise(fragments.offsets.tolist())]


def words_of(text):
    return list(range(WORDS.word_offsets[text], WORDS.word_offsets[text + 1]))


@given(numbers, st.integers(0, 2**32))
def test_the_words_of_a_fragment_come_from_its_text_in_order(texts, seed):
    fragments = parts(draw(texts, seed))
    assert len(fragments) == len(texts)
    for text, words in zip(texts, fragments, strict=True):
        assert set(words) <= set(words_of(text))
        assert words == sorted(set(words))
        assert min(1, len(words_of(text))) <= len(words) <= 5


@given(numbers, st.integers(0, 2**32))
def test_the_second_half_are_spans(texts, seed):
    for words in parts(draw(texts, seed))[len(texts) // 2 :]:
        assert len(words) <= 4
        assert words == list(range(words[0], words[0] + len(words))) if words else True


@given(numbers, st.integers(0, 2**32))
def test_the_same_chance_draws_the_same_fragments(texts, seed):
    assert parts(draw(texts, seed)) == parts(draw(texts, seed))


def test_every_word_and_length_is_drawn():
    fragments = parts(draw([0] * 2000))
    subsets, spans = fragments[:1000], fragments[1000:]
    assert {len(words) for words in subsets} == {1, 2, 3, 4, 5}
    assert {len(words) for words in spans} == {1, 2, 3, 4}
    for drawn in (subsets, spans):
        assert {word for words in drawn for word in words} == set(range(10))
    first_and_last = np.mean([words[0] == 0 or words[-1] == 9 for words in subsets])
    assert 0.4 < first_and_last < 0.6  # 0.51 if all words are alike


def test_texts_of_no_word_and_of_one_word():
    assert parts(draw([2, 1, 2, 1])) == [[], words_of(1), [], words_of(1)]
    assert parts(draw([])) == []


@given(numbers, st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 0.9]))
def test_dropping_leaves_words_in_order(texts, seed, share):
    kept = parts(
        drop_words(WORDS, np.array(texts, dtype=np.int64), np.random.default_rng(seed), share=share)
    )
    assert len(kept) == len(texts)
    for text, words in zip(texts, kept, strict=True):
        assert words == [word for word in words_of(text) if word in words]
        assert share > 0 or words == words_of(text)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_share_of_dropped_words_is_as_asked(share):
    rng = np.random.default_rng(0)
    kept = drop_words(WORDS, np.zeros(1000, dtype=np.int64), rng, share=share)
    assert len(kept.ids) == pytest.approx(10_000 * (1 - share), rel=0.03)
