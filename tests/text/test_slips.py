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


@given(st.text(max_size=8), st.integers(0, 2**32))
def test_short_words_numbers_and_other_scripts_stay(word, seed):
    typed = mistype(word, np.random.default_rng(seed))
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        assert typed == word


def test_every_kind_of_slip_is_made():
    random = np.random.default_rng(0)
    typed = {mistype("saddle", random) for _ in range(300)}
    assert {"saddle", "sadle", "sadlde", "saaddle", "siddle", "saxdle"} - typed <= {"saddle"}


def test_words_of_texts_are_those_that_the_tokenizer_cuts(tokenizer):
    slipped = SlippedWords(tokenizer, TITLES, np.random.default_rng(0))
    words = tokenizer.words(TITLES, typed=True)
    assert slipped.words.word_offsets.tolist() == words.word_offsets.tolist()
    assert slipped.words.pieces[: len(words.pieces)].tolist() == words.pieces.tolist()
    every = np.arange(len(words.hashes))
    assert (slipped.slip(every, 0.0, np.random.default_rng(1)) == every).all()


def test_slipped_words_have_the_features_of_their_forms(tokenizer):
    texts = ["cordless drill"]
    slipped = SlippedWords(tokenizer, texts, np.random.default_rng(0))
    random = np.random.default_rng(0)
    forms = [mistype(word, random) for word in ("cordless", "drill") for _ in range(4)]
    numbers = slipped.slip(np.array([0, 1, 1]), 1.0, np.random.default_rng(2))
    assert (numbers >= 2).all()
    for number, word in zip(numbers.tolist(), (0, 1, 1), strict=True):
        form = forms[number - 2]
        assert (number - 2) // 4 == word
        offsets = slipped.words.piece_offsets
        pieces = slipped.words.pieces[offsets[number] : offsets[number + 1]].tolist()
        assert pieces == tokenizer.cut([form])[0].features(typed=True)
        assert slipped.words.hashes[number] == tokenizer.cut([form])[0].hash


def test_the_share_of_the_words_slips(tokenizer):
    slipped = SlippedWords(tokenizer, TITLES, np.random.default_rng(0))
    chosen = np.zeros(4000, dtype=np.int64)
    numbers = slipped.slip(chosen, 0.1, np.random.default_rng(3))
    assert 0.08 < (numbers != 0).mean() < 0.12


def test_texts_without_a_word(tokenizer):
    slipped = SlippedWords(tokenizer, ["", "☂"], np.random.default_rng(0))
    nothing = np.empty(0, dtype=np.int64)
    assert not len(slipped.slip(nothing, 0.5, np.random.default_rng(0)))
