"""Words as they may be mistyped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from genrecall.text.slips import SlippedWords, mistype
from genrecall.text.subwords import SubwordTokenizer

TITLES = ["Cordless drill 18 V", "Red saw", "DX-4120 saw blade", "", "Red drill, cordless"]


@pytest.fixture(scope="module")
def tokenizer():
    return SubwordTokenizer.train(
        TITLES, vocabulary=300, pair_buckets=50, stemmer="plural", run_buckets=99
    )


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12), st.integers(0, 2**32))
def test_a_slip_is_one_edit_behind_the_first_letter(word, seed):
    typed = mistype(word, np.random.default_rng(seed))
    assert OSA.distance(word, typed) <= 1
    assert typed[0] == word[0]


@given(st.text(max_size=8) | st.text("abAB", max_size=8), st.integers(0, 2**32))
def test_short_words_numbers_capitals_and_other_scripts_stay(word, seed):
    typed = mistype(word, np.random.default_rng(seed))
    if len(word) < 4 or not (word.isascii() and word.isalpha() and word.islower()):
        assert typed == word


def test_every_kind_of_slip_is_made():
    random = np.random.default_rng(0)
    typed = {mistype("saddle", random) for _ in range(300)}
    assert {"saddle", "sadle", "sadlde", "saaddle", "siddle", "saxdle"} - typed <= {"saddle"}


def features(words, number):
    return words.pieces[words.piece_offsets[number] : words.piece_offsets[number + 1]].tolist()


def test_words_without_a_slip_are_those_that_the_tokenizer_cuts(tokenizer):
    slipped = SlippedWords(tokenizer, TITLES, np.random.default_rng(0))
    words = tokenizer.words(TITLES, typed=True)
    every = np.arange(len(words.hashes))
    numbers = slipped.typed(every, 0.0, np.random.default_rng(1)).tolist()
    assert [features(slipped.forms, number) for number in numbers] == [
        features(words, place) for place in every.tolist()
    ]
    assert slipped.forms.hashes[numbers].tolist() == words.hashes.tolist()
    assert len(slipped.forms.hashes) == 5 * len(set(tokenizer.known_words(TITLES)))


def test_slipped_words_have_the_features_of_their_forms(tokenizer):
    slipped = SlippedWords(tokenizer, ["cordless drill"], np.random.default_rng(0))
    random = np.random.default_rng(0)
    slips = [[mistype(word, random) for _ in range(4)] for word in ("cordless", "drill")]
    numbers = slipped.typed(np.array([0, 1, 1]), 1.0, np.random.default_rng(2)).tolist()
    for number, word in zip(numbers, (0, 1, 1), strict=True):
        assert number // 5 == word
        assert number % 5
        (cut,) = tokenizer.cut([slips[word][number % 5 - 1]])
        assert features(slipped.forms, number) == cut.features(typed=True)


def test_the_share_of_the_words_slips(tokenizer):
    slipped = SlippedWords(tokenizer, TITLES, np.random.default_rng(0))
    chosen = np.zeros(4000, dtype=np.int64)
    numbers = slipped.typed(chosen, 0.1, np.random.default_rng(3))
    assert 0.08 < (numbers % 5 != 0).mean() < 0.12


def test_texts_without_a_word(tokenizer):
    slipped = SlippedWords(tokenizer, ["", "☂"], np.random.default_rng(0))
    nothing = np.empty(0, dtype=np.int64)
    assert not len(slipped.typed(nothing, 0.5, np.random.default_rng(0)))
